//! Where every report goes, synchronously and at once: metrics, history, tally, log. Exporters read them.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::metrics;
use super::tally::{self, Tally};
use crate::checks::CheckSpec;
use crate::config::Plan;
use crate::metrics::{Recorder, Sample};
use crate::model::{Cause, Failure, Outcome, RunReport};
use crate::runner;
use crate::schedule::Skip;
use crate::store::History;

/// The bounded sinks of every report.
#[derive(Debug)]
pub struct Sinks {
    /// Metrics.
    pub recorder: Recorder,
    /// The last runs of each job.
    pub history: History,
    tally: Tally,
}

impl Sinks {
    pub(super) fn new(recorder: Recorder, history: History) -> Self {
        let sinks = Self { recorder, history, tally: Tally::default() };
        for result in ["success", "failure"] {
            sinks.recorder.record_agent(&Sample::labelled(&metrics::RELOADS, [result], 0.0));
        }
        sinks
    }

    /// Hands a report to all of them.
    pub(super) fn record(&self, mut report: RunReport) {
        let change = self.tally.count(&report);
        let failures = f64::from(change.consecutive_failures);
        report.samples.push(Sample::new(&metrics::CONSECUTIVE_FAILURES, failures));
        tally::log(&report, change);
        self.recorder.record(&report);
        self.history.record(&report);
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
        self.recorder.record_agent(&Sample::new(&metrics::SCHEDULER_LAG, lag.as_secs_f64()));
    }

    /// Makes every counter of a job exist at 0: one that first appears at 1 is invisible to `rate()`.
    pub(super) fn precreate(&self, target: &str, spec: &CheckSpec, every_peer: bool) {
        let check = spec.kind();
        let label = |text: &'static str| vec![Cow::Borrowed(text)];
        let mut series = Vec::new();
        // Where each peer has series of its own, those without a peer would stay at 0 for ever.
        if !every_peer {
            series.extend(Outcome::LABELS.iter().map(|outcome| (&runner::metrics::RUNS, label(outcome))));
            let failures = Failure::ALL.iter().filter(|failure| spec.can_fail_with(**failure));
            series.extend(failures.map(|f| (&runner::metrics::FAILURES, label(f.reason()))));
            series.extend(Cause::ALL.iter().map(|c| (&runner::metrics::INCONCLUSIVE, label(c.reason()))));
            series.push((&runner::metrics::DURATION, Vec::new()));
        }
        series.extend(Skip::ALL.iter().map(|skip| (&metrics::SKIPPED, label(skip.label()))));
        self.recorder.precreate(target, check, None, series);
    }

    /// Forgets what is not in the plan.
    pub(super) fn keep_only(&self, plan: &Plan) {
        let names = |plan: &Plan| -> std::collections::HashSet<(String, Option<&'static str>)> {
            let jobs = plan.jobs.iter().map(|job| (job.target.to_string(), Some(job.spec.kind())));
            let targets = plan.targets.iter().map(|target| (target.target.name.to_string(), None));
            jobs.chain(targets).collect()
        };
        let keep = std::sync::Arc::new(names(plan));
        let of = |keep: &std::sync::Arc<std::collections::HashSet<(String, Option<&'static str>)>>| {
            let keep = std::sync::Arc::clone(keep);
            move |target: &str, check: Option<&str>| {
                keep.iter().any(|(name, kind)| name == target && (*kind).map(|k| k as &str) == check)
            }
        };
        let (recorder, history, tally) = (of(&keep), of(&keep), of(&keep));
        self.recorder.retain(recorder);
        self.history.retain(move |target, check| history(target, Some(check)));
        self.tally.retain(|target, check| tally(target, Some(check)));
        let info = plan.targets.iter().map(|t| (t.target.name.to_string(), t.target.labels.clone()));
        self.recorder.set_target_info(info.collect());
    }
}
