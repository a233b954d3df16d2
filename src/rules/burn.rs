//! How fast the error budget burns: several windows, several rates (Google's SRE Workbook, chapter 5).
//!
//! At 99.9 % and one run a minute, a single failed run in an hour burns 16 times as fast as the objective allows.
//! So each rule wants three failed runs in its long window, and three runs in its short one, too. The failed runs are
//! those of one replica and address: an accident that three replicas saw is one accident.

use super::pace::unindented;
use super::{Alert, Group, HYGIENE, OF_SLO, PAUSED, Rule, Severity, record, why};

/// What of an hour, a day and so on is kept. A ratio is never an average of ratios.
const SHORT_WINDOWS: [&str; 5] = ["5m", "30m", "1h", "2h", "6h"];
const LONG_WINDOWS: [&str; 2] = ["1d", "3d"];

/// The share of runs that may fail, where there is an objective and the target is not paused.
const BUDGET: &str = "target_check_location:gateprobe_slo_error_budget:ratio";
const FAILED: &str = "gateprobe_failed_runs:increase";
const WORST: &str = "gateprobe_failed_runs:max_increase";
const JUDGED: &str = "gateprobe_judged_runs:increase";
const RATIO: &str = "gateprobe_failed_per_judged_runs:ratio_increase";

/// The windows of up to six hours, and the rates that page.
pub(super) fn group() -> Group {
    let budget = format!(
        "1 - max by (target, check, location) (gateprobe_slo_objective_ratio)\nunless on (target, location) {PAUSED}"
    );
    let mut rules = vec![record(BUDGET, budget)];
    rules.extend(SHORT_WINDOWS.iter().flat_map(|window| windows(window)));
    rules.extend(["1h", "6h"].iter().flat_map(|window| worst(window)));
    rules.extend(page(14.4, "1h", "5m", "2m"));
    rules.extend(page(6.0, "6h", "30m", "15m"));
    Group { name: "gateprobe.slo", interval: None, rules }
}

/// The windows of days, which cost more to read and change slowly, and the rates that wait for office hours. Less
/// often than every five minutes, a series would seem to end between two evaluations.
pub(super) fn long_group() -> Group {
    let mut rules: Vec<Rule> = LONG_WINDOWS.iter().flat_map(|window| windows(window)).collect();
    rules.extend(LONG_WINDOWS.iter().flat_map(|window| worst(window)));
    rules.push(ticket(3, "1d", "2h", "1h"));
    rules.push(ticket(1, "3d", "6h", "3h"));
    Group { name: "gateprobe.slo.days", interval: Some("2m"), rules }
}

/// Runs that failed, runs that were judged at all, and the ratio of both: at each location, and over all.
fn windows(window: &str) -> [Rule; 6] {
    let failed = format!("sum by (target, check, location) ({})", failed(window));
    let judged = format!(
        "sum by (target, check, location) (increase(gateprobe_check_runs_total{{outcome=~\"pass|fail\"}}[%{window}%]))"
    );
    let over_all = |runs: &str| format!("sum by (target, check) (target_check_location:{runs}{window})");
    let ratio = |level: &str| format!("{level}:{FAILED}{window}\n/\n({level}:{JUDGED}{window} > 0)");
    [
        record(format!("target_check_location:{FAILED}{window}"), failed),
        record(format!("target_check_location:{JUDGED}{window}"), judged),
        record(format!("target_check_location:{RATIO}{window}"), ratio("target_check_location")),
        record(format!("target_check:{FAILED}{window}"), over_all(FAILED)),
        record(format!("target_check:{JUDGED}{window}"), over_all(JUDGED)),
        record(format!("target_check:{RATIO}{window}"), ratio("target_check")),
    ]
}

/// Failed runs, but for those that only found a certificate that expires soon: users have what they need. A counter of
/// their own: the difference of two increases is that of two extrapolations.
fn failed(window: &str) -> String {
    format!("increase(gateprobe_check_acute_failures_total[%{window}%])")
}

/// The failed runs of the one replica and address that saw the most.
fn worst(window: &str) -> [Rule; 2] {
    let level = format!("target_check_location:{WORST}{window}");
    let runs = format!("max by (target, check, location) ({})", failed(window));
    let over_all = format!("max by (target, check) ({level})");
    [record(level, runs), record(format!("target_check:{WORST}{window}"), over_all)]
}

/// The ratio of each location that burns so fast, and an alert where two do, or the only one: a page, or a ticket for checks
/// of which nobody is woken.
fn page(rate: f64, long: &'static str, short: &'static str, hold: &'static str) -> [Rule; 3] {
    let burning = format!("target_check_location:gateprobe_failed_per_judged_runs:burning{long}");
    let level = "target_check_location";
    let expr = "
        max by (target, check) (BURNING{check MATCHES \"HYGIENE\"})
        and on (target, check) (
          count by (target, check) (BURNING)
          >= on (target, check)
          clamp_max(count by (target, check) (BUDGET), 2)
        )";
    let expr = expr.replace("BURNING", &burning).replace("BUDGET", BUDGET).replace("HYGIENE", HYGIENE);
    let where_check = |matches: &str| unindented(&expr.replace("check MATCHES ", &format!("check{matches}")));
    [
        record(burning, condition(level, rate, BUDGET, "target, check, location", long, short)),
        alert(Severity::Critical, rate, where_check("!~"), long, hold),
        alert(Severity::Warning, rate, where_check("=~"), long, hold),
    ]
}

/// The same over all locations: no hurry, so that each failed run counts wherever it was seen.
fn ticket(rate: u8, long: &'static str, short: &'static str, hold: &'static str) -> Rule {
    let rate = f64::from(rate);
    let budget = format!("max by (target, check) ({BUDGET})");
    let expr = condition("target_check", rate, &budget, "target, check", long, short);
    alert(Severity::Warning, rate, expr, long, hold)
}

fn condition(level: &str, rate: f64, budget: &str, on: &str, long: &str, short: &str) -> String {
    let expr = "
        LEVEL:RATIOLONG > on (ON) RATE * BUDGET
        and on (ON) (LEVEL:RATIOSHORT > on (ON) RATE * BUDGET)
        and on (ON) (LEVEL:WORSTLONG >= 3)
        and on (ON) (LEVEL:JUDGEDSHORT >= 3)";
    let expr = expr.replace("BUDGET", budget).replace("RATE", &rate.to_string());
    let expr = expr.replace("LEVEL", level).replace("(ON)", &format!("({on})"));
    let expr = expr.replace("RATIO", RATIO).replace("WORST", WORST).replace("JUDGED", JUDGED);
    unindented(&expr.replace("LONG", long).replace("SHORT", short))
}

fn alert(severity: Severity, rate: f64, expr: String, long: &'static str, hold: &'static str) -> Rule {
    Rule::Alert(Alert {
        name: "GateprobeErrorBudgetBurn",
        severity,
        expr,
        hold: Some(hold),
        keep: None,
        label: Some(("window", long)),
        summary: "{{ $labels.check }} of {{ $labels.target }} burns its error budget",
        description: format!(
            "{{{{ $value | humanizePercentage }}}} of the runs of {{{{ $labels.check }}}} against \
             {{{{ $labels.target }}}} within the last @{long}@ failed, more than {rate} times what the objective \
             allows{}.",
            why::reasons_within(long)
        ),
        dashboard: OF_SLO,
    })
}
