//! The jobs in force, and what a reload changes of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::metrics;
use super::sinks::Sinks;
use super::{Agent, lock};
use crate::config::Plan;
use crate::metrics::Sample;
use crate::model::{JobKey, Pause};
use crate::runner::Job;
use crate::schedule::{Cadence, Driver, Observer, Skip};
use crate::session::Budget;

/// A job of the plan, ready to be driven.
pub(super) struct Ready {
    job: Arc<Job>,
    pauses: Vec<Pause>,
    every_peer: bool,
}

/// A job that is being driven.
#[derive(Debug)]
pub(super) struct Driven {
    key: JobKey,
    stop: CancellationToken,
}

/// The jobs in force.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    driven: HashMap<(Arc<str>, &'static str), Driven>,
    budgets: HashMap<Arc<str>, Arc<Budget>>,
}

/// What a reload changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub new: usize,
    pub kept: usize,
    pub gone: usize,
}

impl Jobs {
    /// Stops what is gone or has changed, spawns what is new, leaves alone what is the same.
    pub(super) fn become_those_of(
        &mut self,
        plan: &Plan,
        mut spawn: impl FnMut(Ready) -> CancellationToken,
    ) -> Changed {
        let mut changed = Changed::default();
        let mut before = std::mem::take(&mut self.driven);
        self.keep_budgets(plan);
        for planned in &plan.jobs {
            let name = (Arc::clone(&planned.target), planned.spec.kind());
            let Some(target) = plan.target(&planned.target) else { continue };
            let key = JobKey {
                target: Arc::clone(&planned.target),
                check: planned.spec.kind(),
                config_hash: planned.config_hash,
            };
            match before.remove(&name) {
                Some(driven) if driven.key == key => {
                    changed.kept += 1;
                    self.driven.insert(name, driven);
                    continue;
                }
                Some(driven) => driven.stop.cancel(),
                None => {}
            }
            changed.new += 1;
            let budget = Arc::clone(&self.budgets[&planned.target]);
            let job = Job {
                key: key.clone(),
                target: Arc::clone(&target.target),
                spec: planned.spec.clone(),
                budget,
            };
            let every_peer = target.target.resolve_all;
            let ready = Ready { job: Arc::new(job), pauses: target.pauses.clone(), every_peer };
            self.driven.insert(name, Driven { key, stop: spawn(ready) });
        }
        changed.gone = before.len();
        before.into_values().for_each(|driven| driven.stop.cancel());
        changed
    }

    /// A target's budget outlives a reload that does not change it: what was spent stays spent.
    fn keep_budgets(&mut self, plan: &Plan) {
        let mut before = std::mem::take(&mut self.budgets);
        for target in &plan.targets {
            let name = Arc::clone(&target.target.name);
            let kept = before.remove(&name).filter(|budget| budget.limits() == target.limits);
            self.budgets.insert(name, kept.unwrap_or_else(|| Arc::new(Budget::new(target.limits))));
        }
    }

    /// The budget of a configured target.
    pub(super) fn budget(&self, target: &str) -> Option<Arc<Budget>> {
        self.budgets.get(target).map(Arc::clone)
    }
}

impl Agent {
    /// Drives a job until the agent or the job is stopped.
    pub(super) fn spawn(self: &Arc<Self>, ready: Ready) -> CancellationToken {
        let Ready { job, pauses, every_peer } = ready;
        let stop = self.stop.child_token();
        self.sinks.precreate(&job.key.target, &job.spec, every_peer);
        let interval = job.spec.interval().get();
        let (target, check) = (Arc::clone(&job.key.target), job.key.check);
        let observer = JobObserver { sinks: Arc::clone(&self.sinks), target: Arc::clone(&target), check };
        observer.measure(Sample::new(&metrics::INTERVAL, interval.as_secs_f64()));
        let driver = Driver { cadence: Cadence::new(interval, &target, check, &self.replica), clock: self.clock };
        let (agent, job_stop) = (Arc::clone(self), stop.clone());
        self.tasks.spawn(async move {
            let paused = |now: Duration| {
                let paused = paused(&pauses, now);
                let flag = f64::from(u8::from(paused));
                agent.sinks.recorder.record_target(&target, &Sample::new(&metrics::PAUSED, flag));
                paused
            };
            driver.drive(&observer, paused, || agent.run(&job, &job_stop), &job_stop).await;
        });
        stop
    }

    /// One scheduled run. A job that a reload removed is cut short at once, the agent's shutdown grants its grace.
    async fn run(&self, job: &Job, job_stop: &CancellationToken) {
        let runner = self.runner.load_full();
        let cut = self.cut.child_token();
        let removed = async {
            job_stop.cancelled().await;
            if !self.stop.is_cancelled() {
                cut.cancel();
            }
            std::future::pending::<()>().await;
        };
        self.sinks.recorder.record_agent(&Sample::new(&metrics::RUNNING, self.running(1)));
        let reports = tokio::select! {
            reports = runner.run(job, &cut) => reports,
            () = removed => Vec::new(),
        };
        self.sinks.recorder.record_agent(&Sample::new(&metrics::RUNNING, self.running(-1)));
        for report in reports {
            self.sinks.record(report);
        }
    }

    /// The budget that a run of this target shares with the scheduled ones.
    pub(super) fn budget(&self, target: &str) -> Option<Arc<Budget>> {
        lock(&self.jobs).budget(target)
    }
}

/// Whether any of a target's pauses covers this time since 1970.
fn paused(pauses: &[Pause], now: Duration) -> bool {
    let now = Timestamp::new(now.as_secs() as i64, now.subsec_nanos() as i32);
    now.is_ok_and(|now| pauses.iter().any(|pause| pause.covers(now)))
}

struct JobObserver {
    sinks: Arc<Sinks>,
    target: Arc<str>,
    check: &'static str,
}

impl JobObserver {
    fn measure(&self, sample: Sample) {
        self.sinks.recorder.record_job(&self.target, self.check, &sample);
    }
}

impl Observer for JobObserver {
    fn starts(&self, lag: Duration) {
        self.sinks.started(lag);
    }

    fn skipped(&self, skip: Skip, ticks: u64) {
        self.measure(Sample::labelled(&metrics::SKIPPED, [skip.label()], ticks as f64));
    }
}
