//! Rows of failed runs: one a check, and one of all checks together.

use super::data::{ArmData, CheckData, Data};
use super::decision::{ALL_CHECKS, FAILURES, Row, RowVerdict};
use super::judge::Candidate;
use super::plan::{Arm, Plan, Policy};
use super::statistics::fisher::{Table, greater, least_greater};
use super::statistics::multiple::Tested;
use super::statistics::proportion;
use crate::model::count;

/// The share of failed runs by which the canary must be worse to be suspect without being significant.
const SUSPECT: f64 = 0.1;
/// By itself that is to be as unlikely as this.
const SUSPECT_P: f64 = 0.05;
/// Beyond this it is suspect however few the runs.
const SUSPECT_ALWAYS: f64 = 0.5;
/// Where all checks together made fewer conclusive runs in an arm, a difference of `SUSPECT` is enough: only where a
/// sixth of the runs fails, or more, could it be that unlikely, and what fails less often would pass unseen.
const FEW: usize = 30;
/// Why a row is not judged that might have been.
pub(super) const DECIDED: &str = "it was decided before enough runs were made";
/// Failures weigh more than times.
const WEIGHT: f64 = 3.0;

/// The rows of failed runs, at the `end` or while more runs might have come.
pub(super) fn rows(plan: &Plan, data: &Data, end: bool) -> Vec<Candidate> {
    let here = data.checks().filter(|(_, check)| !left_out(plan, check));
    let few = fewest(plan, data).is_some_and(|(_, runs)| runs < FEW);
    let mut rows: Vec<Candidate> = here.map(|(name, check)| row(plan, name, check, few, end)).collect();
    rows.extend(together(plan, data, few));
    rows
}

/// Whether neither gateway has what the check is about.
pub(super) fn left_out(plan: &Plan, check: &CheckData) -> bool {
    check.canary.lacks_it() && (!plan.compare || check.baseline.lacks_it())
}

/// Why all checks together have too little to show for a pass.
pub(super) fn too_few(plan: &Plan, data: &Data) -> Option<String> {
    let needed = plan.policy.enough(plan.compare);
    let (arm, runs) = fewest(plan, data)?;
    let here = data.checks().filter(|(_, check)| !left_out(plan, check)).map(|(_, check)| check.arm(arm));
    let missed: usize = here.map(|arm| arm.inconclusive).sum();
    (runs < needed).then(|| {
        let found = count(runs, "conclusive run");
        // More of what found nothing out would find nothing out.
        let advice = if runs + missed < needed { ": give it more time or a larger budget" } else { "" };
        format!("only {found} of the {} in all, and a pass needs {needed}{advice}", arm.label())
    })
}

/// The arm with fewer conclusive runs, and how many they are; none where no check is supported.
fn fewest(plan: &Plan, data: &Data) -> Option<(Arm, usize)> {
    let here: Vec<&CheckData> =
        data.checks().map(|(_, check)| check).filter(|check| !left_out(plan, check)).collect();
    let arms = [Arm::Canary, Arm::Baseline].into_iter().filter(|arm| plan.compare || *arm == Arm::Canary);
    let runs = arms.map(|arm| (arm, here.iter().map(|check| check.arm(arm).conclusive()).sum()));
    runs.min_by_key(|(_, runs): &(Arm, usize)| *runs).filter(|_| !here.is_empty())
}

/// How many conclusive runs an arm needs to be judged.
pub(super) fn needed(policy: &Policy, planned: usize) -> usize {
    policy.min_runs.min(planned).max(1)
}

fn row(plan: &Plan, name: &str, check: &CheckData, few: bool, end: bool) -> Candidate {
    let planned = plan.checks.get(name).copied().unwrap_or(0);
    let policy = &plan.policy;
    let mut candidate = if plan.compare {
        compared(policy, name, &[table(check)], needed(policy, planned), few)
    } else {
        alone(policy, name, &check.canary)
    };
    if let Some(why) = too_little(plan, check, planned, end)
        && !candidate.row.verdict.fails()
    {
        candidate.row.verdict = RowVerdict::NotEnough;
        candidate.row.note = Some(why);
    }
    candidate
}

