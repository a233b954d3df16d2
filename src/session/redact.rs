//! Messages for people's eyes: what is, or may be, a secret is masked, and what is long is cut.

use serde_json::Value;

use crate::dialect::{Message, Variables};

const MASK: &str = "***";
/// Characters of a text that are shown, at most.
const LONGEST: usize = 200;
/// Words in a field's name that make its value a secret.
const SECRET_WORDS: [&str; 9] =
    ["token", "secret", "password", "passwd", "auth", "ticket", "credential", "cookie", "session"];
/// Variables that are no secrets: gateprobe makes them up itself.
const PUBLIC: [&str; 6] = ["nonce", "sequence", "last_sequence", "client", "timestamp", "channel"];

/// A message as it may be shown, given what the conversation holds.
pub fn redacted(message: &Message, variables: &Variables) -> String {
    let secrets: Vec<String> = variables
        .names()
        .filter(|name| !PUBLIC.contains(name))
        .filter_map(|name| match variables.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) | Value::Null => None,
            other => Some(other.to_string()),
        })
        .filter(|secret| secret.len() > 3)
        .collect();
    match message {
        Message::Binary(bytes) => format!("{} bytes", bytes.len()),
        Message::Text(text) => {
            let masked = mask_json(text).unwrap_or_else(|| text.clone());
            let masked = secrets.iter().fold(masked, |text, secret| {
                let quoted = Value::from(secret.as_str()).to_string();
                text.replace(&quoted[1..quoted.len() - 1], MASK).replace(secret.as_str(), MASK)
            });
            shown(&masked)
        }
    }
}

/// Masks the fields of the first JSON value in the text, whatever stands before and behind it.
fn mask_json(text: &str) -> Option<String> {
    let begin = text.find(['{', '['])?;
    let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>();
    let mut value = values.next()?.ok()?;
    let end = begin + values.byte_offset();
    mask(&mut value);
    Some(format!("{}{value}{}", &text[..begin], &text[end..]))
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let lower = name.to_ascii_lowercase();
                let secret = SECRET_WORDS.iter().any(|word| lower.contains(word)) && !value.is_object();
                if secret && !value.is_boolean() && !value.is_null() {
                    *value = MASK.into();
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::String(text) if looks_secret(text) => *value = MASK.into(),
        _ => {}
    }
}

/// A bearer token by its scheme, or a JWT.
fn looks_secret(text: &str) -> bool {
    let jwt = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| part.starts_with("eyJ") && part.len() > 8);
    jwt || text.to_ascii_lowercase().contains("bearer ")
}

/// On one line, without what a terminal might obey.
fn shown(text: &str) -> String {
    let masked = if looks_secret(text) { MASK } else { text };
    let mut shown: String = masked
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            let plain = !c.is_control();
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
        assert_eq!(text(r#"{"a":["eyJhbGciOiJub25lIn0.e30."]}"#), r#"{"a":["***"]}"#);
        assert_eq!(text("eyJhbGciOiJub25lIn0.e30."), "***");
        assert_eq!(redacted(&Message::Binary(vec![1, 2].into()), &Variables::new()), "2 bytes");
    }

    #[test]
    fn a_terminal_is_told_nothing_to_obey() {
        assert_eq!(text("a\u{1b}[2J\u{1e}b\n"), "a\\u{1b}[2J\\u{1e}b\\n");
        assert_eq!(text(&"x".repeat(500)).len(), LONGEST + 3);
    }
}
