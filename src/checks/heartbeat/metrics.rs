//! What `heartbeat` measures.

use super::config::Heartbeat;
use super::judge::{Seen, stats, tally};
use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
use crate::session::{Level, Visit};

/// Round-trip times.
pub static RTT: Descriptor = Descriptor {
    name: "gateprobe_heartbeat_rtt_seconds",
    help: "Round-trip time of our pings, by level: ping frames, or the dialect's heartbeat messages.",
    scope: Scope::Job,
    kind: Kind::Histogram {
        buckets: &[
            0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        ],
    },
    unit: Unit::Seconds,
    labels: &["level"],
};

/// Round-trip times of the last run.
pub static LAST_RTT: Descriptor = Descriptor {
    name: "gateprobe_last_heartbeat_rtt_seconds",
    help: "Round-trip time of our pings in the last run: its mean, p50, p95, p99 and max.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["level", "stat"],
};

/// Jitter of the last run.
pub static LAST_JITTER: Descriptor = Descriptor {
    name: "gateprobe_last_heartbeat_jitter_seconds",
    help: "Interarrival jitter (RFC 3550) of the round-trip times in the last run, on its worst connection.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["level"],
};

/// Pings by what became of them.
pub static PINGS: Descriptor = Descriptor {
    name: "gateprobe_heartbeat_pings_total",
    help: "Our pings by what became of them; duplicated and mismatched count answers.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["level", "result"],
};

/// The gateway's own beat.
pub static LAST_BEAT: Descriptor = Descriptor {
    name: "gateprobe_last_heartbeat_server_interval_seconds",
    help: "The interval of the gateway's own heartbeat in the last run that saw two beats.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["level"],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] = &[&RTT, &LAST_RTT, &LAST_JITTER, &PINGS, &LAST_BEAT];

/// The series that exist at 0 from the start.
pub(super) fn expected(levels: &[Level]) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let mut series = Vec::new();
    for level in levels {
        series.push((&RTT, vec![level.label().into()]));
        for result in ["answered", "lost", "superseded", "duplicated", "mismatched"] {
            series.push((&PINGS, vec![level.label().into(), result.into()]));
        }
    }
    series
}

/// Keeps what was seen, well or not.
pub(super) fn keep(visit: &Visit, check: &Heartbeat, levels: &[Level], seen: &[Seen]) {
    for level in levels {
        let (label, stats, tally) = (level.label(), stats(seen, *level), tally(check, seen, *level));
        for rtt in stats.times() {
            visit.measure(Sample::labelled(&RTT, [label], rtt.as_secs_f64()));
        }
        let figures = [
            ("mean", stats.mean()),
            ("p50", stats.quantile(0.5)),
            ("p95", stats.quantile(0.95)),
            ("p99", stats.quantile(0.99)),
            ("max", stats.max()),
        ];
        for (stat, value) in figures {
            if let Some(value) = value {
                visit.measure(Sample::labelled(&LAST_RTT, [label, stat], value.as_secs_f64()));
            }
        }
        if let Some(jitter) = stats.jitter() {
            visit.measure(Sample::labelled(&LAST_JITTER, [label], jitter.as_secs_f64()));
        }
        let results = [
            ("answered", tally.answered),
            ("lost", tally.lost),
            ("superseded", tally.superseded),
            ("duplicated", tally.duplicated),
            ("mismatched", tally.mismatched),
        ];
        for (result, count) in results {
            visit.measure(Sample::labelled(&PINGS, [label, result], count as f64));
        }
    }
    // The first one is the one that listens, where there is something to listen to.
    for beats in seen.iter().take(1).flat_map(|seen| &seen.beats) {
        if let Some(interval) = beats.intervals().last() {
            visit.measure(Sample::labelled(&LAST_BEAT, [beats.level.label()], interval.as_secs_f64()));
        }
    }
}
