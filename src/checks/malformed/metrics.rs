//! What `malformed` measures.

use super::judge::{Entry, Judgement};
use super::vectors::Group;
use crate::metrics::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
use crate::session::Visit;

/// Vectors by what the gateway did.
pub static VECTORS: Descriptor = Descriptor {
    name: "gateprobe_malformed_vectors_total",
    help: "Vectors by what the gateway did (`not_asked` where it could not be asked) and by what that was; `gateprobe vectors` lists them.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["vector", "reaction", "verdict"],
};

/// Vectors by verdict.
pub static VERDICTS: Descriptor = Descriptor {
    name: "gateprobe_malformed_verdicts_total",
    help: "Vectors by verdict: ok, accepted, wrong, error, hang, crash or not_judged.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["verdict"],
};

/// Times to a reaction.
pub static REACTION: Descriptor = Descriptor {
    name: "gateprobe_malformed_reaction_seconds",
    help: "From right before the write of a vector to right after the read of the reaction, where there was one to read.",
    scope: Scope::Job,
    kind: Kind::Histogram {
        buckets: &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 10.0, 60.0],
    },
    unit: Unit::Seconds,
    labels: &["group"],
};

/// Every metric of the check.
pub static METRICS: &[&Descriptor] = &[&VECTORS, &VERDICTS, &REACTION];

/// The series that exist at 0 from the start.
pub(super) fn expected(groups: impl Iterator<Item = Group>) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
    let verdicts = Judgement::ALL.iter().map(|judgement| (&VERDICTS, vec![judgement.label().into()]));
    verdicts.chain(groups.map(|group| (&REACTION, vec![group.label().into()]))).collect()
}

/// Keeps what was seen.
pub(super) fn keep(visit: &Visit, entries: &[Entry]) {
    for entry in entries {
        let verdict = entry.judgement.label();
        visit.measure(Sample::labelled(&VECTORS, [entry.vector.name, entry.label(), verdict], 1.0));
        visit.measure(Sample::labelled(&VERDICTS, [verdict], 1.0));
        if let Some(took) = entry.seen.ok().and_then(|seen| seen.took) {
            let group = entry.vector.group.label();
            visit.measure(Sample::labelled(&REACTION, [group], took.as_secs_f64()));
        }
    }
}
