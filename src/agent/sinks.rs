//! Where every report goes, synchronously and at once: metrics, history, tally, log. Exporters read them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use super::exports;
use super::metrics;
use super::tally::{self, Tally};
use crate::config::{self, Plan, Shard};
use crate::export::Exports;
use crate::metrics::{Descriptor, Recorder, Sample};
use crate::model::{Cause, Failure, JobKey, Outcome, RunReport};
use crate::runner::{self, Job};
use crate::schedule::Skip;
use crate::store::History;

/// What each run says anew.
const OF_THE_LAST_RUN: [&Descriptor; 7] = [
    &metrics::CONSECUTIVE_FAILURES,
    &metrics::CONSECUTIVE_ACUTE_FAILURES,
    &metrics::CONSECUTIVE_INCONCLUSIVE,
    &runner::metrics::LAST_SUCCESS,
    &runner::metrics::LAST_ACUTE_FAILURE,
    &runner::metrics::LAST_DURATION,
    &runner::metrics::LAST_RUN,
];

/// How long a late start is told of.
const LATELY: Duration = Duration::from_secs(60);

/// The bounded sinks of every report.
#[derive(Debug)]
pub struct Sinks {
    /// Metrics.
    pub recorder: Arc<Recorder>,
    /// The last runs of each job.
    pub history: Arc<History>,
    tally: Tally,
    exports: Option<Exports>,
    running: AtomicI64,
    /// The worst lateness of the last minute or two, and when it was.
    late: Mutex<Option<(Instant, Duration)>>,
    /// Whoever writes of a job holds it: what a reload has removed must not come back by a late word.
    kept: RwLock<Kept>,
}

/// A run in progress, for as long as this lives.
pub(super) struct Running<'a>(&'a Sinks);

impl Sinks {
    pub(super) fn new(recorder: Arc<Recorder>, history: History, exports: Option<Exports>) -> Self {
        for result in ["success", "failure"] {
            recorder.record_agent(&Sample::labelled(&metrics::RELOADS, [result], 0.0));
        }
        recorder.record_agent(&Sample::new(&metrics::RUNNING, 0.0));
        let history = Arc::new(history);
        Self {
            recorder,
            history,
            tally: Tally::default(),
            exports,
            running: AtomicI64::new(0),
            late: Mutex::default(),
            kept: RwLock::default(),
        }
    }

    /// Hands a report to all of them.
    fn record(&self, job: &Job, mut report: RunReport) {
        let change = self.tally.count(&report);
        let failures = f64::from(change.consecutive_failures);
        report.samples.push(Sample::new(&metrics::CONSECUTIVE_FAILURES, failures));
        let acute = f64::from(change.consecutive_acute_failures);
        report.samples.push(Sample::new(&metrics::CONSECUTIVE_ACUTE_FAILURES, acute));
        let inconclusive = f64::from(change.consecutive_inconclusive);
        report.samples.push(Sample::new(&metrics::CONSECUTIVE_INCONCLUSIVE, inconclusive));
        tally::log(&report, change);
        self.recorder.record(&report);
        self.history.record(&report);
        if let Some(exports) = &self.exports {
            exports.record(&report, &exports::server(&job.target), self.recorder.location());
        }
    }

    /// How much later than due a run started within the last minute, at worst.
    pub(super) fn lateness(&self) -> Duration {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.filter(|(at, _)| at.elapsed() <= LATELY).map_or(Duration::ZERO, |(_, worst)| worst)
    }

    /// Failed runs in a row of each job that has any.
    pub(super) fn failing(&self) -> HashMap<(Arc<str>, &'static str), u32> {
        self.tally.failing()
    }

