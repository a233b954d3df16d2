//! What `network_switch` measures.

use super::Scene;
use super::subscriber::Switch;
use crate::dialect::Answer;
use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};

/// How long it took to be back.
pub static SWITCH: Descriptor = Descriptor {
    name: "gateprobe_network_switch_seconds",
    help: "From the begin of the new dial to the gateway's answer that the session goes on, or that a new one begins.",
    scope: Scope::Job,
    kind: Kind::Histogram { buckets: &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0] },
    unit: Unit::Seconds,
    labels: &[],
};

/// The slowest switch of the last run.
pub static LAST_SWITCH: Descriptor = Descriptor {
    name: "gateprobe_last_network_switch_seconds",
    help: "The slowest switch of the last run that came to its end.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// Switches by what the gateway said of the session.
pub static SWITCHES: Descriptor = Descriptor {
    name: "gateprobe_network_switches_total",
    help: "Switches by what the gateway said of the session.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["session"],
};

/// Messages by their fate.
pub static MESSAGES: Descriptor = Descriptor {
    name: "gateprobe_messages_total",
    help: "Messages that the gateway had acknowledged, by what became of them; those of a session that was over are in none.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["fate"],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] = &[&SWITCH, &LAST_SWITCH, &SWITCHES, &MESSAGES];

const FATES: [&str; 4] = ["delivered", "lost", "duplicated", "reordered"];
const SESSIONS: [&str; 2] = ["resumed", "fresh"];

/// The series that exist at 0 before the first run.
pub(super) fn expected() -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let fates = FATES.iter().map(|fate| (&MESSAGES, vec![(*fate).into()]));
    let sessions = SESSIONS.iter().map(|session| (&SWITCHES, vec![(*session).into()]));
    fates.chain(sessions).chain([(&SWITCH, vec![])]).collect()
}

/// Keeps what became of the messages, also of a run that was cut short.
pub(super) fn messages(scene: &Scene<'_>) {
    let account = scene.stream.ledger().account();
    let counts = [
        account.delivered,
        account.lost.len() as u64,
        account.duplicated.len() as u64,
        account.reordered.len() as u64,
    ];
    for (fate, count) in FATES.into_iter().zip(counts) {
        scene.visit.measure(Sample::labelled(&MESSAGES, [fate], count as f64));
    }
}

/// Keeps how the switches went.
pub(super) fn switches(scene: &Scene<'_>, switches: &[Switch]) {
    for switch in switches {
        let session = if switch.answer == Some(Answer::Resumed) { "resumed" } else { "fresh" };
        scene.visit.measure(Sample::labelled(&SWITCHES, [session], 1.0));
        scene.visit.measure(Sample::new(&SWITCH, switch.took.as_secs_f64()));
    }
    if let Some(slowest) = switches.iter().map(|switch| switch.took).max() {
        scene.visit.measure(Sample::new(&LAST_SWITCH, slowest.as_secs_f64()));
    }
}
