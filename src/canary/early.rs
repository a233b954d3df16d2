//! What can be said before the plan's end.

use super::data::{CheckData, Data};
use super::plan::{Arm, Plan};
use super::statistics::fisher::Table;
use super::statistics::spending::spent;

/// The share of the planned runs that both arms have made, whatever they showed: looks must not depend on outcomes.
pub(super) fn seen(plan: &Plan, data: &Data) -> f64 {
    let planned: usize = plan.checks.values().sum();
    let made = |(name, planned): (&String, &usize)| {
        data.check(name).map_or(0, |c| c.baseline.runs().min(c.canary.runs()).min(*planned))
    };
    let made: usize = plan.checks.iter().map(made).sum();
    if planned == 0 { 0.0 } else { made as f64 / planned as f64 }
}

/// Whether some check fails whatever its missing runs say: all of the canary's passing, all of the baseline's failing.
pub(super) fn certain(plan: &Plan, data: &Data) -> bool {
    plan.checks.iter().any(|(name, planned)| {
        let Some(check) = data.check(name) else { return false };
        if plan.compare {
            certainly_worse(plan, data, check, *planned)
        } else {
            certainly_over(plan, check, *planned)
        }
    })
}

fn certainly_over(plan: &Plan, check: &CheckData, planned: usize) -> bool {
    let (failed, runs) = (check.canary.fail, planned.max(check.canary.conclusive()));
    failed > 1 && failed as f64 / runs as f64 > plan.policy.max_failure_ratio
}

fn certainly_worse(plan: &Plan, data: &Data, check: &CheckData, planned: usize) -> bool {
    let missing = |arm: Arm| planned.saturating_sub(check.arm(arm).runs());
    let (canary, baseline) = (&check.canary, &check.baseline);
    let table = Table {
        failed: canary.fail,
        runs: canary.conclusive() + missing(Arm::Canary),
        other_failed: baseline.fail + missing(Arm::Baseline),
        other_runs: baseline.conclusive() + missing(Arm::Baseline),
    };
    if canary.conclusive() < plan.policy.min_runs || baseline.conclusive() < plan.policy.min_runs {
        return false;
    }
    let share = |failed: usize, runs: usize| failed as f64 / runs as f64;
    let by = share(table.failed, table.runs) - share(table.other_failed, table.other_runs);
    // Every check has shown which metrics it measures, so that the number of comparisons is known.
    let known = data.checks().all(|(_, c)| c.baseline.runs() > 0 && c.canary.runs() > 0);
    known && by >= plan.policy.failure_tolerance && table.greater() <= least_level(plan, data)
}

/// The least level that a test can have at the end: the looks have spent their shares, and every row takes one.
fn least_level(plan: &Plan, data: &Data) -> f64 {
    let policy = &plan.policy;
    let latest = policy.looks.last().map_or(0.0, |look| spent(policy.alpha, *look));
    let rows: usize = data.checks().map(|(_, check)| 1 + check.metrics().len()).sum();
    (policy.alpha - latest) / (rows + 1) as f64
}
