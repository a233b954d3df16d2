//! The names that placeholders may use, and what they stand for at a moment.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Variables;

/// Matches anything; known in patterns only.
pub const ANY: &str = "any";
/// Unique for each exchange.
pub const NONCE: &str = "nonce";
/// Numbers the messages of a stream.
pub const SEQUENCE: &str = "sequence";
/// The sequence of the last delivery; set by the dialogue.
pub const LAST_SEQUENCE: &str = "last_sequence";
/// The credential.
pub const TOKEN: &str = "token";
/// The credential before the last refresh.
pub const OLD_TOKEN: &str = "old_token";
/// What an echo or a published message carries.
pub const PAYLOAD: &str = "payload";

/// Given by gateprobe from the first request on.
pub const CONNECTION: [&str; 7] = [TOKEN, "channel", "session", LAST_SEQUENCE, "client", "user", "timestamp"];

/// Given by gateprobe for one exchange.
pub const EXCHANGE: [&str; 4] = [NONCE, SEQUENCE, PAYLOAD, OLD_TOKEN];

/// Whether gateprobe gives the name a value somewhere.
pub fn is_given(name: &str) -> bool {
    CONNECTION.contains(&name) || EXCHANGE.contains(&name)
}

/// Whether a gateway may tell a value of this name: what it alone knows, or may know better.
pub fn may_be_captured(name: &str) -> bool {
    let better_known = ["session", LAST_SEQUENCE, "client", "user", "channel"].contains(&name);
    name != ANY && (better_known || !is_given(name))
}

/// Whether a text can be a name: a lower-case letter, then letters, digits and `_`, at most 64 in all.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The names that are known at a place.
#[derive(Debug, Clone)]
pub struct Known(BTreeSet<String>);

impl Known {
    /// Those given from the first request on.
    pub fn connection() -> Self {
        Self(CONNECTION.iter().map(|name| (*name).to_owned()).collect())
    }

    /// With more.
    #[must_use]
    pub fn and<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = self.clone();
        known.0.extend(names.into_iter().map(str::to_owned));
        known
    }

    /// Whether the name is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// For people: all of them.
    pub fn list(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// What a placeholder stands for at a moment.
#[derive(Debug, Clone, Copy)]
pub enum Meant<'a> {
    /// This.
    Value(&'a Value),
    /// Nothing: nobody has told it.
    Unset,
    /// Anything, as far as a pattern is concerned.
    Anything,
}

/// Where placeholders are looked up.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The exchange's own variables, which win.
    exchange: Option<&'a Variables>,
    connection: &'a Variables,
    /// What gateprobe gives is left open: only the shape of a message counts.
    shape: bool,
}

impl<'a> Scope<'a> {
    /// The connection's variables.
    pub fn of(connection: &'a Variables) -> Self {
        Self { exchange: None, connection, shape: false }
    }

    /// The same for one exchange.
    pub fn within(self, exchange: &'a Variables) -> Self {
        Self { exchange: Some(exchange), ..self }
    }

    /// The same, but with whatever value for what gateprobe gives and the exchange does not have.
    pub fn shape(self) -> Self {
        Self { shape: true, ..self }
    }

    /// What a name stands for.
    pub fn get(self, name: &str) -> Meant<'a> {
        if name == ANY {
            return Meant::Anything;
        }
        let own = self.exchange.and_then(|exchange| exchange.get(name));
        if own.is_none() && self.shape && is_given(name) {
            return Meant::Anything;
        }
        own.or_else(|| self.connection.get(name)).map_or(Meant::Unset, Meant::Value)
    }
}
