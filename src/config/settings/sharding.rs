//! Several agents that share the targets of one config.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Several agents that share the targets of one config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sharding {
    /// How many agents share the targets. Each must say the same.
    #[schemars(range(min = 1, max = 256))]
    pub shards: u32,
    /// Which of them this one is, from 0: a number, or a name with the number behind its last hyphen, such as that of a
    /// StatefulSet's pod. Usually set by the variable GATEPROBE__SHARDING__INDEX.
    #[serde(default)]
    pub index: Option<ShardIndex>,
}

/// A shard's number, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ShardIndex {
    /// The number.
    Number(u32),
    /// A text that ends in the number.
    Name(String),
}

const INDEX: &str = "not a shard; write its number, or a name that ends in it, such as gateprobe-2";

impl ShardIndex {
    /// The number, if there is one.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(name) => {
                let digits = name.rsplit_once('-').map_or(name.as_str(), |(_, digits)| digits);
                // `parse` would take a sign.
                digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
            }
        }
    }
}

impl JsonSchema for ShardIndex {
    fn schema_name() -> Cow<'static, str> {
        "ShardIndex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": 255,
            "description": "A shard's number, or a name that ends in it.",
            "x-expects": INDEX,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_in_its_number() {
        let number = |text: &str| ShardIndex::Name(text.into()).number();
        assert_eq!(number("gateprobe-eu-12"), Some(12));
        assert_eq!(number("7"), Some(7));
        for odd in ["", "gateprobe", "gateprobe-", "gateprobe-7f6d9", "gateprobe-+1", "-", "99999999999"] {
            assert_eq!(number(odd), None, "{odd}");
        }
        assert_eq!(ShardIndex::Number(3).number(), Some(3));
    }
}
