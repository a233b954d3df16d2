//! Rules for objectives.

use super::{Path, Report};
use crate::checks::CheckSpec;
use crate::config::plan::Slo;
use crate::config::settings::{Objective, SloSettings};
use crate::model::Span;

const DAY: u64 = 86_400;
const SHORTEST: Span = Span::secs(DAY);
const LONGEST: Span = Span::secs(90 * DAY);
const USUAL: Span = Span::secs(30 * DAY);

/// An alert on fewer failed runs than these would be one on an accident.
const LEAST_BUDGET: f64 = 3.0;
/// The rate at which the quickest alert on a burning budget fires: a month's budget within two days.
const FASTEST_BURN: f64 = 14.4;

/// Checks the objective of a check.
pub fn slo(report: &mut Report<'_>, path: &Path, settings: &SloSettings, check: &CheckSpec) -> Option<Slo> {
    let period = settings.period.unwrap_or(USUAL);
    if !(SHORTEST..=LONGEST).contains(&period) {
        let message = format!("{period} is not between {SHORTEST} and {LONGEST}");
        report.problem(&path.key("period"), message);
        return None;
    }
    let Some(objective) = settings.objective else {
        report
            .problem(&path.key("objective"), "is missing; write one, such as 99.9%, or unset slo with null");
        return None;
    };
    let slo = Slo { objective: objective.ratio(), period };
    warn_of_a_small_budget(report, path, slo, objective, check);
    let burnt = FASTEST_BURN * (1.0 - slo.objective);
    if burnt >= 1.0 {
        let message = format!(
            "{objective} is so low that not even an outage burns its budget {FASTEST_BURN} times as fast: the quickest \
             alert on it can't fire; three failed runs in a row alert all the same"
        );
        report.warning(&path.key("objective"), message);
    }
    Some(slo)
}

fn warn_of_a_small_budget(
    report: &mut Report<'_>,
    path: &Path,
    slo: Slo,
    objective: Objective,
    check: &CheckSpec,
) {
    let interval = check.interval();
    let (period, every) = (slo.period.as_secs_f64(), interval.as_secs_f64());
    let budget = (1.0 - slo.objective) * period / every;
    // Binary fractions must not make of 3 a little less.
    if budget + 1e-6 >= LEAST_BUDGET {
        return;
    }
    // Rounded so that whoever follows the advice is not warned again.
    let interval_that_fits =
        Span::secs(((1.0 - slo.objective) * period / LEAST_BUDGET + 1e-6).floor() as u64);
    let percent = (100.0 * (1.0 - LEAST_BUDGET * every / period) * 1_000.0).floor() / 1_000.0;
    let lower = if percent > 0.0 { format!("lower the objective to {percent}%, or ") } else { String::new() };
    let message = format!(
        "{objective} over {} leaves {} {budget:.1} failed runs at its interval of {interval}, fewer than {LEAST_BUDGET}: one \
         accident would spend it; {lower}run it every {interval_that_fits}",
        slo.period,
        check.kind(),
    );
    report.warning(&path.key("objective"), message);
}
