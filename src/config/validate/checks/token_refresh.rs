//! Rules for `token_refresh`.

use super::{Path, Report, within};
use crate::checks::TokenRefresh;
use crate::checks::token_refresh::Case;
use crate::config::settings::TargetSettings;
use crate::dialect::Dialect;
use crate::model::Span;

const LEAST_EVERY: Span = Span::millis(5);
/// Tokens have whole seconds; one is lost to rounding, and something has to happen before they expire.
const LEAST_LIFETIME: Span = Span::secs(3);
/// What has to fit into a token's life beside the stream before the first refresh.
const REFRESHING: Span = Span::secs(2);

/// Checks its settings.
pub fn token_refresh(
    report: &mut Report<'_>,
    target: &Path,
    (settings, dialect): (&TargetSettings, Option<&Dialect>),
    path: &Path,
    check: &TokenRefresh,
) {
    if let Some(dialect) = dialect.filter(|dialect| !TokenRefresh::has(dialect)) {
        let message = format!("token_refresh needs a dialect with refresh, which {} has not", dialect.name());
        report.problem_of(&[path.clone(), target.key("dialect")], message);
    }
    match &settings.auth {
        None => report.problem(path, "token_refresh needs a token; write auth of the target"),
        Some(auth) if auth.token.mint.is_none() && check.lifetime.is_some() => {
            let message =
                "only tokens that gateprobe signs itself (auth.token.mint) can be made to live so long";
            report.problem(&path.key("lifetime"), message);
        }
        Some(_) => {}
    }
    let spans = [
        ("connect_timeout", Some(check.connect_timeout)),
        ("pong_timeout", Some(check.pong_timeout)),
        ("refresh_timeout", Some(check.refresh_timeout)),
        ("settle", Some(check.settle)),
    ];
    within(report, path, &spans, ("timeout", check.timeout()));
    let thresholds = [("thresholds.mean", check.thresholds.mean), ("thresholds.max", check.thresholds.max)];
    within(report, path, &thresholds, ("refresh_timeout", check.refresh_timeout));
    within(report, path, &[("thresholds.delivery", check.thresholds.delivery)], ("settle", check.settle));
    if check.every < LEAST_EVERY {
        report
            .problem(&path.key("every"), format!("{} is too often; the least is {LEAST_EVERY}", check.every));
    }
    let least = LEAST_LIFETIME.max(Span::from(check.lead() + REFRESHING.get()));
    if check.lifetime() < least {
        let message =
            format!("{} is too short; the least beside messages and every is {least}", check.lifetime());
        report.problem_of(&[path.key("lifetime"), path.key("messages"), path.key("every")], message);
    }
    lists(report, path, check);
    for (field, name) in [("channel", &check.channel), ("user", &check.user)] {
        if name.as_deref() == Some("") {
            report.problem(&path.key(field), "is empty; write a name, or remove the field");
        }
    }
}

fn lists(report: &mut Report<'_>, path: &Path, check: &TokenRefresh) {
    if check.cases.as_ref().is_some_and(Vec::is_empty) {
        report.problem(&path.key("cases"), "nothing would be looked at; write a case, or remove the field");
    }
    let Some(bad) = &check.bad_tokens else { return };
    if bad.is_empty() {
        let message = "no token would be tried; write one, or leave the case bad_tokens out of cases";
        report.problem(&path.key("bad_tokens"), message);
    } else if !check.looks_at(Case::BadTokens) {
        let message = "is only for the case bad_tokens, which cases or the profile leave out";
        report.problem(&path.key("bad_tokens"), message);
    }
}
