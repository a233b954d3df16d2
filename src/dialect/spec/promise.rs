//! What a gateway promises: intervals, windows, close codes, limits.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dialect::promise::Origin;
use crate::model::{SPAN_PATTERN, Span};

const INTERVAL: &str = "not a length of time; write one, such as 25s, or {captured: NAME, unit: ms}";
const CODE: &str = "not a close code; write one of 1000 to 4999, or a range such as \"4200-4299\"";
const SIZE: &str = "not a size; write a whole number with a unit, such as 512B, 64KiB, 100kB or 1MiB";
const SIZE_PATTERN: &str = "^[0-9]{1,9}(B|kB|KiB|MB|MiB)$";

/// A length of time, or the variable that the gateway tells it by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum IntervalSpec {
    /// As it stands.
    Fixed(Span),
    /// As the gateway says.
    Captured {
        /// The variable.
        captured: String,
        /// The unit of its number.
        unit: IntervalUnit,
    },
}

/// The unit of a captured length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntervalUnit {
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

/// Protocol pings that the gateway promises to send.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PingsSpec {
    /// How often.
    pub interval: IntervalSpec,
}

/// The promised clean-up of a client that fell silent: `window`, or `earliest` and `latest`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZombieSpec {
    /// From when the time counts.
    pub origin: Origin,
    /// When the gateway may end the connection at the earliest.
    #[serde(default)]
    pub earliest: Option<IntervalSpec>,
    /// When the gateway has ended the connection at the latest.
    #[serde(default)]
    pub latest: Option<IntervalSpec>,
    /// Both at once.
    #[serde(default)]
    pub window: Option<IntervalSpec>,
    /// TCP is ended at the latest so long after the eviction.
    #[serde(default)]
    pub release: Option<IntervalSpec>,
}

/// What becomes of a session whose token expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpirySpec {
    /// The gateway promises to close it.
    pub enforced: bool,
    /// How long after `exp` a token still counts as good (RFC 7519, section 4.1.4, allows some leeway).
    #[serde(default)]
    pub leeway: Option<Span>,
    /// How long the session may go on after that.
    #[serde(default)]
    pub grace: Option<Span>,
}

/// What the gateway means by its close codes: lists of codes and of ranges such as `"4200-4299"`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClosesSpec {
    /// Our credential, or what we asked for, is refused.
    pub refused: Vec<CodeSpec>,
    /// We asked for too much; come back later.
    pub throttled: Vec<CodeSpec>,
    /// The gateway has no capacity.
    pub unavailable: Vec<CodeSpec>,
    /// The gateway, or this instance of it, goes away; connect again.
    pub drained: Vec<CodeSpec>,
    /// We did not answer heartbeats.
    pub zombie: Vec<CodeSpec>,
}

/// A close code or a range of them, the ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeSpec {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// Limits that the gateway promises.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSpec {
    /// The largest message that the gateway takes.
    pub message: Option<SizeSpec>,
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizeSpec(pub u64);

impl fmt::Display for SizeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("MiB", 1 << 20), ("KiB", 1 << 10), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];
        let whole = units.into_iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (unit, size) = whole.unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl Serialize for SizeSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for IntervalSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(span) => span.fmt(f),
            Self::Captured { captured, .. } => write!(f, "${{{captured}}}"),
        }
    }
}

impl JsonSchema for IntervalSpec {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "pattern": SPAN_PATTERN,
            "properties": {
                "captured": { "type": "string", "description": "The name of a captured variable." },
                "unit": { "enum": ["ms", "s"], "description": "The unit of its number." },
            },
            "required": ["captured", "unit"],
            "additionalProperties": false,
            "description": "A length of time, such as 25s; or the captured variable that has it, with its unit.",
            "x-expects": INTERVAL,
        })
    }
}

impl<'de> Deserialize<'de> for CodeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Code(u16),
            Range(String),
        }
        let (first, last) = match Form::deserialize(deserializer).map_err(|_| D::Error::custom(CODE))? {
            Form::Code(code) => (code, code),
            Form::Range(text) => text
                .split_once('-')
                .and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)))
                .ok_or_else(|| D::Error::custom(CODE))?,
        };
        Ok(Self { first, last })
    }
}

impl JsonSchema for CodeSpec {
    fn schema_name() -> Cow<'static, str> {
        "CloseCodes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 1000,
            "maximum": 4999,
            "pattern": "^[1-4][0-9]{3}-[1-4][0-9]{3}$",
            "description": "A close code, or a range such as \"4200-4299\".",
            "x-expects": CODE,
        })
    }
}

impl<'de> Deserialize<'de> for SizeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match &text[digits..] {
            "B" => 1,
            "kB" => 1_000,
            "KiB" => 1 << 10,
            "MB" => 1_000_000,
            "MiB" => 1 << 20,
            _ => return Err(D::Error::custom(SIZE)),
        };
        let number: u32 = text[..digits].parse().map_err(|_| D::Error::custom(SIZE))?;
        Ok(Self(u64::from(number) * unit))
    }
}

impl JsonSchema for SizeSpec {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": SIZE_PATTERN,
            "description": "A number of bytes with a unit, such as 512B, 64KiB, 100kB or 1MiB.",
            "x-expects": SIZE,
        })
    }
}
