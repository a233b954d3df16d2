//! Rules for `hold`.

use super::{Path, Report, within};
use crate::checks::Hold;
use crate::model::Span;

const LEAST_EVERY: Span = Span::millis(100);

/// Checks its settings.
pub fn hold(report: &mut Report<'_>, path: &Path, check: &Hold) {
    let spans = [
        ("watch", Some(check.watch)),
        ("back_within", Some(check.back_within)),
        ("pong_timeout", Some(check.pong_timeout)),
        ("connect_timeout", Some(check.connect_timeout)),
    ];
    within(report, path, &spans, ("timeout", check.timeout()));
    if check.every < LEAST_EVERY {
        let message = format!("{} is too often; the least is {LEAST_EVERY}", check.every);
        report.problem(&path.key("every"), message);
    }
    if check.lifetime == Some(Span::default()) {
        report.problem(&path.key("lifetime"), "0s excuses every end; write more, or remove the field");
    }
}