/// Why a check has too little to show for a pass.
fn too_little(plan: &Plan, check: &CheckData, planned: usize, end: bool) -> Option<String> {
    let policy = &plan.policy;
    let least = needed(policy, planned).max((policy.min_share * planned as f64).ceil() as usize);
    let arms = [("canary", &check.canary), ("baseline", &check.baseline)];
    let arms = || arms.iter().filter(|(name, _)| plan.compare || *name == "canary");
    if let Some((arm, _)) = arms().find(|(_, arm)| arm.lacks_it()) {
        return Some(format!("the {arm} does not support it"));
    }
    // Where both have too few, the one with fewer: it is the one to look at.
    let fewest = arms().min_by_key(|(_, arm)| arm.conclusive());
    if let Some((name, arm)) = fewest.filter(|(_, arm)| arm.conclusive() < least) {
        if !end {
            return Some(DECIDED.to_owned());
        }
        let (got, inconclusive) = (arm.conclusive(), arm.inconclusive);
        let cause = arm.cause().map(|cause| format!(", {inconclusive} inconclusive ({cause})"));
        return Some(format!("{name}: {got} conclusive runs, {least} needed{}", cause.unwrap_or_default()));
    }
    let told: usize = check.shared().map(|(_, critical)| critical.count).sum();
    let broken = check.baseline.fail.saturating_sub(told) as f64 / check.baseline.conclusive() as f64;
    (plan.compare && broken >= policy.broken_baseline)
        .then(|| "the baseline fails so often itself that it says little".to_owned())
}

fn table(check: &CheckData) -> Table {
    let (canary, baseline) = (&check.canary, &check.baseline);
    Table {
        failed: canary.fail,
        runs: canary.conclusive(),
        other_failed: baseline.fail,
        other_runs: baseline.conclusive(),
    }
}

/// All checks in one test, each compared within itself: a fault that hits each check a little is found sooner.
fn together(plan: &Plan, data: &Data, few: bool) -> Option<Candidate> {
    let here = data.checks().filter(|(_, check)| plan.compare && !left_out(plan, check));
    let tables: Vec<Table> = here.map(|(_, c)| table(c)).filter(|t| t.runs > 0 && t.other_runs > 0).collect();
    (tables.len() > 1).then(|| compared(&plan.policy, ALL_CHECKS, &tables, 1, few))
}

/// Two shares of failed runs; whether there are `few` runs, all checks together.
fn compared(policy: &Policy, name: &str, tables: &[Table], needed: usize, few: bool) -> Candidate {
    let sum = |part: fn(&Table) -> usize| tables.iter().map(part).sum::<usize>();
    let (failed, runs) = (sum(|t| t.failed), sum(|t| t.runs));
    let (other_failed, other_runs) = (sum(|t| t.other_failed), sum(|t| t.other_runs));
    let mut row = empty(name);
    (row.n_canary, row.n_baseline) = (runs, other_runs);
    row.canary = ratio(failed, runs);
    row.baseline = ratio(other_failed, other_runs);
    row.shift = row.canary.zip(row.baseline).map(|(canary, baseline)| canary - baseline);
    row.effect = row.shift;
    row.interval = proportion::difference((failed, runs), (other_failed, other_runs), policy.confidence);
    let enough = runs >= needed && other_runs >= needed;
    let tested = enough.then(|| Tested { p: greater(tables), least: least_greater(tables) });
    row.p = tested.map(|test| test.p);
    let by = row.shift.unwrap_or(0.0);
    let unlikely = tested.is_some_and(|test| test.p <= SUSPECT_P);
    let suspect = by >= SUSPECT_ALWAYS || (by >= SUSPECT && (few || unlikely));
    if tested.is_some() && by <= -policy.failure_tolerance {
        let turned: Vec<Table> = tables.iter().map(Table::turned).collect();
        if greater(&turned) <= policy.alpha {
            row.verdict = RowVerdict::Better;
        }
    }
    Candidate { row, tested, matters: by >= policy.failure_tolerance, suspect }
}

/// Without a baseline: the share of failed runs against a threshold. One failed run by itself does not fail a canary,
/// unless there was only one.
fn alone(policy: &Policy, name: &str, canary: &ArmData) -> Candidate {
    let mut row = empty(name);
    row.n_canary = canary.conclusive();
    row.canary = canary.failure_ratio();
    row.threshold = Some(policy.max_failure_ratio);
    if row.canary.is_some_and(|ratio| ratio > policy.max_failure_ratio) {
        let several = canary.fail > 1 || canary.fail == canary.conclusive();
        row.verdict = if several { RowVerdict::OverThreshold } else { RowVerdict::NotEnough };
        row.note = (!several).then(|| "one failed run may be chance: run it again".to_owned());
    }
    Candidate { row, tested: None, matters: false, suspect: false }
}

fn ratio(failed: usize, runs: usize) -> Option<f64> {
    (runs > 0).then(|| failed as f64 / runs as f64)
}

fn empty(check: &str) -> Row {
    Row {
        check: check.to_owned(),
        metric: FAILURES.to_owned(),
        unit: "ratio".into(),
        baseline: None,
        canary: None,
        n_baseline: 0,
        n_canary: 0,
        shift: None,
        interval: None,
        p: None,
        effect: None,
        threshold: None,
        verdict: RowVerdict::Same,
        note: None,
        weight: WEIGHT,
    }
}
