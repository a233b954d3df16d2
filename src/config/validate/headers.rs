//! Rules for the headers of the upgrade request.

use std::collections::{BTreeMap, BTreeSet};

use super::auth::{Missing, secret_source};
use super::text::{is_header_text, is_token};
use super::{Path, Report};
use crate::config::settings::HeaderValue;
use crate::config::words::looks_secret;

/// Headers that the upgrade or the connection needs, and that we set.
const OURS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
    "http2-settings",
];

/// Headers whose value is a credential.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];
/// What a header's name contains whose value most likely is a credential.
const CREDENTIAL_WORDS: [&str; 6] = ["token", "secret", "key", "passw", "credential", "signature"];

/// Checks a target's headers.
pub fn headers(report: &mut Report<'_>, target: &Path, headers: &BTreeMap<String, HeaderValue>) {
    let mut seen = BTreeSet::new();
    for (name, value) in headers {
        let path = target.key("headers").key(name);
        if let Some(message) = complaint_about_name(name) {
            report.problem_of_key(&path, message);
            continue;
        }
        if !seen.insert(name.to_lowercase()) {
            report.problem_of_key(&path, "this header stands here twice (case does not count); remove one");
        }
        match value {
            HeaderValue::Plain(text) if is_credential(name) || looks_secret(text) => report.problem(
                &path,
                "a credential must not stand in the config; write {file: PATH} or {env: NAME}, or use auth",
            ),
            HeaderValue::Plain(text) if !is_header_text(text) => {
                report
                    .problem(&path, "*** can't go into a header; write printable ASCII, no blanks around it");
            }
            HeaderValue::Plain(_) => {}
            HeaderValue::Secret(source) => secret_source(report, &path, source, Missing::Later),
        }
    }
}

/// Why a header can't be set; `None` if it can.
pub fn complaint_about_name(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    if !is_token(name) {
        return Some("no name for a header; use letters, digits and -");
    }
    match lower.as_str() {
        "user-agent" => Some("set this by user_agent or contact, at the top of the config"),
        "x-gateprobe-target" => Some("gateprobe sets this header itself; `identify: false` leaves it out"),
        "traceparent" => Some("set this by `trace: {propagate: true}`"),
        "sec-websocket-protocol" => Some("set this by subprotocols"),
        _ if lower.starts_with("sec-websocket-") || OURS.contains(&lower.as_str()) => {
            Some("gateprobe sets this header itself; remove it")
        }
        _ => None,
    }
}

/// Whether a header of this name most likely carries a credential.
pub fn is_credential(name: &str) -> bool {
    let lower = name.to_lowercase();
    CREDENTIALS.contains(&lower.as_str()) || CREDENTIAL_WORDS.iter().any(|word| lower.contains(word))
}
