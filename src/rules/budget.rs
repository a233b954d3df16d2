//! How much of the error budget of an objective's period is spent.
//!
//! A range in PromQL is a constant, and a period is a setting of each job: the longest of these windows that fits into
//! the period is looked at. Where none is as long as the period, less is counted than was spent, never more.

use super::pace::unindented;
use super::{Alert, Group, OF_SLO, Rule, Severity, record};

/// Days, the longest first.
const WINDOWS: [u32; 6] = [90, 30, 28, 14, 7, 1];

const FAILED: &str = "target_check:gateprobe_slo_failed_runs:sum_period";
const JUDGED: &str = "target_check:gateprobe_slo_judged_runs:sum_period";
const SPENT: &str = "target_check:gateprobe_slo_error_budget_spent:ratio_period";

/// Sums up what each hour had: the samples of weeks would be too many to read again and again.
pub(super) fn group() -> Group {
    let rules = vec![
        record(FAILED, over_the_period("target_check:gateprobe_failed_runs:increase1h")),
        record(JUDGED, over_the_period("target_check:gateprobe_judged_runs:increase1h")),
        record(SPENT, spent()),
        nearly_spent(),
    ];
    Group { name: "gateprobe.slo.budget", interval: Some("3m"), rules }
}

fn over_the_period(hourly: &str) -> String {
    let windows = WINDOWS.map(|days| {
        format!(
            "(sum_over_time({hourly}[%{days}d%:%1h%]) and on (target, check) (max by (target, check) \
             (gateprobe_slo_period_seconds) >= {days} * 86400))"
        )
    });
    windows.join("\nor on (target, check)\n")
}

/// What failed, by what may fail of the runs that there were; of a job that is younger than its period, by what may
/// fail of those that there will be.
fn spent() -> String {
    unindented(
        "
        FAILED
        /
        (
          (1 - max by (target, check) (gateprobe_slo_objective_ratio))
          * on (target, check)
          (
            JUDGED > on (target, check) PLANNED
            or on (target, check)
            PLANNED
          )
        )",
    )
    .replace(
        "PLANNED",
        "sum by (target, check) (gateprobe_slo_period_seconds%/speed% / gateprobe_check_interval_seconds)",
    )
    .replace("FAILED", FAILED)
    .replace("JUDGED", JUDGED)
}

fn nearly_spent() -> Rule {
    let expr = "
        SPENT > 0.9
        and on (target, check) FAILED >= 3
        unless on (target) (max by (target) (gateprobe_target_paused) == 1)";
    Rule::Alert(Alert {
        name: "GateprobeErrorBudgetNearlySpent",
        severity: Severity::Warning,
        expr: unindented(&expr.replace("SPENT", SPENT).replace("FAILED", FAILED)),
        hold: Some("10m"),
        keep: None,
        label: None,
        summary: "The error budget of {{ $labels.check }} of {{ $labels.target }} is nearly spent",
        description:
            "{{ $value | humanizePercentage }} of the failed runs that the objective of {{ $labels.check }} \
                      against {{ $labels.target }} allows in its period are spent."
                .into(),
        dashboard: OF_SLO,
    })
}
