//! Rules for `handshake`.

use super::{Path, Report};
use crate::checks::Handshake;
use crate::config::settings::TargetSettings;
use crate::dialect::Dialect;

/// Checks its settings.
pub fn handshake(
    report: &mut Report<'_>,
    target: &Path,
    (settings, dialect): (&TargetSettings, Option<&Dialect>),
    path: &Path,
    check: &Handshake,
) {
    if check.expect.no_token_refused && settings.auth.is_none() {
        let message = "needs auth, or there is no token to leave out";
        report.problem_of(&[path.dotted("expect.no_token_refused"), target.key("auth")], message);
    }
    let offers = !settings.subprotocols.is_empty() || dialect.is_none_or(|d| !d.subprotocols().is_empty());
    if check.require_subprotocol && !offers {
        let message = "needs subprotocols to choose from";
        report.problem_of(&[path.key("require_subprotocol"), target.key("subprotocols")], message);
    }
    let limits = &check.thresholds;
    let within = check.first_message.as_ref().and_then(|first| first.within);
    let spans = [
        ("thresholds.total", limits.total),
        ("thresholds.dns", limits.dns),
        ("thresholds.tcp", limits.tcp),
        ("thresholds.tls", limits.tls),
        ("thresholds.upgrade", limits.upgrade),
        ("thresholds.first_message", limits.first_message),
        ("first_message.within", within),
        ("close_timeout", Some(check.close_timeout)),
    ];
    super::within(report, path, &spans, ("timeout", check.timeout));
    let opens = dialect.is_some_and(Dialect::opens);
    if opens && check.first_message.is_some() {
        let message = "the dialect's open says already what comes first; remove one of them";
        report.problem_of(&[path.key("first_message"), target.key("dialect")], message);
    }
    if limits.first_message.is_some() && check.first_message.is_none() && !opens {
        let message = "needs first_message, or there is none to wait for";
        report.problem_of(&[path.dotted("thresholds.first_message"), path.key("first_message")], message);
    }
    for (index, code) in check.expect.refusal_codes.iter().enumerate() {
        if !(1000..=4999).contains(code) {
            let message = format!("{code} is not a close code; write 1000 to 4999");
            report.problem(&path.dotted("expect.refusal_codes").index(index), message);
        }
    }
}
