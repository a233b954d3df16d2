//! Messages for people's eyes: what is, or may be, a secret is masked, and what is long is cut.

use serde_json::Value;

use crate::dialect::{Message, Variables};
use crate::model::harmless;

const MASK: &str = "***";
/// Characters of a text that are shown, at most.
const LONGEST: usize = 200;
/// Words in a field's name that make its value a secret.
const SECRET_WORDS: [&str; 11] = [
    "token",
    "secret",
    "passw",
    "auth",
    "ticket",
    "credential",
    "cookie",
    "session",
    "jwt",
    "apikey",
    "signature",
];
/// Names that are secret only as a whole: too short to look for inside others.
const SECRET_NAMES: [&str; 8] = ["key", "api_key", "api-key", "sid", "pid", "pwd", "pass", "sig"];
/// Variables that are no secrets: gateprobe makes them up itself.
const PUBLIC: [&str; 6] = ["nonce", "sequence", "last_sequence", "client", "timestamp", "channel"];

/// A message as it may be shown, given what the conversation holds.
pub fn redacted(message: &Message, variables: &Variables) -> String {
    let mut secrets: Vec<String> = variables
        .names()
        .filter(|name| !PUBLIC.contains(name))
        .filter_map(|name| match variables.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) | Value::Null => None,
            other => Some(other.to_string()),
        })
        .filter(|secret| secret.len() > 3)
        .collect();
    // The longest first: one secret may begin with another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    match message {
        Message::Binary(bytes) => format!("{} bytes", bytes.len()),
        Message::Text(text) => {
            let masked = mask_pairs(&mask_json(text));
            let masked = secrets.iter().fold(masked, |text, secret| {
                let quoted = Value::from(secret.as_str()).to_string();
                text.replace(&quoted[1..quoted.len() - 1], MASK).replace(secret.as_str(), MASK)
            });
            shown(&masked)
        }
    }
}

/// Masks the fields of every JSON object and array in the text, whatever stands around them.
fn mask_json(text: &str) -> String {
    let (mut masked, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find(['{', '[']) {
        masked.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        if let Some(Ok(mut value)) = values.next() {
            mask(&mut value, false);
            masked.push_str(&value.to_string());
            rest = &rest[values.byte_offset()..];
        } else {
            // No JSON here; perhaps behind this bracket.
            masked.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    masked + rest
}

/// Masks what a secret name stands for, all of it.
fn mask(value: &mut Value, secret: bool) {
    match value {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, value)| mask(value, secret || is_secret_name(name)));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, secret)),
        Value::String(text) if secret || looks_secret(text) => *value = MASK.into(),
        Value::Number(_) if secret => *value = MASK.into(),
        _ => {}
    }
}

fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| lower.contains(word)) || SECRET_NAMES.contains(&lower.as_str())
}

/// Masks what stands behind a secret name in text that is no JSON: `token=...`, `"token": "...`, `token: ...`.
fn mask_pairs(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, behind) = rest.split_at(at + 1);
        let name = before[..at].trim_end_matches(['"', '\'', ' ']);
        let name = name.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next();
        masked.push_str(before);
        rest = behind;
        if name.is_some_and(|name| !name.is_empty() && is_secret_name(name)) {
            let lead = rest.len() - rest.trim_start_matches([' ', '"', '\'']).len();
            let value = rest[lead..].find(|c: char| c.is_whitespace() || "&;,\"'}])".contains(c));
            let end = value.map_or(rest.len(), |length| lead + length);
            // What is structured has been masked inside.
            if end > lead && !rest[lead..].starts_with(['{', '[']) {
                masked.push_str(&rest[..lead]);
                masked.push_str(MASK);
                rest = &rest[end..];
            }
        }
    }
    masked + rest
}

/// A bearer token by its scheme, or a JWT.
fn looks_secret(text: &str) -> bool {
    let jwt = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| part.starts_with("eyJ") && part.len() > 8);
    jwt || text.to_ascii_lowercase().contains("bearer ")
}

/// On one line, without what a terminal might obey or a reader not see.
fn shown(text: &str) -> String {
    let masked = if looks_secret(text) { MASK } else { text };
    let mut shown: String = masked
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            let plain = harmless(c) == c;
            plain.then_some(c).into_iter().chain((!plain).then(|| c.escape_default()).into_iter().flatten())
        })
        .collect();
    if masked.chars().count() > LONGEST {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let variables = Variables::new().with("token", "tok-123").with("pid", "p\"9x").with("client", "me-1");
        redacted(&Message::Text(text.into()), &variables)
    }

    #[test]
    fn secrets_are_masked_by_name_by_value_and_by_look() {
        assert_eq!(text(r#"{"type":"auth","token":"x"}"#), r#"{"type":"auth","token":"***"}"#);
        assert_eq!(text(r#"40{"pid":"p\"9x","who":"me-1"}"#), r#"40{"pid":"***","who":"me-1"}"#);
        assert_eq!(text("AUTH tok-123 now"), "AUTH *** now");
        assert_eq!(
            text("{\"type\":6}\u{1e}{\"token\":\"x\"}\u{1e}"),
            "{\"type\":6}\\u{1e}{\"token\":\"***\"}\\u{1e}"
        );
        assert_eq!(text(r#"[INFO] {"token":"x"}"#), r#"[INFO] {"token":"***"}"#);
        assert_eq!(text(r#"{"auth":{"value":"x","n":[1]}}"#), r#"{"auth":{"value":"***","n":["***"]}}"#);
        assert_eq!(
            text(r#"{"api_key":"x","sid":"y","aside":"z"}"#),
            r#"{"api_key":"***","sid":"***","aside":"z"}"#
        );
        assert_eq!(text("go to /a?access_token=x9&b=1"), "go to /a?access_token=***&b=1");
        assert_eq!(text(r#"{"token":"cut of"#), r#"{"token":"*** of"#);
        assert_eq!(text(r#"{"a":["eyJhbGciOiJub25lIn0.e30."]}"#), r#"{"a":["***"]}"#);
        assert_eq!(text("eyJhbGciOiJub25lIn0.e30."), "***");
        assert_eq!(redacted(&Message::Binary(vec![1, 2].into()), &Variables::new()), "2 bytes");
    }

    #[test]
    fn a_terminal_is_told_nothing_to_obey() {
        assert_eq!(text("a\u{1b}[2J\u{1e}b\n"), "a\\u{1b}[2J\\u{1e}b\\n");
        assert_eq!(text("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(text(&"x".repeat(500)).len(), LONGEST + 3);
    }
}
