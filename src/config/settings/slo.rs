//! Objectives.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::Span;

/// An objective: what share of the runs must pass, over what time. A check starts from its target's, as a target does
/// from that of `defaults`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SloSettings {
    /// The share of conclusive runs that must pass: `99.9%` or `0.999`.
    pub objective: Option<Objective>,
    /// The rolling time over which the objective holds, from 1d to 90d; 30d when absent.
    pub period: Option<Span>,
}

/// A share above 0 and below 1, written as such or in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective(f64);

/// The text is not an objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an objective; write a share of the runs, such as 99.9% or 0.999, above 0 and below 1")]
pub struct ObjectiveError;

impl Objective {
    /// The share, from 0 to 1.
    pub fn ratio(self) -> f64 {
        self.0
    }

    fn new(ratio: f64) -> Result<Self, ObjectiveError> {
        if ratio > 0.0 && ratio < 1.0 { Ok(Self(ratio)) } else { Err(ObjectiveError) }
    }
}

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        // Divided as a text: 99.9 / 100 is not 0.999 in binary.
        let number = match text.strip_suffix('%') {
            Some(percent) => format!("{}e-2", percent.trim_end()),
            None => text.to_owned(),
        };
        number.parse().map_err(|_| ObjectiveError).and_then(Self::new)
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As many digits as tell it from its neighbours in a config, and none that binary fractions add.
        let percent = format!("{:.8}", self.0 * 100.0);
        write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(ratio) => Self::new(ratio),
            Written::Text(text) => text.parse(),
        }
        .map_err(de::Error::custom)
    }
}

impl JsonSchema for Objective {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Objective".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "pattern": r"^([0-9]{1,2}(\.[0-9]+)?%|0?\.[0-9]+)$",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "description": "A share of the runs, such as 99.9% or 0.999",
            "x-expects": ObjectiveError.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_is_a_share_in_either_form() {
        for (text, ratio) in
            [("99.9%", 0.999), ("0.999", 0.999), (".5", 0.5), ("99.95%", 0.9995), ("1%", 0.01)]
        {
            assert_eq!(text.parse::<Objective>().map(Objective::ratio), Ok(ratio), "{text}");
        }
        for text in [
            "",
            "%",
            "0%",
            "100%",
            "1",
            "0",
            "-5%",
            "99,9%",
            "99.9",
            "NaN",
            "inf",
            "99.99999999999999999999%",
        ] {
            assert_eq!(text.parse::<Objective>(), Err(ObjectiveError), "{text}");
        }
    }

    #[test]
    fn an_objective_reads_back_what_it_shows() {
        for text in ["99.9%", "99.99%", "99.999%", "95%", "50%", "0.1%"] {
            assert_eq!(text.parse::<Objective>().unwrap().to_string(), text);
        }
    }
}
