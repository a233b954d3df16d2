//! Values that may be secret, and where secrets come from.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Where a secret comes from: a file or a variable of the environment, never the config itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("x-expects" = SECRET))]
pub struct SecretSource {
    /// A file with the secret; one line break at its end is dropped. Read again when it changes.
    pub file: Option<PathBuf>,
    /// The name of a variable of the environment.
    pub env: Option<String>,
}

const SECRET: &str = "a secret must not stand in the config; write {file: PATH} or {env: NAME}";
const HEADER: &str = "not the value of a header; write a text, {file: PATH} or {env: NAME}";

/// A header's value: plain text, or a secret from elsewhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// As it stands.
    Plain(String),
    /// A secret.
    Secret(SecretSource),
}

/// A URL; its user, password and query never show.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MaskedUrl(pub String);

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(***)"),
            Self::Secret(source) => source.fmt(f),
        }
    }
}

impl fmt::Display for MaskedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_url(&self.0))
    }
}

impl fmt::Debug for MaskedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl JsonSchema for HeaderValue {
    fn schema_name() -> Cow<'static, str> {
        "HeaderValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "properties": {
                "file": { "type": "string", "description": "A file with the value." },
                "env": { "type": "string", "description": "The name of a variable of the environment." },
            },
            "additionalProperties": false,
            "description": "A header's value: a text, or a file or variable that has it.",
            "x-expects": HEADER,
        })
    }
}

/// The text of a URL without its user, password, query and fragment. Works on broken URLs too.
pub fn mask_url(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (head, tail) = text.split_at(end);
    let tail = if tail.is_empty() { "" } else { "?***" };
    let Some(colon) = head.find("://") else {
        return if head.contains('@') { "***".into() } else { format!("{head}{tail}") };
    };
    let (scheme, rest) = head.split_at(colon + 3);
    // The last `@`, wherever it stands: a password may hold a slash.
    match rest.rfind('@') {
        Some(at) => format!("{scheme}***@{}{tail}", &rest[at + 1..]),
        None => format!("{scheme}{rest}{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_in_a_url_never_shows() {
        for (url, shown) in [
            ("wss://h.example/p?access_token=s3cr3t", "wss://h.example/p?***"),
            ("wss://user:s3cr3t@h.example/p", "wss://***@h.example/p"),
            ("wss://user:s3/cr3t@h.example", "wss://***@h.example"),
            ("user:s3cr3t@h.example", "***"),
            ("wss://h.example:99999/#s3cr3t", "wss://h.example:99999/?***"),
            ("http://h.example", "http://h.example"),
        ] {
            assert_eq!(mask_url(url), shown);
            assert!(!format!("{:?} {}", MaskedUrl(url.into()), MaskedUrl(url.into())).contains("s3"));
        }
        assert!(!format!("{:?}", HeaderValue::Plain("s3cr3t".into())).contains("s3"));
    }
}
