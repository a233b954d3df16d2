//! Rules for `flapping`.

use super::{Path, Report, within};
use crate::checks::Flapping;
use crate::model::Span;

const LEAST_EVERY: Span = Span::millis(10);

/// Checks its settings.
pub fn flapping(report: &mut Report<'_>, path: &Path, check: &Flapping) {
    let spans = [
        ("stable_within", Some(check.stable_within)),
        ("connect_timeout", Some(check.connect_timeout)),
        ("pong_timeout", Some(check.pong_timeout)),
        ("settle", check.settle.filter(|_| check.settles)),
        ("drift.least", Some(check.drift.least)),
    ];
    within(report, path, &spans, ("timeout", check.timeout()));
    if check.leave.is_empty() {
        report.problem(&path.key("leave"), "nobody leaves; write close, fin or rst, or remove the field");
    }
    if check.bystander_every < LEAST_EVERY {
        let message = format!("{} is too often; the least is {LEAST_EVERY}", check.bystander_every);
        report.problem(&path.key("bystander_every"), message);
    }
    if check.drift.least > check.connect_timeout {
        let message = format!(
            "{} is longer than connect_timeout {}, so that it never counts",
            check.drift.least, check.connect_timeout
        );
        report.problem_of(&[path.dotted("drift.least"), path.key("connect_timeout")], message);
    }
}
