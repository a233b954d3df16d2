//! What `hold` measures.

use std::time::Instant;

use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
use crate::session::{EndClass, Glance, Standing, Visit};

/// Connections that are held now.
pub static HELD: Descriptor = Descriptor {
    name: "gateprobe_held_connections",
    help: "Connections that were open at the end of the last run of hold.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// How held connections ended.
pub static ENDS: Descriptor = Descriptor {
    name: "gateprobe_hold_ends_total",
    help: "Held connections that ended, by who ended them and how; without a Close nobody knows who.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["by", "class"],
};

/// How old they became.
pub static AGE: Descriptor = Descriptor {
    name: "gateprobe_hold_session_age_seconds",
    help: "How long held connections had been open when they ended.",
    scope: Scope::Job,
    kind: Kind::Histogram {
        buckets: &[
            1.0, 10.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 43_200.0, 86_400.0,
            259_200.0, 604_800.0,
        ],
    },
    unit: Unit::Seconds,
    labels: &[],
};

/// How long they were away.
pub static BACK: Descriptor = Descriptor {
    name: "gateprobe_hold_back_seconds",
    help: "After how long a held connection that had ended was open again.",
    scope: Scope::Job,
    kind: Kind::Histogram { buckets: &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0] },
    unit: Unit::Seconds,
    labels: &[],
};

/// How old the oldest one is.
pub static OLDEST: Descriptor = Descriptor {
    name: "gateprobe_last_hold_oldest_seconds",
    help: "How long the oldest held connection had been open at the end of the last run; 0 where none was.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// How long the last ones were away.
pub static LAST_BACK: Descriptor = Descriptor {
    name: "gateprobe_last_hold_back_seconds",
    help: "After how long the slowest connection was open again, of those that came back last.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] = &[&HELD, &ENDS, &AGE, &BACK, &OLDEST, &LAST_BACK];

/// The series that exist at 0 from the start.
pub(super) fn expected() -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let ends = EndClass::ALL.map(|class| (&ENDS, vec![class.by().label().into(), class.label().into()]));
    ends.into_iter().chain([(&AGE, Vec::new()), (&BACK, Vec::new())]).collect()
}

/// Keeps what was read, well or not.
pub(super) fn keep(visit: &Visit, glance: &Glance, now: Instant) {
    let ages = glance.standings.iter().filter_map(|standing| match standing {
        Standing::Up { since, .. } => Some(now.saturating_duration_since(*since)),
        _ => None,
    });
    let ages: Vec<_> = ages.collect();
    visit.measure(Sample::new(&HELD, ages.len() as f64));
    visit.measure(Sample::new(&OLDEST, ages.iter().max().copied().unwrap_or_default().as_secs_f64()));
    for end in &glance.ends {
        visit.measure(Sample::labelled(&ENDS, [end.class.by().label(), end.class.label()], 1.0));
        visit.measure(Sample::new(&AGE, end.age.as_secs_f64()));
    }
    for back in &glance.backs {
        visit.measure(Sample::new(&BACK, back.as_secs_f64()));
    }
    if let Some(back) = glance.backs.iter().max() {
        visit.measure(Sample::new(&LAST_BACK, back.as_secs_f64()));
    }
}
