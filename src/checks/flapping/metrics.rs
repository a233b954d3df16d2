//! What `flapping` measures.

use std::time::Duration;

use super::cycles::{Load, Round};
use super::drift::Trend;
use super::growth::Growth;
use super::judge::Seen;
use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
use crate::model::{Cause, Failure, Outcome};
use crate::session::{Observed, Visit};

/// Cycles by what became of them.
pub static CYCLES: Descriptor = Descriptor {
    name: "gateprobe_flap_cycles_total",
    help: "Connections of clients that come and go, by what became of them.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["result"],
};

/// Connect times.
pub static CONNECT: Descriptor = Descriptor {
    name: "gateprobe_flap_connect_seconds",
    help: "How long a client that came back took to connect, from dns to the 101, without our own waits; one client alone, or several at once.",
    scope: Scope::Job,
    kind: Kind::Histogram {
        buckets: &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0],
    },
    unit: Unit::Seconds,
    labels: &["load"],
};

/// The last connections against the first.
pub static LAST_DRIFT: Descriptor = Descriptor {
    name: "gateprobe_last_flap_drift",
    help: "The median connect time of the last quarter of the last run, divided by that of the first.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["load"],
};

/// The rise of the connect time.
pub static LAST_RISE: Descriptor = Descriptor {
    name: "gateprobe_last_flap_rise_seconds",
    help: "By how much the connect time rose over the last run, by a robust slope; negative where it fell.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["load"],
};

/// What the gateway says of its sessions.
pub static LAST_SESSIONS: Descriptor = Descriptor {
    name: "gateprobe_last_flap_sessions",
    help: "Open sessions by the gateway's own count in the last run: before, at the most, and after.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["when"],
};

/// What the gateway says of its memory.
pub static LAST_MEMORY: Descriptor = Descriptor {
    name: "gateprobe_last_flap_memory_bytes",
    help: "Memory by the gateway's own account in the last run: before, at the most, and after.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Bytes,
    labels: &["when"],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] =
    &[&CYCLES, &CONNECT, &LAST_DRIFT, &LAST_RISE, &LAST_SESSIONS, &LAST_MEMORY];

const RESULTS: [&str; 8] =
    ["connected", "refused", "rejected", "timed_out", "closed", "throttled", "unavailable", "failed"];

/// The series that exist at 0 from the start.
pub(super) fn expected(concurrent: bool) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let loads =
        [Load::Single, Load::Concurrent].into_iter().filter(|load| concurrent || *load == Load::Single);
    let results = RESULTS.iter().map(|result| (&CYCLES, vec![(*result).into()]));
    results.chain(loads.map(|load| (&CONNECT, vec![load.label().into()]))).collect()
}

/// Keeps what was seen, well or not.
pub(super) fn keep(visit: &Visit, seen: &Seen) {
    for round in &seen.rounds {
        keep_round(visit, round);
    }
    if let Some(Ok(growth)) = &seen.growth {
        keep_growth(visit, growth);
    }
}

fn keep_round(visit: &Visit, round: &Round) {
    let load = round.load.label();
    visit.measure(Sample::labelled(&CYCLES, ["connected"], round.connects.len() as f64));
    let not = round.failed.iter().chain(&round.ended).filter_map(|verdict| result(verdict.outcome));
    not.for_each(|result| visit.measure(Sample::labelled(&CYCLES, [result], 1.0)));
    let times = round.times();
    for time in times.iter().map(Duration::as_secs_f64) {
        visit.measure(Sample::labelled(&CONNECT, [load], time));
    }
    if let Some(trend) = Trend::of(&times) {
        visit.measure(Sample::labelled(&LAST_DRIFT, [load], trend.ratio));
        visit.measure(Sample::labelled(&LAST_RISE, [load], trend.rise));
    }
}

fn keep_growth(visit: &Visit, growth: &Growth) {
    let after = growth.looked_after().map(|look| look.observed);
    for (when, observed) in
        [("before", Some(growth.before.observed)), ("peak", growth.peak), ("after", after)]
    {
        let Some(Observed { sessions, memory, .. }) = observed else { continue };
        for (metric, value) in [(&LAST_SESSIONS, sessions), (&LAST_MEMORY, memory)] {
            if let Some(value) = value {
                visit.measure(Sample::labelled(metric, [when], value));
            }
        }
    }
}

/// What became of a cycle that came to nothing; none where that was our own doing.
fn result(outcome: Outcome) -> Option<&'static str> {
    use Failure::*;
    Some(match outcome {
        Outcome::Inconclusive(Cause::Throttled) => "throttled",
        Outcome::Fail(failure) => match failure {
            Unavailable => "unavailable",
            ConnectRefused | ConnectReset | ConnectUnreachable | UpgradeClosed | UpgradeReset | TlsClosed
            | BeforeClosed => "refused",
            Unauthorized | NotFound | Rejected | ServerError | Redirected | NotUpgraded | BeforeRefused => {
                "rejected"
            }
            ConnectTimeout | TlsTimeout | UpgradeTimeout | BeforeTimeout | FirstMessageTimeout
            | DnsTimeout | SessionTimeout => "timed_out",
            SessionClosed | ConnectionCut | ConnectionReset => "closed",
            _ => "failed",
        },
        Outcome::Pass | Outcome::Inconclusive(_) | Outcome::Unsupported(_) => return None,
    })
}
