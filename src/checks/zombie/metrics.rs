//! What `zombie` measures.

use super::Scene;
use super::clock::{By, Fate};
use super::config::Mode;
use super::judge::Seen;
use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
use crate::model::End;

/// Clean-up times.
pub static CLEANUP: Descriptor = Descriptor {
    name: "gateprobe_zombie_cleanup_seconds",
    help: "From the origin of the promise (the oldest heartbeat left unanswered, or our last data) to the first of Close, FIN and RST; only where both are known exactly.",
    scope: Scope::Job,
    kind: Kind::Histogram {
        buckets: &[0.5, 1.0, 2.5, 5.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 90.0, 120.0],
    },
    unit: Unit::Seconds,
    labels: &["mode"],
};

/// The last clean-up time.
pub static LAST_CLEANUP: Descriptor = Descriptor {
    name: "gateprobe_last_zombie_cleanup_seconds",
    help: "The longest clean-up time of the last run that saw one.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["mode"],
};

/// By how much a clean-up time may read too long.
pub static LAST_UNCERTAINTY: Descriptor = Descriptor {
    name: "gateprobe_last_zombie_cleanup_uncertainty_seconds",
    help: "The round-trip time by which the last clean-up time was corrected, because it counts from our own last data.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["mode"],
};

/// The promised window.
pub static WINDOW: Descriptor = Descriptor {
    name: "gateprobe_zombie_window_seconds",
    help: "The window in which the gateway promises to let go of a silent connection.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["bound"],
};

/// Silent connections by what became of them.
pub static ZOMBIES: Descriptor = Descriptor {
    name: "gateprobe_zombies_total",
    help: "Silent connections by what became of them.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["mode", "result"],
};

/// How the gateway let go.
pub static EVICTIONS: Descriptor = Descriptor {
    name: "gateprobe_zombie_evictions_total",
    help: "How silent connections were let go of: by a Close frame, or by the end of TCP alone (FIN, RST), which a hop before the gateway may have caused.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["mode", "by"],
};

/// The last Close code.
pub static LAST_CLOSE_CODE: Descriptor = Descriptor {
    name: "gateprobe_last_zombie_close_code",
    help: "The code in the last Close to a silent connection, as received; 1005 stands for none (RFC 6455, section 7.4.1).",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["mode"],
};

/// Healthy connections that were closed.
pub static FALSE_EVICTIONS: Descriptor = Descriptor {
    name: "gateprobe_false_evictions_total",
    help: "Healthy connections that the gateway closed while silent ones were held beside them.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &[],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] = &[
    &CLEANUP,
    &LAST_CLEANUP,
    &LAST_UNCERTAINTY,
    &WINDOW,
    &ZOMBIES,
    &EVICTIONS,
    &LAST_CLOSE_CODE,
    &FALSE_EVICTIONS,
];

const RESULTS: [&str; 4] = ["cleaned", "leaked", "evicted_early", "half_closed"];

/// The series that exist at 0 from the start.
pub(super) fn expected(modes: impl Iterator<Item = Mode>) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let mut series = vec![(&FALSE_EVICTIONS, Vec::new())];
    for mode in modes {
        let mode: LabelValue = mode.label().into();
        series.push((&CLEANUP, vec![mode.clone()]));
        series.extend(RESULTS.iter().map(|result| (&ZOMBIES, vec![mode.clone(), (*result).into()])));
        series.extend(["close", "fin", "rst"].map(|by| (&EVICTIONS, vec![mode.clone(), by.into()])));
    }
    series
}

/// Keeps what was seen, well or not.
pub(super) fn keep(scene: &Scene<'_>, seen: &Seen) {
    let visit = scene.visit;
    for silent in &seen.silent {
        let mode = silent.mode.label();
        if let Some(window) = scene.window() {
            let result = match silent.fate(window, &scene.limits) {
                Fate::Cleaned(_) => Some("cleaned"),
                Fate::Leaked(_) => Some("leaked"),
                Fate::Early(_) => Some("evicted_early"),
                Fate::HalfClosed(_) => Some("half_closed"),
                Fate::Unknown | Fate::Unasked => None,
            };
            if let Some(result) = result.filter(|_| silent.broken.is_none()) {
                visit.measure(Sample::labelled(&ZOMBIES, [mode, result], 1.0));
            }
        }
        if let Some(eviction) = silent.evicted {
            let by = match eviction.by {
                By::Close(_) => "close",
                By::Tcp(End::Fin) => "fin",
                By::Tcp(End::Rst) => "rst",
            };
            visit.measure(Sample::labelled(&EVICTIONS, [mode, by], 1.0));
            if let By::Close(code) = eviction.by {
                visit.measure(Sample::labelled(&LAST_CLOSE_CODE, [mode], f64::from(code.unwrap_or(1005))));
            }
        }
        if let Some(time) = silent.time() {
            visit.measure(Sample::labelled(&CLEANUP, [mode], time.as_secs_f64()));
            let uncertainty = silent.uncertainty.as_secs_f64();
            visit.measure(Sample::labelled(&LAST_UNCERTAINTY, [mode], uncertainty));
        }
    }
    for mode in Mode::ALL {
        let times = seen.silent.iter().filter(|seen| seen.mode == *mode).filter_map(|seen| seen.time());
        if let Some(longest) = times.max() {
            visit.measure(Sample::labelled(&LAST_CLEANUP, [mode.label()], longest.as_secs_f64()));
        }
    }
    if let Some(window) = scene.window() {
        visit.measure(Sample::labelled(&WINDOW, ["latest"], window.latest.as_secs_f64()));
        if let Some(earliest) = window.earliest {
            visit.measure(Sample::labelled(&WINDOW, ["earliest"], earliest.as_secs_f64()));
        }
    }
    visit.measure(Sample::new(&FALSE_EVICTIONS, seen.false_evictions() as f64));
}
