//! The jobs in force, and what a reload changes of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::metrics;
use super::setup::Setup;
use super::sinks::Sinks;
use super::standing::Standing;
use super::{Agent, lock};
use crate::config;
use crate::http::{ReloadSummary, Which};
use crate::metrics::Sample;
use crate::model::JobKey;
use crate::runner::Job;
use crate::schedule::{Cadence, Driver, Observer, Skip, Wish};
use crate::session::{Budget, Limits, OpenConnections};
use crate::store::News;

/// A job of the plan, ready to be driven.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    job: Arc<Job>,
    target: Arc<config::Target>,
    standing: Arc<Standing>,
}

/// A job that is being driven.
#[derive(Debug)]
pub(super) struct Driven {
    pub(super) key: JobKey,
    pub(super) job: Arc<Job>,
    pub(super) target: Arc<config::Target>,
    pub(super) standing: Arc<Standing>,
    leave: Leave,
}

/// Ends a job, which is gone or has changed: no new runs, the one in progress is cut short. Nothing is made of what it
/// has found out, since it tells of what is not in force any more.
#[derive(Debug)]
pub(super) struct Leave {
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Leave {
    fn now(&self) {
        self.stop.cancel();
        self.cut.cancel();
    }
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
        mut spawn: impl FnMut(Ready) -> Leave,
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
                    driven.leave.now();
                }
                None => summary.added += 1,
            }
            let job = self.budgets.get(&key.target).and_then(|budget| setup.job(planned, budget));
            let Some(job) = job else { continue };
            let (job, target) = (Arc::new(job), Arc::clone(&planned.target));
            let ready = Ready { job, target, standing: Arc::default() };
            let leave = spawn(ready.clone());
            let Ready { job, target, standing } = ready;
            self.driven.insert(name, Driven { key: key.clone(), job, target, standing, leave });
        }
        summary.removed = before.len();
        before.into_values().for_each(|driven| driven.leave.now());
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
    /// A job that is being driven.
    pub(super) fn get(&self, key: &JobKey) -> Option<&Driven> {
        self.driven.get(&(Arc::clone(&key.target), key.check))
    }

    /// Those that a change is about.
    pub(super) fn chosen(&self, which: &Which) -> Vec<&Driven> {
        let check = which.check.as_deref();
        let all = self.driven.values();
        all.filter(|driven| *driven.key.target == *which.target)
            .filter(|driven| check.is_none_or(|check| check == driven.key.check))
            .collect()
    }

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
    /// Drives a job until the agent is stopped or the job is gone; then its held connections say goodbye.
    pub(super) fn spawn(self: &Arc<Self>, ready: Ready) -> Leave {
        let Ready { job, target, standing } = ready;
        self.sinks.precreate(&job, None);
        let interval = job.spec.interval().get();
        let observer = JobObserver {
            sinks: Arc::clone(&self.sinks),
            key: job.key.clone(),
            standing: Arc::clone(&standing),
        };
        observer.measure(Sample::new(&metrics::INTERVAL, interval.as_secs_f64()));
        observer.paused(self.target_paused(&target, self.wall()));
        let cadence = Cadence::new(interval, &job.key.target, job.key.check, &self.replica);
        let driver = Driver { cadence, clock: self.clock, backs_off: job.spec.is_intrusive() };
        let agent = Arc::clone(self);
        let (stop, cut) = (self.stop.child_token(), self.cut.child_token());
        let leave = Leave { stop: stop.clone(), cut: cut.clone() };
        self.tasks.spawn(async move {
            let paused = |_now: Duration| {
                let now = agent.wall();
                observer.paused(agent.target_paused(&target, now));
                let paused = target.paused_until(now).is_some()
                    || agent.pauses.until(&job.key.target, job.key.check, now).is_some();
                if paused {
                    job.shelf.release();
                }
                paused
            };
            let run = || agent.run(&job, &cut);
            driver.drive(&observer, paused, run, &standing.turn, &stop).await;
            job.shelf.let_go().await;
        });
        leave
    }

    /// One scheduled run.
    async fn run(&self, job: &Job, cut: &CancellationToken) -> Wish {
        let setup = self.setup.load_full();
        let JobKey { target, check, .. } = &job.key;
        self.sinks.history.feed().tell(News::Job { target: Arc::clone(target), check });
        let _running = self.sinks.running();
        let reports = setup.runner.run(job, cut).await;
        let patience = reports.iter().any(|report| report.outcome.asks_for_patience());
        self.sinks.record_run(job, reports);
        if patience { Wish::Patience } else { Wish::GoOn }
    }

    /// The budget that a run of this target shares with the scheduled ones.
    pub(super) fn budget(&self, target: &str) -> Option<Arc<Budget>> {
        lock(&self.jobs).budgets.get(target).map(Arc::clone)
    }
}

struct JobObserver {
    sinks: Arc<Sinks>,
    key: JobKey,
    standing: Arc<Standing>,
}

impl JobObserver {
    fn measure(&self, sample: Sample) {
        let JobKey { target, check, .. } = &self.key;
        self.sinks.while_kept(&self.key, || self.sinks.recorder.record_job(target, check, &sample));
    }

    fn paused(&self, paused: bool) {
        let sample = Sample::new(&metrics::PAUSED, f64::from(u8::from(paused)));
        self.sinks.while_kept(&self.key, || self.sinks.recorder.record_target(&self.key.target, &sample));
    }
}

impl Observer for JobObserver {
    fn due(&self, time: Duration) {
        // By the clock of the day at this moment: the schedule's own may have fallen behind while the machine slept.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.measure(Sample::new(&metrics::NEXT_RUN, (now + time).as_secs_f64()));
        self.standing.due(SystemTime::UNIX_EPOCH + now + time);
    }

    fn starts(&self, lag: Duration) {
        self.sinks.started(lag);
    }

    fn skipped(&self, skip: Skip, ticks: u64) {
        self.measure(Sample::labelled(&metrics::SKIPPED, [skip.label()], ticks as f64));
        if skip == Skip::Backoff {
            self.standing.left_out_one();
        }
    }

    fn backs_off(&self, ticks: u64) {
        let JobKey { target, check, .. } = &self.key;
        self.standing.leave_out(ticks);
        tracing::info!(%target, check, ticks, "backs off: so many ticks are left out");
    }
}
