//! Messages and patterns of messages.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A message: exactly one of `text`, `json` and `binary`. `${name}` stands for a variable, `$${` for `${`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MessageSpec {
    /// A text, as it stands.
    pub text: Option<String>,
    /// A JSON value. A text that is one placeholder and nothing else takes the variable's own type.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Value")]
    pub json: Option<Value>,
    /// Bytes in Base64, without placeholders.
    pub binary: Option<String>,
    /// A text before `json`.
    pub prefix: Option<String>,
    /// A text after `json`, without placeholders.
    pub suffix: Option<String>,
}

/// What a message must look like: exactly one of `text`, `starts_with`, `json`, `binary` and
/// `binary_starts_with`. `${any}` matches anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PatternSpec {
    /// The whole text.
    pub text: Option<String>,
    /// The beginning of a text.
    pub starts_with: Option<String>,
    /// A JSON value: each key named here must be there and match, recursively; lists match item by item.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Value")]
    pub json: Option<Value>,
    /// All bytes of a binary message, in Base64.
    pub binary: Option<String>,
    /// The first bytes of a binary message, in Base64.
    pub binary_starts_with: Option<String>,
    /// A text before `json`, taken off first.
    pub prefix: Option<String>,
    /// A text after `json`, taken off first; without placeholders.
    pub suffix: Option<String>,
}

/// A value that is given as `null` is given.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
