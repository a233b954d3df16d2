//! Rules for `heartbeat`.

use super::{Path, Report, within};
use crate::checks::Heartbeat;
use crate::checks::heartbeat::LevelSetting;
use crate::dialect::{Dialect, Part};
use crate::model::Span;

const LEAST_EVERY: Span = Span::millis(10);

/// Checks its settings.
pub fn heartbeat(
    report: &mut Report<'_>,
    target: &Path,
    dialect: Option<&Dialect>,
    path: &Path,
    check: &Heartbeat,
) {
    let bounds = &check.thresholds;
    let spans = [
        ("thresholds.mean", bounds.mean),
        ("thresholds.p50", bounds.p50),
        ("thresholds.p95", bounds.p95),
        ("thresholds.p99", bounds.p99),
        ("thresholds.max", bounds.max),
        ("thresholds.jitter", bounds.jitter),
    ];
    // A ping that takes longer is lost.
    within(report, path, &spans, ("pong_timeout", check.pong_timeout));
    let spans =
        [("pong_timeout", Some(check.pong_timeout)), ("connect_timeout", Some(check.connect_timeout))];
    within(report, path, &spans, ("timeout", check.timeout()));
    if check.every < LEAST_EVERY {
        report
            .problem(&path.key("every"), format!("{} is too often; the least is {LEAST_EVERY}", check.every));
    }
    if check.levels.as_ref().is_some_and(Vec::is_empty) {
        report.problem(
            &path.key("levels"),
            "pings nowhere; write protocol or application, or remove the field",
        );
    }
    let application = check.levels.iter().flatten().position(|level| *level == LevelSetting::Application);
    if let (Some(index), Some(dialect)) =
        (application, dialect.filter(|dialect| !dialect.has(Part::Heartbeat)))
    {
        let message = format!("the dialect {} has no heartbeat of the client", dialect.name());
        report.problem_of(&[path.key("levels").index(index), target.key("dialect")], message);
    }
    for (field, interval) in [("pings", check.server.pings), ("beats", check.server.beats)] {
        let tolerance = check.server.tolerance;
        if interval.is_some_and(|interval| tolerance >= interval) {
            let message = format!(
                "the tolerance of {tolerance} is not less than the promised interval, so that nothing is early"
            );
            let server = path.key("server");
            report.problem_of(&[server.key("tolerance"), server.key(field), path.clone()], message);
        }
    }
}
