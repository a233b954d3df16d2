//! A new config in the place of the old one, while the agent runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::setup::Setup;
use super::{Agent, lock, metrics};
use crate::config::settings::AgentSettings;
use crate::config::{Loaded, Plan, Sources};
use crate::http::{ReloadError, ReloadSummary};
use crate::metrics::Sample;
use crate::store::News;

/// How often a load begins again because its files changed under it, at most.
const LOADS: usize = 3;

impl Agent {
    /// Loads the config again. A broken one changes nothing but what is said about it.
    ///
    /// # Errors
    /// Every mistake of the new config, one a line.
    pub fn reload(self: &Arc<Self>) -> Result<ReloadSummary, ReloadError> {
        let _alone = lock(&self.reloading);
        let (loaded, sources) = self.load();
        self.take(loaded, sources)
    }

    /// The same, but where the files say what they said at the last load, nothing is done and nothing is said: a broken
    /// config is told once.
    pub(super) fn reload_if_changed(self: &Arc<Self>) {
        let _alone = lock(&self.reloading);
        let (loaded, sources) = self.load();
        if sources.say_the_same(&lock(&self.sources)) {
            *lock(&self.sources) = sources;
            tracing::debug!("files of the config were written anew, and say what they said before");
            return;
        }
        // What went wrong is logged, and stands in /readyz?verbose.
        let _ = self.take(loaded, sources);
    }

    /// The gist of the warnings that were logged already (`Problem::gist`): a reload logs those that are new.
    pub fn has_told(&self, warnings: BTreeSet<String>) {
        *lock(&self.told) = warnings;
    }

    /// Which settings of the config in force wait for a restart, in a sentence each.
    pub(super) fn pending_restart(&self) -> Vec<String> {
        needs_restart(&self.started_with, &self.setup.load().plan.agent)
    }

    /// Reads the files; again, where they changed meanwhile, so that no load mixes old and new ones.
    fn load(&self) -> (Loaded, Sources) {
        let mut load = (self.loader)();
        for _ in 1..LOADS {
            if load.1.now() == load.1.then() {
                break;
            }
            load = (self.loader)();
        }
        load
    }

    fn take(self: &Arc<Self>, loaded: Loaded, sources: Sources) -> Result<ReloadSummary, ReloadError> {
        *lock(&self.sources) = sources;
        let result = self.replace_by(loaded);
        *lock(&self.problem) = result.as_ref().err().map(|error| match error {
            ReloadError::Config(lines) | ReloadError::Agent(lines) => lines.clone(),
        });
        self.sinks.loaded(result.is_ok());
        self.sinks.history.feed().tell(News::Agent);
        match &result {
            // Each line of the log has its time and its level.
            Ok(summary) => {
                tracing::info!("config {}", summary.counts());
            }
            Err(ReloadError::Config(lines) | ReloadError::Agent(lines)) => {
                for line in lines {
                    tracing::error!("config not reloaded, the old one stays in force: {line}");
                }
            }
        }
        result
    }

    fn replace_by(self: &Arc<Self>, loaded: Loaded) -> Result<ReloadSummary, ReloadError> {
        let lines =
            |problems: &dyn std::fmt::Display| problems.to_string().lines().map(str::to_owned).collect();
        let (plan, warnings) = loaded.map_err(|problems| ReloadError::Config(lines(&problems)))?;
        // Targets change hands by a restart: which shard this is stands in the environment, and that is fixed.
        let plan = Plan { shard: self.setup.load().plan.shard, ..plan }.of_its_shard();
        let setup = Setup::new(plan, self.throttle.clone());
        let mut setup = setup.map_err(|error| ReloadError::Agent(lines(&error)))?;
        setup.runner = setup.runner.succeeding(&self.setup.load().runner);
        let restart = needs_restart(&self.started_with, &setup.plan.agent);
        self.setup.store(Arc::new(setup));
        let of_config = warnings.iter().map(|warning| (warning.gist(), warning.to_string()));
        let of_restart = restart.into_iter().map(|line| (line.clone(), line));
        let warnings = of_config.chain(of_restart).collect();
        Ok(ReloadSummary { warnings: self.tell(warnings), ..self.put_in_force() })
    }

    /// Logs the warnings that the load before had not; gives all of them as they are written. Each has its gist before it.
    fn tell(&self, warnings: Vec<(String, String)>) -> Vec<String> {
        let gists = warnings.iter().map(|(gist, _)| gist.clone()).collect();
        let before = std::mem::replace(&mut *lock(&self.told), gists);
        let new = warnings.iter().filter(|(gist, _)| !before.contains(gist));
        new.for_each(|(_, warning)| tracing::warn!("{warning}"));
        warnings.into_iter().map(|(_, warning)| warning).collect()
    }

    /// Makes the jobs those of the plan; what did not change goes on undisturbed.
    pub(super) fn put_in_force(self: &Arc<Self>) -> ReloadSummary {
        let setup = self.setup.load_full();
        // Before new jobs create their series, or these would be removed again.
        self.sinks.keep_only(&setup.plan);
        self.sinks.show_wishes(&setup.plan);
        self.canaries.keep_only(&setup.plan);
        let has = |target: &str, check: &str| {
            setup.plan.jobs.iter().any(|job| &*job.key.target == target && job.key.check == check)
        };
        self.pauses.retain(self.wall(), has);
        let summary = lock(&self.jobs).become_those_of(&setup, |ready| self.spawn(ready));
        self.sinks.recorder.record_agent(&Sample::new(&metrics::JOBS, setup.plan.jobs.len() as f64));
        summary
    }
}

/// What a reload can't change: sockets that are bound, labels that series carry.
fn needs_restart(old: &AgentSettings, new: &AgentSettings) -> Vec<String> {
    let changed = [
        ("location", old.location != new.location),
        ("http", old.http != new.http),
        ("log", old.log != new.log),
        ("history", old.history != new.history),
        ("otlp", old.otlp != new.otlp),
        ("sharding", old.sharding != new.sharding),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed
        .map(|(field, _)| format!("`{field}` is not what the agent was started with; that takes a restart"))
        .collect()
}
