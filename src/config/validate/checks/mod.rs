//! Rules for the checks of a target.

mod flapping;
mod handshake;
mod heartbeat;
mod hold;
pub mod malformed;
mod network_switch;
mod token_refresh;
mod zombie;

use super::{Path, Report};
use crate::checks::{CheckSpec, Surroundings};
use crate::config::cost::cost;
use crate::config::settings::TargetSettings;
use crate::dialect::Dialect;
use crate::model::Span;

const LEAST_INTERVAL: Span = Span::secs(1);
const LEAST_TIMEOUT: Span = Span::millis(100);

/// The checks that are on, with what they need to know of the target.
pub fn specs(settings: &TargetSettings, dialect: Option<&Dialect>) -> Vec<CheckSpec> {
    let around = Surroundings {
        dialect,
        connections_per_second: settings.budget.connections_per_second,
        exclusive: settings.observe.as_ref().is_some_and(|observe| observe.exclusive),
    };
    settings.checks.clone().into_specs().into_iter().map(|spec| spec.fit(&around)).collect()
}

/// Checks the settings of one check against each other and against the target.
pub fn check(
    report: &mut Report<'_>,
    target: &Path,
    settings: &TargetSettings,
    dialect: Option<&Dialect>,
    check: &CheckSpec,
) {
    let path = target.key("checks").key(check.kind());
    times(report, &path, check);
    budget(report, target, (settings, dialect), &path, check);
    match check {
        CheckSpec::Handshake(check) => {
            handshake::handshake(report, target, (settings, dialect), &path, check)
        }
        CheckSpec::Heartbeat(check) => heartbeat::heartbeat(report, target, dialect, &path, check),
        CheckSpec::Zombie(check) => zombie::zombie(report, target, dialect, &path, check),
        CheckSpec::Flapping(check) => flapping::flapping(report, &path, check),
        CheckSpec::Malformed(check) => {
            malformed::malformed(report, target, (settings, dialect), &path, check)
        }
        CheckSpec::NetworkSwitch(check) => {
            network_switch::network_switch(report, target, dialect, &path, check)
        }
        CheckSpec::TokenRefresh(check) => {
            token_refresh::token_refresh(report, target, (settings, dialect), &path, check)
        }
        CheckSpec::Hold(check) => hold::hold(report, &path, check),
    }
}

fn times(report: &mut Report<'_>, path: &Path, check: &CheckSpec) {
    let (interval, timeout) = (path.key("interval"), path.key("timeout"));
    let worst = check.worst_case();
    if check.interval() < LEAST_INTERVAL {
        report
            .problem(&interval, format!("{} is too often; the least is {LEAST_INTERVAL}", check.interval()));
    } else if check.interval() < check.timeout() {
        let (given, least) = (check.interval(), check.timeout());
        let mut message = format!("interval {given} is shorter than timeout {least}");
        // Who wrote the time-out knows how to shorten it.
        message += &match report.is_written(&timeout) {
            true => ", so that runs would overlap".to_owned(),
            false => format!(
                " (not written: the default with these settings), so that runs would overlap; the least interval is \
                 {least}"
            ),
        };
        report.problem_of(&[interval, timeout.clone()], message);
    }
    if check.timeout() < LEAST_TIMEOUT {
        report.problem(&timeout, format!("{} is too short; the least is {LEAST_TIMEOUT}", check.timeout()));
    } else if check.timeout() < worst {
        let message = format!(
            "timeout {} is shorter than a good run may take by the other settings; the least is {worst}",
            check.timeout()
        );
        report.problem_of(&[timeout, path.clone()], message);
    }
}

/// A run that its budget can't carry to the end before the time-out would be inconclusive for ever.
fn budget(
    report: &mut Report<'_>,
    target: &Path,
    (settings, dialect): (&TargetSettings, Option<&Dialect>),
    path: &Path,
    check: &CheckSpec,
) {
    let (budget, cost) = (&settings.budget, cost(check, dialect));
    let held = held_beside(settings, check);
    let seconds = check.timeout().as_secs_f64();
    let budget_path = target.key("budget");
    let mut complain = |field: &str, message: String| {
        let message = format!("budget.{field} {message}");
        report.problem_of(&[budget_path.key(field), path.clone(), path.key("timeout")], message);
    };
    if cost.concurrent + held > u64::from(budget.connections) {
        let beside = if held > 0 { format!(" beside the {held} of hold") } else { String::new() };
        let message = format!(
            "{} is too little for {}, which holds {} at once{beside}",
            budget.connections,
            check.kind(),
            cost.concurrent
        );
        complain("connections", message);
    }
    // The first of a run has nothing to wait for.
    let rates = [
        ("connections_per_second", cost.connections.saturating_sub(1) as f64, budget.connections_per_second),
        ("messages_per_second", cost.messages.saturating_sub(1) as f64, budget.messages_per_second),
        ("bytes_per_second", cost.bytes as f64, budget.bytes_per_second as f64),
    ];
    for (field, needed, rate) in rates {
        if needed > rate * seconds {
            let unit = field.split('_').next().unwrap_or_default();
            let whole = match unit {
                "connections" => cost.connections,
                "messages" => cost.messages,
                _ => cost.bytes,
            };
            let message = format!(
                "{rate} is too little for the {whole} {unit} of {} within its timeout of {}",
                check.kind(),
                check.timeout()
            );
            complain(field, message);
        }
    }
}

/// Connections that another check holds all the time.
fn held_beside(settings: &TargetSettings, check: &CheckSpec) -> u64 {
    let hold = settings.checks.hold.clone().filter(|hold| hold.enabled).map(CheckSpec::Hold);
    hold.filter(|hold| hold.kind() != check.kind()).map_or(0, |hold| u64::from(hold.held()))
}

/// Lengths of time that must be met within a longer one, or never count.
fn within(
    report: &mut Report<'_>,
    path: &Path,
    spans: &[(&str, Option<Span>)],
    (bound, limit): (&str, Span),
) {
    for (field, span) in spans {
        let Some(span) = *span else { continue };
        let path_of = path.dotted(field);
        if span > limit {
            report.problem_of(
                &[path_of, path.key(bound)],
                format!("{span} is longer than {bound} {limit}, so that it never counts"),
            );
        } else if span == Span::default() {
            report.problem(&path_of, "0s can't be met; write more, or remove the field");
        }
    }
}
