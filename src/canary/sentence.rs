//! The decision in words.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::data::Data;
use super::decision::{ALL_CHECKS, FAILURES, Row, RowVerdict, Verdict};
use super::outcomes::{left_out, too_few};
use super::plan::{End, Plan};
use super::words::quantity;
use crate::model::count;

/// Rows that a sentence names at most.
const NAMED: usize = 3;

/// The verdict and its main reason.
pub(super) fn sentence(plan: &Plan, data: &Data, verdict: Verdict, rows: &[Row], notes: &[String]) -> String {
    match verdict {
        Verdict::Pass => passed(plan, data),
        Verdict::Fail => {
            let worst = rows.iter().filter(|row| row.verdict.fails());
            let head =
                if plan.compare { "The canary is worse than the baseline" } else { "The canary fails" };
            format!("{head}: {}.", listed(worst.map(|row| named(row, data))))
        }
        Verdict::Inconclusive => {
            let why = notes.first().cloned().unwrap_or_else(|| "nothing was planned".to_owned());
            format!("Can't tell whether the canary is good: {why}.")
        }
    }
}

/// Why it is not a pass, or what its reader should know; what weighs most first.
pub(super) fn notes(plan: &Plan, data: &Data, rows: &[Row], end: Option<&End>) -> Vec<String> {
    let mut notes = Vec::new();
    match end {
        Some(End::Cancelled) => notes.push("it was cancelled".to_owned()),
        Some(End::BaselineLost) => {
            notes.push("the baseline was lost: the last runs did not reach it".to_owned())
        }
        Some(End::BaselineNeverReached(why)) => notes.push(format!("the baseline was never reached: {why}")),
        Some(End::AgentFault(what)) => notes.push(format!("the agent itself failed: {what}")),
        None | Some(End::Completed | End::TimeUp) => {}
    }
    if plan.checks.is_empty() {
        notes.push("nothing was planned".to_owned());
    } else if data.checks().all(|(_, check)| left_out(plan, check)) {
        notes.push("no check is supported".to_owned());
    }
    // Where it was stopped before its end, for whatever reason, the other rows were not to be complete.
    let whole = matches!(end, Some(End::Completed | End::TimeUp));
    let short = rows.iter().filter(|row| whole && row.verdict.blocks());
    notes.extend(short.map(|row| {
        let why = row.note.as_deref().unwrap_or("too few runs");
        match row.metric.as_str() {
            FAILURES if row.shift.is_some_and(|shift| shift > 0.0) => format!("{}: {why}", named(row, data)),
            FAILURES => format!("{}: {why}", row.check),
            _ => format!("{}: {why}", named(row, data)),
        }
    }));
    notes.extend(whole.then(|| too_few(plan, data)).flatten());
    if let Some(End::TimeUp) = end {
        notes.push("the time was up before all planned runs were made".to_owned());
    }
    for (name, check) in data.checks() {
        if left_out(plan, check) {
            notes.push(format!("{name} is left out: not supported"));
        }
        if plan.compare {
            let told = check.shared().map(|(reason, _)| {
                format!("{name}: {reason} in the baseline too, not held against the canary")
            });
            notes.extend(told);
        }
    }
    notes
}

fn passed(plan: &Plan, data: &Data) -> String {
    let judged: Vec<_> = data.checks().filter(|(_, check)| !left_out(plan, check)).collect();
    let runs: usize = judged.iter().map(|(_, check)| check.canary.conclusive()).sum();
    let (runs, checks) = (count(runs, "run"), count(judged.len(), "check"));
    if plan.compare {
        format!("The canary is as good as the baseline: nothing that matters is worse in {runs} of {checks}.")
    } else {
        let times = plan.policy.metrics.values().any(|metric| metric.threshold.is_some());
        let no_times = if times { "" } else { "; times are not judged, because they have none" };
        format!("The canary is good: all thresholds are met in {runs} of {checks}{no_times}.")
    }
}

/// A row in words.
fn named(row: &Row, data: &Data) -> String {
    let check = if row.check == ALL_CHECKS { "all checks together" } else { &row.check };
    match (row.verdict, row.metric.as_str()) {
        (RowVerdict::Critical, reason) => format!("{check} found {reason}, which is critical"),
        (_, FAILURES) => {
            let share = |ratio: Option<f64>, runs: usize| {
                let failed = (ratio.unwrap_or(0.0) * runs as f64).round();
                format!("{failed} of {}", count(runs, "run"))
            };
            let canary = share(row.canary, row.n_canary);
            let beside = match row.threshold {
                Some(threshold) => format!("at most {}", quantity(Some(threshold), "ratio")),
                None => format!("baseline: {}", share(row.baseline, row.n_baseline)),
            };
            format!("{check} failed in {canary} ({beside}){}", how(&row.check, data))
        }
        (_, metric) => {
            let canary = known(row.canary, &row.unit);
            match row.threshold {
                Some(threshold) => {
                    format!(
                        "{check} {metric} is {canary} (threshold: {})",
                        quantity(Some(threshold), &row.unit)
                    )
                }
                None => {
                    format!("{check} {metric} is {canary} (baseline: {})", known(row.baseline, &row.unit))
                }
            }
        }
    }
}

/// By which reason most of the canary's runs failed; of all checks together, in which checks too.
fn how(check: &str, data: &Data) -> String {
    let checks = data
        .checks()
        .filter(|(name, checked)| (check == ALL_CHECKS || *name == check) && checked.canary.fail > 0);
    let checks: Vec<_> = checks.collect();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (reason, runs) in checks.iter().flat_map(|(_, checked)| &checked.canary.reasons) {
        *reasons.entry(reason).or_default() += runs;
    }
    // The first by name among equals, so that the same runs are told the same.
    let Some((reason, _)) = reasons.iter().max_by_key(|(name, runs)| (**runs, Reverse(**name))) else {
        return String::new();
    };
    let mostly = if reasons.len() > 1 { "mostly by" } else { "by" };
    if check != ALL_CHECKS {
        return format!(", {mostly} {reason}");
    }
    let mut failed: Vec<(&str, usize)> =
        checks.iter().map(|(name, checked)| (*name, checked.canary.fail)).collect();
    failed.sort_by_key(|(_, runs)| Reverse(*runs));
    let more = failed.len().saturating_sub(NAMED);
    let mut told: Vec<String> =
        failed.iter().take(NAMED).map(|(name, runs)| format!("{name} {runs}")).collect();
    told.extend((more > 0).then(|| format!("{more} more")));
    format!(", of which {}, {mostly} {reason}", told.join(", "))
}

fn listed(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let mut text = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > NAMED {
        text.push_str(&format!("; and {} more", all.len() - NAMED));
    }
    text
}

fn known(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| quantity(Some(value), unit))
}
