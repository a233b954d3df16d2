//! Verifications of canaries that somebody asks the agent for. Their runs share the targets' budgets with the
//! schedule; neither the metrics nor the history of scheduled runs see them.

pub mod metrics;
mod registry;

use std::sync::Arc;

use jiff::Timestamp;

use super::Agent;
use super::setup::Setup;
use crate::canary::Policy;
use crate::config::mask_url;
use crate::gate::{Address, Course, Ended, Request, Side, drive};
use crate::http::{CanaryRefusal, CanaryRequest, CanaryStarted};
use crate::metrics::Recorder;
use crate::store::News;

use metrics::Pair;
pub use registry::Canaries;
use registry::{Admission, Verification};

/// Makes the counters of verifications exist at 0.
pub(super) fn begin(recorder: &Recorder) {
    metrics::begin(recorder);
}

impl Agent {
    /// Starts a verification, or finds the one of the same key.
    pub(super) fn start_canary(
        self: &Arc<Self>,
        request: CanaryRequest,
    ) -> Result<CanaryStarted, CanaryRefusal> {
        if self.draining() {
            return Err(CanaryRefusal::Ending);
        }
        let setup = self.setup();
        let limits = &setup.plan.agent.canary;
        let limits = (limits.max_running as usize, limits.keep as usize);
        let (admission, course) =
            self.canaries.admit(request, limits, |request| self.course(&setup, request))?;
        let (verification, new) = match admission {
            Admission::Known(known) => (known, false),
            Admission::Begins(begins) => (begins, true),
        };
        if let Some(course) = course {
            self.verify(setup, Arc::clone(&verification), course);
        }
        Ok(CanaryStarted { report: verification.report(), new })
    }

    /// Runs a verification in a task of its own.
    fn verify(self: &Arc<Self>, setup: Arc<Setup>, verification: Arc<Verification>, course: Course) {
        let agent = Arc::clone(self);
        let gateways = verification.gateways();
        let pair = Pair {
            canary: gateways.canary.name.clone(),
            baseline: gateways.baseline.as_ref().map(|baseline| baseline.name.clone()).unwrap_or_default(),
        };
        let id: Arc<str> = verification.id().into();
        tracing::info!(%id, canary = pair.canary, baseline = pair.baseline, "a verification begins");
        metrics::running(&self.sinks.recorder, self.canaries.running());
        self.tell_of_canary(&id);
        self.tasks.spawn(async move {
            let recorder = &agent.sinks.recorder;
            let on_run = |run: &_, progress| {
                verification.advance(progress);
                metrics::ran(recorder, &pair, run);
                agent.tell_of_canary(&id);
            };
            let driving = drive(&course, &setup.runner, &verification.stop, &on_run);
            tokio::pin!(driving);
            let decision = tokio::select! {
                decision = &mut driving => decision,
                () = agent.stop.cancelled() => {
                    verification.stop.now(Ended::Shutdown);
                    driving.await
                }
            };
            let now = Timestamp::now();
            metrics::decided(recorder, &pair, &decision, now.as_duration().as_secs_f64());
            let verdict = decision.verdict.label();
            tracing::info!(%id, canary = pair.canary, baseline = pair.baseline, verdict, "a verification has ended");
            verification.decide(now, decision);
            metrics::running(recorder, agent.canaries.running());
            agent.tell_of_canary(&id);
        });
    }

    fn tell_of_canary(&self, id: &Arc<str>) {
        self.sinks.history.feed().tell(News::Canary { id: Arc::clone(id) });
    }

    /// What a request asks for, of the targets that the config names.
    fn course(&self, setup: &Setup, request: &CanaryRequest) -> Result<Course, CanaryRefusal> {
        let baseline = request.baseline.as_deref().map(|name| self.side(setup, name)).transpose()?;
        let canary = self.side(setup, &request.canary)?;
        let asked = Request {
            baseline,
            canary,
            profile: request.profile,
            longest: request.profile.longest(),
            checks: request.checks.clone(),
            policy: Policy::default(),
        };
        Course::plan(asked).map_err(|error| CanaryRefusal::Impossible(error.to_string()))
    }

    fn side(&self, setup: &Setup, name: &str) -> Result<Side, CanaryRefusal> {
        let impossible = |text: String| Err(CanaryRefusal::Impossible(text));
        let (Some(target), Some(budget)) = (setup.plan.target(name), self.budget(name)) else {
            return impossible(format!("the config has no target {name:?}"));
        };
        if let Some(until) = target.paused_until(Timestamp::now()) {
            return impossible(format!("the target {name:?} is paused by the config until {until}"));
        }
        let address = Address { name: name.to_owned(), url: mask_url(target.endpoint.url.as_str()) };
        let planned = setup.plan.jobs.iter().filter(|job| job.key.target == target.name);
        Ok(Side { address, jobs: planned.filter_map(|job| setup.job(job, &budget)).collect() })
    }
}
