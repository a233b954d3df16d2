//! What the HTTP server may ask of the agent.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use super::view::promises;
use super::{Agent, lock};
use crate::config::Shard;
use crate::gate::{Ended, Report};
use crate::http::{
    self, Answer, CanaryRefusal, CanaryRequest, CanaryStarted, ChangeError, JobStanding, Notice, ProbeAnswer,
    ProbeError, ProbeRequest, Promise, Readiness, ReloadError, ReloadSummary, Which,
};
use crate::model::count;

/// The agent as the HTTP server sees it.
pub struct Handle {
    agent: Arc<Agent>,
    token_file: Option<PathBuf>,
}

impl Handle {
    /// A handle on an agent that obeys whoever shows the token in a file.
    pub fn new(agent: Arc<Agent>) -> Self {
        let token_file = agent.setup().plan.agent.http.token_file.clone();
        Self { agent, token_file }
    }
}

impl http::AgentHandle for Handle {
    fn reload(&self) -> Answer<'_, Result<ReloadSummary, ReloadError>> {
        let agent = Arc::clone(&self.agent);
        Box::pin(async move {
            // Reads files: not for a thread that serves sockets.
            let reloaded = tokio::task::spawn_blocking(move || agent.reload()).await;
            reloaded.unwrap_or_else(|error| Err(ReloadError::Agent(vec![error.to_string()])))
        })
    }

    fn readiness(&self) -> Readiness {
        let setup = self.agent.setup();
        let plan = &setup.plan;
        let (jobs, targets) = (count(plan.jobs.len(), "job"), count(plan.watched().count(), "target"));
        let mut reasons = vec![format!("{jobs} of {targets}")];
        if let Some(Shard { index, shards }) = plan.shard {
            let all = count(plan.targets.len(), "target");
            reasons.push(format!("shard {index} of {shards}, counted from 0; all of them watch {all}"));
        }
        if let Some(problem) = lock(&self.agent.problem).as_ref() {
            // Still ready: the old config is in force, and a restart would make it worse.
            reasons.push("the config in the files was not loaded, an older one is in force:".to_owned());
            reasons.extend(problem.iter().map(|line| format!("  {line}")));
        }
        reasons.extend(self.agent.pending_restart());
        if self.agent.draining() {
            reasons.push("draining: no new runs are started".to_owned());
        }
        Readiness { ready: !self.agent.draining(), reasons }
    }

    fn probe(&self, request: ProbeRequest) -> Answer<'_, Result<ProbeAnswer, ProbeError>> {
        Box::pin(self.agent.probe(request))
    }

    fn start_canary(&self, request: CanaryRequest) -> Result<CanaryStarted, CanaryRefusal> {
        self.agent.start_canary(request)
    }

    fn canary(&self, id: &str) -> Option<Report> {
        self.agent.canaries.find(id).map(|found| found.report())
    }

    fn canary_by_key(&self, key: &str) -> Option<Report> {
        self.agent.canaries.find_by_key(key).map(|found| found.report())
    }

    fn canaries(&self) -> Vec<Report> {
        self.agent.canaries.reports()
    }

    fn cancel_canary(&self, id: &str) -> Option<Report> {
        let found = self.agent.canaries.find(id)?;
        found.stop.now(Ended::Cancelled);
        Some(found.report())
    }

    fn jobs(&self) -> Vec<JobStanding> {
        self.agent.standings()
    }

    fn promises(&self, target: &str, check: &str) -> Vec<Promise> {
        let setup = self.agent.setup();
        let mut jobs = setup.plan.jobs.iter();
        let job = jobs.find(|job| &*job.key.target == target && job.key.check == check);
        job.map(|job| promises(&job.check)).unwrap_or_default()
    }

    fn notices(&self) -> Vec<Notice> {
        self.agent.notices()
    }

    fn run_now(&self, which: &Which) -> Result<(), ChangeError> {
        self.agent.run_now(which)
    }

    fn pause(&self, which: &Which, until: Timestamp) -> Result<(), ChangeError> {
        self.agent.pause(which, until)
    }

    fn resume(&self, which: &Which) -> Result<(), ChangeError> {
        self.agent.resume(which)
    }

    fn token(&self) -> Option<SecretString> {
        let file = self.token_file.as_ref()?;
        // One that can't be read lets nobody in: no request can hold a line break.
        let token = std::fs::read_to_string(file).unwrap_or_else(|_| "\n".to_owned());
        let trimmed = token.trim();
        Some(SecretString::from(if trimmed.is_empty() { "\n" } else { trimmed }))
    }
}
