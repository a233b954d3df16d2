//! A length of time as people write it in the config: `250ms`, `5s`, `1m30s`, `2h`, `21d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time with a unit in its text. A bare number is refused: nobody should have to know its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(Duration);

/// What a text must look like to be a [`Span`].
pub const SPAN_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d))+$";

const UNITS: [(&str, f64); 6] =
    [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

/// Ten years: longer than anybody waits, and short enough for every sum.
const LONGEST: f64 = 3_650.0 * 86_400.0;

/// The text is not a length of time that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// No number with a unit.
    #[error("not a length of time; write a number with a unit, such as 250ms, 5s, 1m30s, 2h or 21d")]
    NoSpan,
    /// Longer than ten years.
    #[error("more than 3650d, which is the longest")]
    TooLong,
}

impl Span {
    /// A span of whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A span of whole milliseconds.
    pub const fn millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// As a standard duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// As people want to hear it, which is not exact: `5.23s`, `1m43s`, `2h5m`. Three digits below a minute, and from
    /// there on two units.
    pub fn told(self) -> String {
        let seconds = self.as_secs_f64();
        if seconds < 59.95 {
            return three_digits(seconds);
        }
        let step: u32 = match seconds {
            ..3_599.5 => 1,
            ..86_370.0 => 60,
            _ => 3_600,
        };
        let steps = (seconds / f64::from(step)).round() as u64;
        Self::secs(steps * u64::from(step)).to_string()
    }

    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let mut total = 0.0_f64;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(SpanError::NoSpan)?;
            let number: f64 = rest[..digits].parse().map_err(|_| SpanError::NoSpan)?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
            let (_, factor) =
                UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or(SpanError::NoSpan)?;
            total += number * factor;
            rest = &rest[letters..];
        }
        if text.is_empty() {
            return Err(SpanError::NoSpan);
        }
        if total > LONGEST {
            return Err(SpanError::TooLong);
        }
        Duration::try_from_secs_f64((total * 1e9).round() / 1e9).map(Self).map_err(|_| SpanError::NoSpan)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WHOLE: [(&str, u128); 3] = [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000)];
        const DECIMAL: [(&str, u128, usize); 3] = [("s", 1_000_000, 6), ("ms", 1_000, 3), ("us", 1, 0)];
        let mut micros = self.0.as_micros();
        if micros == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in WHOLE {
            if micros >= size {
                write!(f, "{}{unit}", micros / size)?;
                micros %= size;
            }
        }
        // Below a minute a decimal number, as people write it: 1.5s.
        let Some((unit, size, digits)) = DECIMAL.into_iter().find(|(_, size, _)| micros >= *size) else {
            return Ok(());
        };
        write!(f, "{}", micros / size)?;
        if !micros.is_multiple_of(size) {
            write!(f, ".{}", format!("{:0digits$}", micros % size).trim_end_matches('0'))?;
        }
        f.write_str(unit)
    }
}

/// Of less than a minute, without zeros at its end.
fn three_digits(seconds: f64) -> String {
    let (number, unit) = match seconds {
        0.0 => return "0s".into(),
        ..0.000_999_5 => return format!("{:.0}us", (seconds * 1e6).max(1.0)),
        ..0.999_5 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let decimals = match number {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let digits = format!("{number:.decimals$}");
    let short = if decimals > 0 { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{short}{unit}")
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": SPAN_PATTERN,
            "description": "A length of time: a number with a unit, such as 250ms, 5s, 1m30s, 2h or 21d",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_need_a_unit() {
        for text in ["", "5", "5 s", "s", "5x", "1m30", "-5s", "1..5s", "5S"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::NoSpan), "{text}");
        }
        assert_eq!("3650d1s".parse::<Span>(), Err(SpanError::TooLong));
        assert_eq!("1m30s".parse(), Ok(Span::secs(90)));
        assert_eq!("1.5s".parse(), Ok(Span::millis(1_500)));
        assert_eq!("250ms".parse(), Ok(Span::millis(250)));
        assert_eq!("21d".parse(), Ok(Span::secs(21 * 86_400)));
    }

    #[test]
    fn a_span_is_written_as_people_write_it() {
        for (micros, written) in [
            (1, "1us"),
            (1_700, "1.7ms"),
            (250_000, "250ms"),
            (1_000_000, "1s"),
            (5_002_000, "5.002s"),
            (61_500_000, "1m1.5s"),
            (90_000_000, "1m30s"),
            (90_000_000_000, "1d1h"),
        ] {
            assert_eq!(Span::from(Duration::from_micros(micros)).to_string(), written);
        }
    }

    #[test]
    fn people_are_told_no_more_than_they_want_to_hear() {
        for (exact, told) in [
            ("0s", "0s"),
            ("7us", "7us"),
            ("999us700us", "1.7ms"),
            ("1234us", "1.23ms"),
            ("250ms", "250ms"),
            ("999900us", "1s"),
            ("5s2ms", "5s"),
            ("5230ms", "5.23s"),
            ("20400ms", "20.4s"),
            ("59s990ms", "1m"),
            ("1m1ms", "1m"),
            ("1m43s400ms", "1m43s"),
            ("7m15s900ms", "7m16s"),
            ("59m59s900ms", "1h"),
            ("2h5m31s", "2h6m"),
            ("23h59m50s", "1d"),
            ("3d4h40m", "3d5h"),
        ] {
            assert_eq!(exact.parse::<Span>().unwrap().told(), told, "{exact}");
        }
    }

    proptest! {
        #[test]
        fn what_is_told_is_a_span_of_about_that_length(micros in 1_u64..1_000_000_000_000) {
            let span = Span::from(Duration::from_micros(micros));
            let told: Span = span.told().parse().unwrap();
            let off = (told.as_secs_f64() - span.as_secs_f64()).abs() / span.as_secs_f64();
            prop_assert!(off < 0.025, "{} told as {}", span, told);
            let units = span.told().chars().filter(char::is_ascii_alphabetic).collect::<String>();
            prop_assert!(["us", "ms", "s", "ms", "h", "hm", "d", "dh", "m"].contains(&units.as_str()), "{units}");
        }

        #[test]
        fn a_span_reads_back_what_it_shows(micros in 0_u64..1_000_000_000_000) {
            let span = Span::from(Duration::from_micros(micros));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
