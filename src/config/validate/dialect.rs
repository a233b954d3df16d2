//! Rules for a dialect that its own language does not have: what may go into a request, and no secrets.

use serde_json::Value;

use super::auth::token_place;
use super::headers::{complaint_about_name, is_credential};
use super::text::is_header_text;
use super::{Path, Report, checks};
use crate::config::words::looks_secret;
use crate::dialect::Spec;

const NO_SECRETS: &str =
    "a credential must not stand in a dialect; write ${token}, and where it comes from in auth";

/// Checks a dialect; `file` is all that stands in its file.
pub fn dialect(report: &mut Report<'_>, spec: &Spec, file: &Value) {
    if let Some(place) = &spec.credential {
        token_place(report, &Path::of(&["credential"]), place);
    }
    checks::malformed::reactions(report, &Path::of(&["reactions"]), &spec.reactions);
    for (name, value) in spec.before.iter().flat_map(|before| &before.headers) {
        let path = Path::of(&["before", "headers", name]);
        if let Some(message) = complaint_about_name(name) {
            report.problem_of_key(&path, message);
        } else if is_credential(name) && !value.contains("${") {
            report.problem(&path, NO_SECRETS);
        } else if !is_header_text(value) {
            report.problem(&path, "can't go into a header; write printable ASCII, no blanks around it");
        }
    }
    for (field, value) in file.as_object().into_iter().flatten() {
        // What stands before a token is none.
        if field != "credential" {
            no_secrets(report, &Path::of(&[field]), value);
        }
    }
}

/// A token in a template is a mistake that would end up in version control.
fn no_secrets(report: &mut Report<'_>, path: &Path, value: &Value) {
    match value {
        Value::String(text) if holds_secret(text) => report.problem(path, NO_SECRETS),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| no_secrets(report, &path.index(index), item));
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| no_secrets(report, &path.key(key), value));
        }
        _ => {}
    }
}

/// A JWT, or something that bears one. Templates may speak of both.
fn holds_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let bears = lower.split_once("bearer ").is_some_and(|(_, token)| !token.trim().is_empty());
    !text.contains("${") && (bears || text.split_whitespace().any(looks_secret))
}
