//! Rules for `zombie`.

use super::{Path, Report, within};
use crate::checks::Zombie;
use crate::checks::zombie::Mode;
use crate::dialect::{Dialect, Origin, Part};
use crate::model::Span;

const LEAST_EVERY: Span = Span::millis(10);

/// Checks its settings.
pub fn zombie(
    report: &mut Report<'_>,
    target: &Path,
    dialect: Option<&Dialect>,
    path: &Path,
    check: &Zombie,
) {
    let spans = [
        ("pong_timeout", Some(check.pong_timeout)),
        ("connect_timeout", Some(check.connect_timeout)),
        ("beat_within", check.beat_within),
        ("close_timeout", check.close_timeout),
        ("watch", Some(check.watch).filter(|_| check.window.is_none())),
    ];
    within(report, path, &spans, ("timeout", check.timeout()));
    if check.modes.as_ref().is_some_and(Vec::is_empty) {
        let message = "nothing goes silent; write mute, half_dead or stalled, or remove the field";
        report.problem(&path.key("modes"), message);
    }
    let half_dead = check.modes.iter().flatten().position(|mode| *mode == Mode::HalfDead);
    if let (Some(index), Some(dialect)) = (half_dead, dialect.filter(|d| !Zombie::has(d, Mode::HalfDead))) {
        let message = format!("the dialect {} has no heartbeat to leave unanswered", dialect.name());
        report.problem_of(&[path.key("modes").index(index), target.key("dialect")], message);
    }
    if check.bystander_every < LEAST_EVERY {
        let message = format!("{} is too often; the least is {LEAST_EVERY}", check.bystander_every);
        report.problem(&path.key("bystander_every"), message);
    }
    let Some(window) = &check.window else {
        if dialect.is_some_and(|dialect| !dialect.promises_zombie()) && !report.is_typed(target) {
            let message = format!(
                "no clean-up of silent connections is promised: zombie watches for {}, and judges nothing; say what the \
                 gateway promises, such as window: {{latest: 20s}}",
                check.watch
            );
            report.warning(path, message);
        }
        return;
    };
    let at = path.key("window");
    if window.latest == Span::default() {
        report.problem(&at.key("latest"), "0s can't be met; write more");
    }
    if let Some(earliest) = window.earliest {
        if earliest == Span::default() {
            report.problem(&at.key("earliest"), "0s promises nothing; remove the field");
        } else if check.tolerance >= earliest {
            let message = format!(
                "{} is not less than the window's earliest, {earliest}; nothing would be early",
                check.tolerance
            );
            report.problem_of(&[path.key("tolerance"), at.key("earliest"), path.clone()], message);
        }
    } else if check.tolerance > window.latest {
        let message = format!("{} is more than the window's latest, {}", check.tolerance, window.latest);
        report.problem_of(&[path.key("tolerance"), at.key("latest"), path.clone()], message);
    }
    let speaks = |dialect: &Dialect| dialect.has(Part::Heartbeat) || dialect.has(Part::Echo);
    if let (Origin::LastClientData, Some(dialect)) =
        (window.origin, dialect.filter(|dialect| !speaks(dialect)))
    {
        let message = format!(
            "the dialect {} has no message to send, so that healthy clients only ping; a gateway that counts data \
             alone takes them for silent",
            dialect.name()
        );
        report.warning(&at.key("origin"), message);
    }
    if let Some(earliest) = window.earliest.filter(|earliest| *earliest > window.latest) {
        let message = format!("{earliest} is after latest {}; swap them", window.latest);
        report.problem_of(&[at.key("earliest"), at.key("latest")], message);
    }
}
