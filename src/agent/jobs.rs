//! The jobs in force, and what a reload changes of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::metrics;
use super::setup::Setup;
use super::sinks::Sinks;
use super::{Agent, lock};
use crate::config;
use crate::http::ReloadSummary;
use crate::metrics::Sample;
use crate::model::JobKey;
use crate::runner::Job;
use crate::schedule::{Cadence, Driver, Observer, Skip, Wish};
use crate::session::{Budget, Limits, OpenConnections};

/// A job of the plan, ready to be driven.
pub(super) struct Ready {
    job: Arc<Job>,
    target: Arc<config::Target>,
}

/// A job that is being driven.
#[derive(Debug)]
struct Driven {
    key: JobKey,
    /// The job is gone: no new runs, and the one in progress is of no interest any more.
    gone: CancellationToken,
}

/// The jobs in force.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    driven: HashMap<(Arc<str>, &'static str), Driven>,
    budgets: HashMap<Arc<str>, Arc<Budget>>,
    /// What all strangers of a module of `/probe` may spend together.
    module_budgets: HashMap<Arc<str>, Arc<Budget>>,
    /// All connections together.
    open: OpenConnections,
}

impl Jobs {
    /// None yet; their connections will be counted.
    pub(super) fn counted_in(open: OpenConnections) -> Self {
        Self { open, ..Self::default() }
    }

    /// Stops what is gone or has changed, spawns what is new, leaves alone what is the same.
    pub(super) fn become_those_of(
        &mut self,
        setup: &Setup,
        mut spawn: impl FnMut(Ready) -> CancellationToken,
    ) -> ReloadSummary {
        let mut summary = ReloadSummary::default();
        let mut before = std::mem::take(&mut self.driven);
        self.keep_budgets(&setup.plan);
        for planned in &setup.plan.jobs {
            let key = &planned.key;
            let name = (Arc::clone(&key.target), key.check);
            match before.remove(&name) {
                Some(driven) if driven.key == *key => {
                    summary.unchanged += 1;
                    self.driven.insert(name, driven);
                    continue;
                }
                Some(driven) => {
                    summary.changed += 1;
                    driven.gone.cancel();
                }
                None => summary.added += 1,
            }
            let job = self.budgets.get(&key.target).and_then(|budget| setup.job(planned, budget));
            let Some(job) = job else { continue };
            let ready = Ready { job: Arc::new(job), target: Arc::clone(&planned.target) };
            self.driven.insert(name, Driven { key: key.clone(), gone: spawn(ready) });
        }
        summary.removed = before.len();
        before.into_values().for_each(|driven| driven.gone.cancel());
        self.module_budgets.retain(|name, _| setup.plan.modules.contains_key(name));
        summary
    }

    /// A target's budget outlives a reload that does not change it: what was spent stays spent.
    fn keep_budgets(&mut self, plan: &config::Plan) {
        let mut before = std::mem::take(&mut self.budgets);
        for target in &plan.targets {
            let limits = Limits::from(&target.settings.budget);
            let kept = before.remove(&target.name).filter(|budget| budget.limits() == limits);
            let budget = kept.unwrap_or_else(|| Arc::new(Budget::counted_in(limits, &self.open)));
            self.budgets.insert(Arc::clone(&target.name), budget);
        }
    }
}

impl Jobs {
    /// The budget of a module of `/probe`.
    pub(super) fn module_budget(&mut self, module: &Arc<str>, limits: Limits) -> Arc<Budget> {
        let unspent = || Arc::new(Budget::counted_in(limits, &self.open));
        let budget = self.module_budgets.entry(Arc::clone(module)).or_insert_with(unspent);
        if budget.limits() != limits {
            *budget = unspent();
        }
        Arc::clone(budget)
    }
}

impl Agent {
    /// Drives a job until the agent is stopped or the job is gone.
    pub(super) fn spawn(self: &Arc<Self>, ready: Ready) -> CancellationToken {
        let Ready { job, target } = ready;
        self.sinks.precreate(&job, None);
        let interval = job.spec.interval().get();
        let observer = JobObserver { sinks: Arc::clone(&self.sinks), key: job.key.clone() };
        observer.measure(Sample::new(&metrics::INTERVAL, interval.as_secs_f64()));
        let flag = f64::from(u8::from(is_paused(&target, self.clock.now())));
        self.sinks.recorder.record_target(&target.name, &Sample::new(&metrics::PAUSED, flag));
        let cadence = Cadence::new(interval, &job.key.target, job.key.check, &self.replica);
        let driver = Driver { cadence, clock: self.clock, backs_off: job.spec.is_intrusive() };
        let (agent, stop) = (Arc::clone(self), self.stop.child_token());
        // Not a child of the agent's stop: a shutdown grants runs its grace, a reload does not.
        let gone = CancellationToken::new();
        let job_gone = gone.clone();
        self.tasks.spawn(async move {
            let paused = |now: Duration| {
                let paused = is_paused(&target, now);
                let flag = f64::from(u8::from(paused));
                agent.sinks.recorder.record_target(&target.name, &Sample::new(&metrics::PAUSED, flag));
                if paused {
                    job.shelf.release();
                }
                paused
            };
            let driven = driver.drive(&observer, paused, || agent.run(&job), &stop);
            job_gone.run_until_cancelled(driven).await;
            job.shelf.let_go().await;
        });
        gone
    }

    /// One scheduled run.
    async fn run(&self, job: &Job) -> Wish {
        let setup = self.setup.load_full();
        let _running = self.sinks.running();
        let reports = setup.runner.run(job, &self.cut).await;
        let patience = reports.iter().any(|report| report.outcome.asks_for_patience());
        self.sinks.record_run(job, reports);
        if patience { Wish::Patience } else { Wish::GoOn }
    }

    /// The budget that a run of this target shares with the scheduled ones.
    pub(super) fn budget(&self, target: &str) -> Option<Arc<Budget>> {
        lock(&self.jobs).budgets.get(target).map(Arc::clone)
    }
}

fn is_paused(target: &config::Target, now: Duration) -> bool {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).is_ok_and(|now| target.paused_until(now).is_some())
}

struct JobObserver {
    sinks: Arc<Sinks>,
    key: JobKey,
}

impl JobObserver {
    fn measure(&self, sample: Sample) {
        self.sinks.recorder.record_job(&self.key.target, self.key.check, &sample);
    }
}

impl Observer for JobObserver {
    fn due(&self, time: Duration) {
        // By the clock of the day at this moment: the schedule's own may have fallen behind while the machine slept.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.measure(Sample::new(&metrics::NEXT_RUN, (now + time).as_secs_f64()));
    }

    fn starts(&self, lag: Duration) {
        self.sinks.started(lag);
    }

    fn skipped(&self, skip: Skip, ticks: u64) {
        self.measure(Sample::labelled(&metrics::SKIPPED, [skip.label()], ticks as f64));
    }

    fn backs_off(&self, ticks: u64) {
        let JobKey { target, check, .. } = &self.key;
        tracing::info!(%target, check, ticks, "backs off: so many ticks are left out");
    }
}
