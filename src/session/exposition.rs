//! The part of Prometheus' text format that tells the value of a named series. Pure.
//!
//! Written by hand: the libraries for it take a comma, an equals sign or a brace inside a label's value for the end
//! of it, or refuse a whole page for one line that is about something else.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Chooses series: by the name of the metric, and labels that must have a value. `name{pool="a",zone="b"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    name: String,
    labels: Labels,
}

/// Why a text is no selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// Not `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    #[error("does not begin with the name of a metric")]
    Name,
    /// Something else than equality, or not in braces and quotes.
    #[error("chooses labels in another way than {{name=\"value\", ...}}")]
    Labels,
}

/// Why a page does not tell a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoValue {
    /// No series fits.
    #[error("no series fits")]
    NoSeries,
    /// A line of the metric can't be read.
    #[error("a line of that metric is not in Prometheus' text format")]
    Malformed,
    /// NaN or infinite.
    #[error("its value is not a finite number")]
    NotFinite,
}

/// Names and values, as they stand in the text but for escapes.
type Labels = Vec<(String, String)>;

impl Selector {
    /// The values of all series that fit, added up.
    ///
    /// # Errors
    /// When there is none, or one that can't be read: what is left out would be taken for less.
    pub fn sum(&self, page: &str) -> Result<f64, NoValue> {
        let mut sum = None;
        for line in page.lines() {
            let Some((name, rest)) = name(line.trim_start()).filter(|(name, _)| *name == self.name) else {
                continue;
            };
            debug_assert_eq!(name, self.name);
            let (labels, rest) = labels(rest).ok_or(NoValue::Malformed)?;
            // A timestamp or an exemplar may stand behind the value.
            let value = rest.split_ascii_whitespace().next().ok_or(NoValue::Malformed)?;
            let value: f64 = value.parse().map_err(|_| NoValue::Malformed)?;
            if self.labels.iter().all(|wanted| labels.contains(wanted)) {
                *sum.get_or_insert(0.0) += value;
            }
        }
        match sum {
            None => Err(NoValue::NoSeries),
            Some(sum) if sum.is_finite() => Ok(sum),
            Some(_) => Err(NoValue::NotFinite),
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let (name, rest) = name(text.trim()).ok_or(SelectorError::Name)?;
        let (labels, rest) = labels(rest).ok_or(SelectorError::Labels)?;
        if !rest.is_empty() {
            return Err(SelectorError::Labels);
        }
        Ok(Self { name: name.to_owned(), labels })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let labels: Vec<String> =
            self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        if labels.is_empty() { Ok(()) } else { write!(f, "{{{}}}", labels.join(",")) }
    }
}

/// A name at the beginning, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c| !of_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some((name, rest))
}

/// The labels in braces, if there are braces, and what follows them.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    let Some(mut rest) = text.trim_start().strip_prefix('{') else { return Some((labels, text)) };
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = name(rest)?;
        let quoted = after.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
        let (value, after) = value(quoted)?;
        labels.push((name.to_owned(), value));
        let after = after.trim_start();
        // A comma may stand behind the last one too.
        rest = after.strip_prefix(',').or_else(|| after.starts_with('}').then_some(after))?;
    }
}

/// A label's value up to the closing quote, and what follows that.
fn value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "\
# HELP sessions Open ones, such as sessions 99
# TYPE sessions gauge
sessions{pool=\"a\",path=\"/x,y={z}\"} 3
sessions{ pool = \"a\", path=\"q\\\"uo\\\\te\", } 4 1700000000000
sessions{pool=\"b\"} 1e1
sessions_total 77
other{pool=\"a\" 5
memory_bytes 1.5e+07
nothing{} NaN
";

    fn sum(selector: &str) -> Result<f64, NoValue> {
        selector.parse::<Selector>().expect("a selector").sum(PAGE)
    }

    #[test]
    fn series_that_fit_are_added_up() {
        assert_eq!(sum("sessions"), Ok(17.0));
        assert_eq!(sum("sessions{pool=\"a\"}"), Ok(7.0));
        assert_eq!(sum("sessions{pool=\"a\", path=\"/x,y={z}\"}"), Ok(3.0));
        assert_eq!(sum("sessions{path=\"q\\\"uo\\\\te\"}"), Ok(4.0));
        assert_eq!(sum("memory_bytes"), Ok(15_000_000.0));
    }

    #[test]
    fn what_is_not_there_or_makes_no_sense_is_no_value() {
        assert_eq!(sum("sessions{pool=\"c\"}"), Err(NoValue::NoSeries));
        assert_eq!(sum("session"), Err(NoValue::NoSeries));
        assert_eq!(sum("other"), Err(NoValue::Malformed));
        assert_eq!(sum("nothing"), Err(NoValue::NotFinite));
    }

    #[test]
    fn only_names_and_equality_make_a_selector() {
        for good in ["a", "a:b_c9", "a{}", "a{b=\"c\"}", " a { b = \"c\" , d=\"e\", } "] {
            let selector: Selector = good.parse().expect(good);
            assert_eq!(selector.to_string().parse(), Ok(selector), "{good}");
        }
        for (bad, error) in [
            ("", SelectorError::Name),
            ("9a", SelectorError::Name),
            ("{a=\"b\"}", SelectorError::Name),
            ("a{b=c}", SelectorError::Labels),
            ("a{b=~\"c\"}", SelectorError::Labels),
            ("a{b!=\"c\"}", SelectorError::Labels),
            ("a{b=\"c\"} > 5", SelectorError::Labels),
            ("sum(a)", SelectorError::Labels),
        ] {
            assert_eq!(bad.parse::<Selector>(), Err(error), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_library_writes_is_read(
            values in prop::collection::btree_map("\\PC{0,8}|[,={}\"\\\\\n]{0,6}", -1e9_f64..1e9, 1..6),
        ) {
            let gauges = GaugeVec::new(Opts::new("sessions", "x"), &["pool"]).expect("valid");
            let registry = Registry::new();
            registry.register(Box::new(gauges.clone())).expect("once");
            values.iter().for_each(|(pool, value)| gauges.with_label_values(&[pool]).set(*value));
            let mut page = Vec::new();
            TextEncoder::new().encode(&registry.gather(), &mut page).expect("encoded");
            let page = String::from_utf8(page).expect("UTF-8");
            for (pool, value) in &values {
                let selector = Selector { name: "sessions".into(), labels: vec![("pool".into(), pool.clone())] };
                prop_assert_eq!(selector.sum(&page), Ok(*value), "{}", page);
            }
        }

        #[test]
        fn nothing_makes_it_panic(page in "\\PC*", selector in "\\PC*") {
            let _ = selector.parse::<Selector>().map(|selector| selector.sum(&page));
            let _ = "a".parse::<Selector>().expect("one").sum(&format!("a{page}"));
        }
    }
}
