//! What verifications of canaries leave in the metrics. `target` is the canary's, `baseline` the other target's name,
//! and absent without one.

use std::borrow::Cow;

use crate::canary::{ALL_CHECKS, Arm, Decision, FAILURES, Row, RowVerdict, Run, RunOutcome, Verdict};
use crate::metrics::{Descriptor, Kind, LabelValue, Recorder, Sample, Scope, Unit};

/// Every metric of verifications.
pub static METRICS: &[&Descriptor] =
    &[&VERIFICATIONS, &RUNNING, &VERDICT, &VERDICT_TIME, &RUNS, &FAILED, &MEDIAN, &FAILURE_RATIO, &WORSE];

static VERIFICATIONS: Descriptor = Descriptor {
    name: "gateprobe_canary_verifications_total",
    help: "Verifications of canaries that have ended, by verdict.",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["verdict"],
};

static RUNNING: Descriptor = Descriptor {
    name: "gateprobe_canary_running",
    help: "Verifications of canaries in progress.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

static VERDICT: Descriptor = Descriptor {
    name: "gateprobe_canary_last_verdict",
    help: "1 for the verdict of the last verification of this canary, 0 for the other verdicts.",
    scope: Scope::Target,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["baseline", "verdict"],
};

static VERDICT_TIME: Descriptor = Descriptor {
    name: "gateprobe_canary_last_verdict_timestamp_seconds",
    help: "When the last verification of this canary ended.",
    scope: Scope::Target,
    kind: Kind::Gauge,
    unit: Unit::TimestampSeconds,
    labels: &["baseline"],
};

static RUNS: Descriptor = Descriptor {
    name: "gateprobe_canary_runs_total",
    help: "Runs of verifications, by arm and outcome; they are not among those of the schedule.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["baseline", "arm", "outcome"],
};

static FAILED: Descriptor = Descriptor {
    name: "gateprobe_canary_failures_total",
    help: "Failed runs of verifications, by arm and by what the gateway did wrong.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["baseline", "arm", "reason"],
};

static MEDIAN: Descriptor = Descriptor {
    name: "gateprobe_canary_median_seconds",
    help: "The median over the runs of the last verification, by metric; `part` is what else the metric is told apart by.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["baseline", "arm", "metric", "part"],
};

static FAILURE_RATIO: Descriptor = Descriptor {
    name: "gateprobe_canary_failure_ratio",
    help: "The share of the conclusive runs of the last verification that failed.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Ratio,
    labels: &["baseline", "arm"],
};

static WORSE: Descriptor = Descriptor {
    name: "gateprobe_canary_last_worse",
    help: "1 if the last verification found the canary worse in this metric (`failures` for runs that failed), else 0.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["baseline", "metric", "part"],
};

const VERDICTS: [Verdict; 3] = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive];

/// The names of a pair in labels.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) canary: String,
    /// Empty without a baseline.
    pub(super) baseline: String,
}

/// Makes the counters of the agent exist at 0.
pub(super) fn begin(recorder: &Recorder) {
    VERDICTS.iter().for_each(|verdict| {
        recorder.record_agent(&Sample::labelled(&VERIFICATIONS, [verdict.label()], 0.0));
    });
    running(recorder, 0);
}

/// So many are running.
pub(super) fn running(recorder: &Recorder, count: usize) {
    recorder.record_agent(&Sample::new(&RUNNING, count as f64));
}

/// One run has ended.
pub(super) fn ran(recorder: &Recorder, pair: &Pair, run: &Run) {
    let outcome = match run.outcome {
        RunOutcome::Pass => "pass",
        RunOutcome::Fail => "fail",
        RunOutcome::Inconclusive => "inconclusive",
        RunOutcome::Unsupported => "unsupported",
    };
    let count = |metric, word: Cow<'static, str>| {
        let labels = vec![pair.baseline.clone().into(), run.arm.label().into(), word];
        recorder.record_job(&pair.canary, &run.check, &Sample { metric, labels, value: 1.0 });
    };
    count(&RUNS, outcome.into());
    if let (RunOutcome::Fail, Some(reason)) = (run.outcome, &run.reason) {
        count(&FAILED, reason.clone());
    }
}

/// A verification has ended at a time, in seconds since 1970.
pub(super) fn decided(recorder: &Recorder, pair: &Pair, decision: &Decision, at: f64) {
    recorder.record_agent(&Sample::labelled(&VERIFICATIONS, [decision.verdict.label()], 1.0));
    let baseline = || LabelValue::from(pair.baseline.clone());
    for verdict in VERDICTS {
        let value = f64::from(u8::from(verdict == decision.verdict));
        let labels = vec![baseline(), verdict.label().into()];
        recorder.record_target(&pair.canary, &Sample { metric: &VERDICT, labels, value });
    }
    let labels = vec![baseline()];
    recorder.record_target(&pair.canary, &Sample { metric: &VERDICT_TIME, labels, value: at });
    for row in decision.rows.iter().filter(|row| row.check != ALL_CHECKS) {
        let record = |sample: &Sample| recorder.record_job(&pair.canary, &row.check, sample);
        let (metric, part) = split(&row.metric);
        let named = || [LabelValue::from(metric.to_owned()), LabelValue::from(part.clone())];
        // One critical run is enough, though it is too few for the test of failures.
        let critical = |other: &Row| other.check == row.check && other.verdict == RowVerdict::Critical;
        let fails = row.verdict.fails() || metric == FAILURES && decision.rows.iter().any(critical);
        let worse = f64::from(u8::from(fails));
        let labels = [baseline()].into_iter().chain(named()).collect();
        record(&Sample { metric: &WORSE, labels, value: worse });
        for (arm, value) in [(Arm::Baseline, row.baseline), (Arm::Canary, row.canary)] {
            let Some(value) = value else { continue };
            let arm = [baseline(), arm.label().into()].into_iter();
            if metric == FAILURES {
                record(&Sample { metric: &FAILURE_RATIO, labels: arm.collect(), value });
            } else if row.unit == "seconds" {
                record(&Sample { metric: &MEDIAN, labels: arm.chain(named()).collect(), value });
            }
        }
    }
}

/// `name{label="value",other="word"}` as its name and `value,word`.
fn split(series: &str) -> (&str, String) {
    let Some((name, labels)) = series.split_once('{') else { return (series, String::new()) };
    let labels = labels.trim_end_matches('}').split(',');
    let values = labels.filter_map(|label| Some(label.split_once('=')?.1.trim_matches('"')));
    (name, values.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_told_apart_by_the_values_of_its_labels() {
        assert_eq!(split("gateprobe_x_seconds"), ("gateprobe_x_seconds", String::new()));
        assert_eq!(
            split("gateprobe_x_seconds{level=\"protocol\",stat=\"p50\"}"),
            ("gateprobe_x_seconds", "protocol,p50".to_owned())
        );
    }
}
