//! From the samples of a run to its measures: the run is the unit, so that each metric has one value a run.

use std::collections::BTreeMap;

use super::dial::failed_phase;
use crate::metrics::{Descriptor, Kind, Sample, Unit};
use crate::model::{Outcome, Phase, RunReport};

/// The median of each metric and its labels over the samples of a run, in the base unit: of all that was observed in
/// a histogram, and of the gauges that no histogram tells of. Keys are as in `name{label="value"}`.
pub(super) fn measures(reports: &[RunReport]) -> BTreeMap<String, f64> {
    medians(reports.iter().flat_map(measured))
}

/// The samples of a report that count.
fn measured(report: &RunReport) -> impl Iterator<Item = &Sample> {
    let failed_phase = failed_phase(report.outcome, &report.timeline);
    report.samples.iter().filter(move |sample| counts(report.outcome, failed_phase, sample))
}

/// Whether a sample tells how long a gateway takes for what it does. The time to a refusal does not: a gateway that is
/// down refuses at once. But the phases before that one were passed, and what a run measured that failed by something
/// else is as true as of one that passed: if only those counted, slowness would hide behind its own failures. What a
/// run measured that found nothing out may be our own doing.
fn counts(outcome: Outcome, failed_phase: Option<Phase>, sample: &Sample) -> bool {
    let of_phase = |phase: Phase| {
        sample.metric.labels == ["phase"] && sample.labels.iter().any(|label| **label == *phase.label())
    };
    match outcome {
        Outcome::Pass => true,
        Outcome::Fail(_) => !failed_phase.is_some_and(of_phase),
        Outcome::Inconclusive(_) | Outcome::Unsupported(_) => false,
    }
}

fn medians<'a>(samples: impl Iterator<Item = &'a Sample>) -> BTreeMap<String, f64> {
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for sample in samples.filter(|sample| is_measure(sample.metric) && sample.value.is_finite()) {
        series.entry(key(sample)).or_default().push(sample.value);
    }
    series.into_iter().filter_map(|(key, values)| Some((key, median(values)?))).collect()
}

fn is_measure(metric: &Descriptor) -> bool {
    match (metric.kind, metric.unit) {
        (Kind::Histogram { .. }, Unit::Seconds | Unit::Bytes) => true,
        // What a run concludes from many samples.
        (Kind::Gauge, Unit::Seconds | Unit::Bytes) => CONCLUSIONS.contains(&metric.name),
        _ => false,
    }
}

/// Gauges that are more than the last value of a histogram.
const CONCLUSIONS: [&str; 1] = ["gateprobe_last_expired_session_close_seconds"];

fn key(sample: &Sample) -> String {
    let labels = sample.metric.labels.iter().zip(&sample.labels);
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    match labels.as_slice() {
        [] => sample.metric.name.to_owned(),
        labels => format!("{}{{{}}}", sample.metric.name, labels.join(",")),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => None,
        0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> &'static Descriptor {
        crate::checks::metrics().into_iter().find(|metric| metric.name == name).unwrap()
    }

    #[test]
    fn a_run_has_one_value_for_each_metric_and_its_labels() {
        let rtt = |level, value| Sample::labelled(metric("gateprobe_heartbeat_rtt_seconds"), [level], value);
        let samples = [
            rtt("protocol", 0.003),
            rtt("protocol", 0.001),
            rtt("protocol", 0.010),
            rtt("application", 0.002),
            rtt("application", 0.004),
            rtt("application", f64::NAN),
            Sample::labelled(metric("gateprobe_last_connect_phase_duration_seconds"), ["tcp"], 0.5),
            Sample::labelled(metric("gateprobe_heartbeat_pings_total"), ["protocol", "lost"], 1.0),
        ];
        let measures = medians(samples.iter());
        let told: Vec<(&str, f64)> = measures.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(
            told,
            [
                ("gateprobe_heartbeat_rtt_seconds{level=\"application\"}", 0.003),
                ("gateprobe_heartbeat_rtt_seconds{level=\"protocol\"}", 0.003),
            ]
        );
    }

    #[test]
    fn the_time_to_a_refusal_is_no_time_of_a_phase() {
        let phase =
            |name| Sample::labelled(metric("gateprobe_connect_phase_duration_seconds"), [name], 0.001);
        let samples = [phase("tcp"), phase("tls"), phase("upgrade")];
        let counted = |outcome| -> Vec<String> {
            let failed = failed_phase(outcome, &Timeline::default());
            let counted = samples.iter().filter(|sample| counts(outcome, failed, sample));
            counted.map(|sample| sample.labels[0].to_string()).collect()
        };
        use crate::model::{Cause, Failure, Timeline, Why};
        assert_eq!(counted(Outcome::Pass), ["tcp", "tls", "upgrade"]);
        assert_eq!(counted(Outcome::Fail(Failure::ConnectRefused)), ["tls", "upgrade"]);
        assert_eq!(counted(Outcome::Fail(Failure::TlsUntrusted)), ["tcp", "upgrade"]);
        assert_eq!(counted(Outcome::Fail(Failure::Unauthorized)), ["tcp", "tls"]);
        assert_eq!(counted(Outcome::Fail(Failure::TooSlow)), ["tcp", "tls", "upgrade"]);
        assert!(counted(Outcome::Inconclusive(Cause::AgentLag)).is_empty());
        assert!(counted(Outcome::Unsupported(Why::Promise)).is_empty());
    }

    #[test]
    fn gauges_that_conclude_something_are_metrics_that_exist() {
        CONCLUSIONS.iter().for_each(|name| assert_eq!(metric(name).kind, Kind::Gauge));
    }
}
