//! What a gateway may do about malformed input, as it is written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

const REACTION: &str = "not a reaction; write a close code (1000 to 4999), a status (200 to 599), or a word such as \
                        error_reply or close_4xxx";

/// A reaction to malformed input: a number, or a word whose meaning is not the dialect's affair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ReactionSpec {
    /// A close code, or an HTTP status.
    Number(u16),
    /// A word.
    Word(String),
}

impl fmt::Display for ReactionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for ReactionSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u16),
            Word(String),
        }
        match Form::deserialize(deserializer).map_err(|_| D::Error::custom(REACTION))? {
            Form::Number(number) => Ok(Self::Number(number)),
            Form::Word(word) => Ok(Self::Word(word)),
        }
    }
}

impl JsonSchema for ReactionSpec {
    fn schema_name() -> Cow<'static, str> {
        "Reaction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 200,
            "maximum": 4999,
            "pattern": "^[a-z][a-z0-9_]*$",
            "description": "A close code, an HTTP status, or a word such as error_reply or close_4xxx.",
            "x-expects": REACTION,
        })
    }
}
