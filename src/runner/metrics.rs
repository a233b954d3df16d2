//! The metrics of every run, whatever the check.

use std::time::{Duration, SystemTime};

use crate::metrics::{Descriptor, Kind, Sample, Scope, Unit};
use crate::model::Outcome;

/// Runs by outcome.
pub static RUNS: Descriptor = Descriptor {
    name: "gateprobe_check_runs_total",
    help: "Finished runs by outcome; the error ratio is fail / (pass + fail).",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["outcome"],
};

/// Failed runs by reason.
pub static FAILURES: Descriptor = Descriptor {
    name: "gateprobe_check_failures_total",
    help: "Failed runs by what the gateway did wrong.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["reason"],
};

/// Failed runs, by what is wrong today.
pub static ACUTE_FAILURES: Descriptor = Descriptor {
    name: "gateprobe_check_acute_failures_total",
    help: "Runs that failed by what is wrong today: all but those that only found a certificate that expires soon (tls_expires_soon).",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &[],
};

/// Inconclusive runs by cause.
pub static INCONCLUSIVE: Descriptor = Descriptor {
    name: "gateprobe_check_inconclusive_total",
    help: "Inconclusive runs by their cause.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["cause"],
};

/// Run time.
pub static DURATION: Descriptor = Descriptor {
    name: "gateprobe_check_duration_seconds",
    help: "How long runs took, whatever their outcome.",
    scope: Scope::Job,
    kind: Kind::Histogram {
        buckets: &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0],
    },
    unit: Unit::Seconds,
    labels: &[],
};

/// Run time of the last run.
pub static LAST_DURATION: Descriptor = Descriptor {
    name: "gateprobe_last_check_duration_seconds",
    help: "How long the last run took, whatever its outcome.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// 1 or 0.
pub static LAST_SUCCESS: Descriptor = Descriptor {
    name: "gateprobe_last_check_success",
    help: "1 if the last conclusive run passed, 0 if it failed; inconclusive runs leave it as it was.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// 1 or 0.
pub static LAST_ACUTE_FAILURE: Descriptor = Descriptor {
    name: "gateprobe_last_check_acute_failure",
    help: "1 if the last conclusive run failed by what is wrong today, 0 if it passed, or only found a certificate that expires soon (tls_expires_soon).",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// When the last run ended.
pub static LAST_RUN: Descriptor = Descriptor {
    name: "gateprobe_check_last_run_timestamp_seconds",
    help: "When the last run ended, whatever its outcome.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::TimestampSeconds,
    labels: &[],
};

/// Every metric of the runner.
pub static METRICS: &[&Descriptor] = &[
    &RUNS,
    &FAILURES,
    &ACUTE_FAILURES,
    &INCONCLUSIVE,
    &DURATION,
    &LAST_DURATION,
    &LAST_SUCCESS,
    &LAST_ACUTE_FAILURE,
    &LAST_RUN,
];

/// What every run measures of itself.
pub(super) fn samples(outcome: Outcome, duration: Duration, ended: SystemTime) -> Vec<Sample> {
    let ended = ended.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut samples = vec![
        Sample::labelled(&RUNS, [outcome.label()], 1.0),
        Sample::new(&DURATION, duration.as_secs_f64()),
        Sample::new(&LAST_DURATION, duration.as_secs_f64()),
        Sample::new(&LAST_RUN, ended.as_secs_f64()),
    ];
    match outcome {
        Outcome::Pass => {
            samples.extend([Sample::new(&LAST_SUCCESS, 1.0), Sample::new(&LAST_ACUTE_FAILURE, 0.0)])
        }
        Outcome::Fail(failure) => {
            let acute = f64::from(u8::from(failure.is_acute()));
            samples.extend([
                Sample::labelled(&FAILURES, [failure.reason()], 1.0),
                Sample::new(&ACUTE_FAILURES, acute),
                Sample::new(&LAST_SUCCESS, 0.0),
                Sample::new(&LAST_ACUTE_FAILURE, acute),
            ]);
        }
        Outcome::Inconclusive(cause) => samples.push(Sample::labelled(&INCONCLUSIVE, [cause.reason()], 1.0)),
        Outcome::Unsupported(_) => {}
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Failure};

    #[test]
    fn a_certificate_that_expires_soon_fails_a_run_and_is_no_acute_failure() {
        let of = |outcome, metric: &Descriptor| {
            let samples = samples(outcome, Duration::ZERO, SystemTime::UNIX_EPOCH);
            samples.iter().find(|sample| std::ptr::eq(sample.metric, metric)).map(|sample| sample.value)
        };
        for (outcome, success, acute, failures) in [
            (Outcome::Pass, Some(1.0), Some(0.0), None),
            (Outcome::Fail(Failure::TlsExpiresSoon), Some(0.0), Some(0.0), Some(0.0)),
            (Outcome::Fail(Failure::ConnectRefused), Some(0.0), Some(1.0), Some(1.0)),
            (Outcome::Inconclusive(Cause::EgressLost), None, None, None),
        ] {
            assert_eq!(of(outcome, &LAST_SUCCESS), success, "{outcome}");
            assert_eq!(of(outcome, &LAST_ACUTE_FAILURE), acute, "{outcome}");
            assert_eq!(of(outcome, &ACUTE_FAILURES), failures, "{outcome}");
        }
    }
}
