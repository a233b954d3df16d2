//! Rules for `network_switch`.

use super::{Path, Report, within};
use crate::checks::NetworkSwitch;
use crate::checks::network_switch::{Way, WayFamily};
use crate::dialect::Dialect;
use crate::model::Span;

const LEAST_EVERY: Span = Span::millis(5);

/// Checks its settings.
pub fn network_switch(
    report: &mut Report<'_>,
    target: &Path,
    dialect: Option<&Dialect>,
    path: &Path,
    check: &NetworkSwitch,
) {
    if let Some(dialect) = dialect.filter(|dialect| !NetworkSwitch::has(dialect)) {
        let message = format!(
            "network_switch needs a dialect with subscribe, publish and delivery that number the messages \
             (${{sequence}}), which {} has not",
            dialect.name()
        );
        report.problem_of(&[path.clone(), target.key("dialect")], message);
    }
    let spans = [
        ("connect_timeout", Some(check.connect_timeout)),
        ("thresholds.resume", check.thresholds.resume),
        ("settle", Some(check.settle)),
    ];
    within(report, path, &spans, ("timeout", check.timeout()));
    if check.every < LEAST_EVERY {
        report
            .problem(&path.key("every"), format!("{} is too often; the least is {LEAST_EVERY}", check.every));
    }
    if let Some(retention) = check.retention.filter(|retention| check.away >= *retention) {
        let message =
            format!("{} is not less than the retention of {retention}; nothing would be kept", check.away);
        report.problem_of(&[path.key("away"), path.key("retention"), path.clone()], message);
    }
    if check.beyond_retention == Some(true) && check.retention.is_none() {
        let message = "nobody says how long a session is kept; write retention";
        report.problem(&path.key("beyond_retention"), message);
    }
    if check.channel.as_deref() == Some("") {
        report.problem(&path.key("channel"), "is empty; write a name, or remove the field");
    }
    for (index, way) in check.paths.iter().enumerate() {
        self::way(report, &path.key("paths").index(index), way);
    }
}

fn way(report: &mut Report<'_>, path: &Path, way: &Way) {
    if way.interface.as_deref().is_some_and(|name| name.is_empty() || name.len() > 15) {
        report.problem(
            &path.key("interface"),
            "is no interface's name; write 1 to 15 characters, such as eth1",
        );
    }
    let v4 = way.source.map(|source| source.is_ipv4());
    if let (Some(v4), Some(family)) = (v4, way.family)
        && v4 != (family == WayFamily::V4)
    {
        report.problem_of(
            &[path.key("family"), path.key("source")],
            "is not the family of the source address; write the same, or remove one",
        );
    }
    if way.other_address && (way.source.is_some() || way.family.is_some()) {
        let message =
            "another address of the same way can't also be of a chosen family or source; remove one";
        report.problem(&path.key("other_address"), message);
    }
}
