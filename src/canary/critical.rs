//! Findings of which one is enough: bad tokens accepted, expired sessions served, crashes, leaked zombies.

use super::data::{CheckData, Critical, Data};
use super::decision::{Row, RowVerdict};
use super::plan::Plan;

/// Weighs more than anything that is measured.
const WEIGHT: f64 = 10.0;

/// Whether a critical finding of the canary is certain not to be the baseline's too: as many conclusive runs of the
/// check against the baseline have not shown it.
pub(super) fn decided(plan: &Plan, data: &Data) -> bool {
    data.checks().any(|(_, check)| {
        let had_its_chance = |critical: Critical| check.baseline.conclusive() >= critical.first;
        own(plan, check).any(|(_, critical)| !plan.compare || had_its_chance(critical))
    })
}

/// A row for each critical finding that the baseline does not show.
pub(super) fn rows(plan: &Plan, data: &Data) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, check) in data.checks() {
        for (reason, critical) in own(plan, check) {
            let n_canary = check.canary.conclusive();
            let n_baseline = check.baseline.conclusive();
            rows.push(Row {
                check: name.to_owned(),
                metric: reason.to_owned(),
                unit: "ratio".into(),
                baseline: (plan.compare && n_baseline > 0).then_some(0.0),
                canary: Some(critical.count as f64 / n_canary as f64),
                n_baseline,
                n_canary,
                shift: None,
                interval: None,
                p: None,
                effect: None,
                threshold: None,
                verdict: RowVerdict::Critical,
                note: Some(format!("seen in {} of {n_canary} runs; one is enough", critical.count)),
                weight: WEIGHT,
            });
        }
    }
    rows
}

/// The canary's own critical findings.
fn own<'a>(plan: &'a Plan, check: &'a CheckData) -> impl Iterator<Item = (&'a str, Critical)> {
    let shown = move |reason: &str| plan.compare && check.baseline.critical.contains_key(reason);
    check.canary.critical.iter().filter(move |(r, _)| !shown(r)).map(|(r, c)| (r.as_str(), *c))
}
