//! What a message must look like.

use bytes::Bytes;
use serde_json::Value;

use super::Message;
use super::heard::Heard;
use super::names::{EXCHANGE, NONCE, Scope};
use super::template::Template;
use super::text::Text;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    pub(super) form: Form,
    /// Names the nonce.
    has_nonce: bool,
    /// Names something that only one exchange has.
    is_correlated: bool,
    /// Asks for more than values that are left open: not every message has its shape.
    has_shape: bool,
}

/// The form of a pattern.
#[derive(Debug, Clone)]
pub enum Form {
    /// The whole text.
    Text(Text),
    /// The beginning of a text.
    Beginning(Text),
    /// A JSON value between a prefix and a suffix.
    Json {
        /// Taken off first.
        prefix: Text,
        /// What the value must look like.
        json: Template,
        /// Taken off first.
        suffix: String,
    },
    /// All bytes.
    Binary(Bytes),
    /// The first bytes.
    BinaryBeginning(Bytes),
}

impl Pattern {
    /// Of this form.
    pub fn new(form: Form) -> Self {
        let names = form.names();
        let has = |wanted: &str| names.iter().any(|(_, name)| name == wanted);
        Self {
            has_nonce: has(NONCE),
            is_correlated: EXCHANGE.into_iter().any(has),
            has_shape: form.has_shape(),
            form,
        }
    }

    /// Whether it is one of JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.form, Form::Json { .. })
    }

    /// Whether it tells by the nonce which exchange a message belongs to.
    pub fn has_nonce(&self) -> bool {
        self.has_nonce
    }

    /// Whether it tells at all which exchange a message belongs to.
    pub fn is_correlated(&self) -> bool {
        self.is_correlated
    }

    /// Whether a message can be told by its shape alone, whatever gateprobe gave the exchange.
    pub fn has_shape(&self) -> bool {
        self.has_shape
    }

    /// Whether the message looks like it.
    pub fn matches(&self, heard: &mut Heard<'_>, scope: Scope<'_>) -> bool {
        match (&self.form, heard.message) {
            (Form::Text(pattern), Message::Text(text)) => pattern.matches(text, scope),
            (Form::Beginning(pattern), Message::Text(text)) => pattern.begins(text, scope),
            (Form::Json { json, .. }, Message::Text(_)) => {
                self.json(heard, scope).is_some_and(|value| json.matches(Some(value), scope))
            }
            (Form::Binary(pattern), Message::Binary(bytes)) => pattern == bytes,
            (Form::BinaryBeginning(pattern), Message::Binary(bytes)) => bytes.starts_with(pattern),
            _ => false,
        }
    }

    /// The JSON value inside the message, where the pattern is one of JSON.
    pub fn json<'h>(&self, heard: &'h mut Heard<'_>, scope: Scope<'_>) -> Option<&'h Value> {
        let Form::Json { prefix, suffix, .. } = &self.form else { return None };
        let text = heard.text()?;
        let rest = prefix.strip(text, scope)?;
        let begin = text.len() - rest.len();
        let end = begin + rest.strip_suffix(suffix.as_str())?.len();
        heard.json(begin, end)
    }
}

impl Form {
    /// The names of its placeholders, each with its place in the pattern.
    pub fn names(&self) -> Vec<(String, String)> {
        let of = |field: &str, text: &Text| -> Vec<(String, String)> {
            text.names().map(|name| (format!("/{field}"), name.to_owned())).collect()
        };
        match self {
            Self::Text(text) => of("text", text),
            Self::Beginning(text) => of("starts_with", text),
            Self::Json { prefix, json, .. } => {
                let mut names = of("prefix", prefix);
                json.names("/json", &mut names);
                names
            }
            Self::Binary(_) | Self::BinaryBeginning(_) => Vec::new(),
        }
    }

    fn has_shape(&self) -> bool {
        match self {
            Self::Text(text) | Self::Beginning(text) => text.has_literal(),
            Self::Json { prefix, json, suffix } => {
                prefix.has_literal() || json.has_shape() || !suffix.is_empty()
            }
            Self::Binary(_) | Self::BinaryBeginning(_) => true,
        }
    }
}