    /// The signals whose last export failed.
    pub(super) fn failing_exports(&self) -> Vec<&'static str> {
        self.exports.as_ref().map(Exports::failing).unwrap_or_default()
    }

    /// Exports what there is, within that time, and exports no more.
    pub(super) async fn finish_exports(&self, within: Duration) {
        if let Some(exports) = &self.exports {
            exports.finish(within).await;
        }
    }

    /// Writes down a load of the config.
    pub(super) fn loaded(&self, success: bool) {
        let result = if success { "success" } else { "failure" };
        self.recorder.record_agent(&Sample::labelled(&metrics::RELOADS, [result], 1.0));
        let flag = f64::from(u8::from(success));
        self.recorder.record_agent(&Sample::new(&metrics::RELOAD_SUCCESS, flag));
        if success {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.recorder.record_agent(&Sample::new(&metrics::RELOAD_TIME, now.as_secs_f64()));
        }
    }

    /// A run started so much later than it was due.
    pub(super) fn started(&self, lag: Duration) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if late.is_none_or(|(at, worst)| lag >= worst || at.elapsed() > LATELY) {
            *late = Some((Instant::now(), lag));
        }
        drop(late);
        self.recorder.record_agent(&Sample::new(&metrics::SCHEDULER_LAG, lag.as_secs_f64()));
    }

    /// A run is in progress until what this returns is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        self.count_running(1);
        Running(self)
    }

    fn count_running(&self, change: i64) {
        let running = self.running.fetch_add(change, Ordering::Relaxed) + change;
        self.recorder.record_agent(&Sample::new(&metrics::RUNNING, running as f64));
    }

    /// Makes every counter and histogram of a job exist at 0: one that first appears at 1 is invisible to `rate()`.
    pub(super) fn precreate(&self, job: &Job, peer: Option<&str>) {
        let Job { key, target, spec, .. } = job;
        let label = |text: &'static str| vec![Cow::Borrowed(text)];
        let mut series = Vec::new();
        // Where each peer has series of its own, those without a peer would stay at 0 for ever.
        if target.resolve_all == peer.is_some() {
            series.extend(Outcome::LABELS.iter().map(|outcome| (&runner::metrics::RUNS, label(outcome))));
            let failures = Failure::ALL.iter().filter(|failure| spec.can_fail_as(**failure));
            series.extend(failures.map(|failure| (&runner::metrics::FAILURES, label(failure.reason()))));
            series.push((&runner::metrics::ACUTE_FAILURES, Vec::new()));
            let causes = Cause::ALL.iter();
            series.extend(causes.map(|cause| (&runner::metrics::INCONCLUSIVE, label(cause.reason()))));
            series.push((&runner::metrics::DURATION, Vec::new()));
            series.extend(spec.series_at_zero(target));
        }
        if peer.is_none() {
            series.extend(Skip::ALL.iter().map(|skip| (&metrics::SKIPPED, label(skip.label()))));
        }
        self.recorder.precreate(&key.target, key.check, peer, series);
    }

    /// Does something for a job that is in force as it is here, and nothing for one that is gone or has changed.
    pub(super) fn while_kept(&self, key: &JobKey, record: impl FnOnce()) {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if kept.has(key) {
            record();
        }
    }

    /// Hands over the reports of one run of a job, if it is still in force. Where each address has its own, those that are new get
    /// their counters, and the series of those that are gone go.
    pub(super) fn record_run(&self, job: &Job, reports: Vec<RunReport>) {
        self.while_kept(&job.key, || self.record_all(job, reports));
    }

    fn record_all(&self, job: &Job, reports: Vec<RunReport>) {
        let peers: Vec<&str> = reports.iter().filter_map(|report| report.peer.as_deref()).collect();
        if !peers.is_empty() {
            let (new, nameless) = self.tally.become_peers(&job.key, &peers);
            new.iter().for_each(|peer| self.precreate(job, Some(peer)));
            if nameless {
                // The name resolves again: what failed for want of an address is over.
                self.recorder.forget_nameless(&OF_THE_LAST_RUN, &job.key.target, job.key.check);
            }
            self.recorder.retain_peers(&job.key.target, |peer| peers.contains(&peer));
        }
        reports.into_iter().for_each(|report| self.record(job, report));
    }

    /// Shows which of several agents this is, and how many it counts upon.
    pub(super) fn show_shard(&self, shard: Option<Shard>) {
        let Some(Shard { index, shards }) = shard else { return };
        for each in 0..shards {
            let flag = f64::from(u8::from(each == index));
            let labels = vec![Cow::Owned(each.to_string())];
            self.recorder.record_agent(&Sample { metric: &metrics::SHARD, labels, value: flag });
        }
    }

    /// Shows what the jobs of the plan want of their gateways, where they say so, and of those only.
    pub(super) fn show_wishes(&self, plan: &Plan) {
        let objective = |job: &config::Job| Some(job.slo?.objective);
        let period = |job: &config::Job| Some(job.slo?.period.as_secs_f64());
        let validity = |job: &config::Job| Some(job.check.certificate_min_validity()?.as_secs_f64());
        self.show_wish(plan, &metrics::SLO_OBJECTIVE, objective);
        self.show_wish(plan, &metrics::SLO_PERIOD, period);
        self.show_wish(plan, &metrics::CERTIFICATE_MIN_VALIDITY, validity);
    }

    fn show_wish(
        &self,
        plan: &Plan,
        metric: &'static Descriptor,
        wish: impl Fn(&config::Job) -> Option<f64>,
    ) {
        self.recorder.retain_jobs(metric, |target, check| {
            let mut jobs = plan.jobs.iter();
            jobs.find(|job| &*job.key.target == target && job.key.check == check).and_then(&wish).is_some()
        });
        for job in &plan.jobs {
            if let Some(value) = wish(job) {
                self.recorder.record_job(&job.key.target, job.key.check, &Sample::new(metric, value));
            }
        }
    }

    /// Forgets what is not in the plan, and hears nothing more of it.
    pub(super) fn keep_only(&self, plan: &Plan) {
        let mut in_force = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let kept = Kept::of(plan);
        *in_force = kept.clone();
        let (for_metrics, for_history) = (kept.clone(), kept.clone());
        self.recorder.retain(move |target, check| match check {
            Some(check) => for_metrics.has_job(target, check),
            None => for_metrics.has_target(target),
        });
        self.history.retain(move |target, check| for_history.has_job(target, check));
        self.tally.retain(|target, check| kept.has_job(target, check));
        if let Some(exports) = &self.exports {
            exports.set_targets(plan.watched().count());
        }
        let labels = plan.watched().map(|target| (target.name.to_string(), target.settings.labels.clone()));
        self.recorder.set_target_info(labels.collect());
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.count_running(-1);
    }
}

/// What may have series and history: the hash of each job, by the target's name and the check's.
#[derive(Debug, Default, Clone)]
struct Kept(Arc<HashMap<Arc<str>, HashMap<&'static str, u64>>>);

impl Kept {
    fn of(plan: &Plan) -> Self {
        let mut kept: HashMap<Arc<str>, HashMap<&'static str, u64>> =
            plan.watched().map(|target| (Arc::clone(&target.name), HashMap::new())).collect();
        for config::Job { key, .. } in &plan.jobs {
            kept.entry(Arc::clone(&key.target)).or_default().insert(key.check, key.config_hash);
        }
        Self(Arc::new(kept))
    }

    fn has_target(&self, target: &str) -> bool {
        self.0.contains_key(target)
    }

    fn has_job(&self, target: &str, check: &str) -> bool {
        self.0.get(target).is_some_and(|checks| checks.contains_key(check))
    }

    fn has(&self, key: &JobKey) -> bool {
        self.0.get(&key.target).and_then(|checks| checks.get(key.check)) == Some(&key.config_hash)
    }
}
