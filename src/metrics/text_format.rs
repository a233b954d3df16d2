//! A strict little reader of the Prometheus text format, for tests only.

use std::collections::{BTreeMap, BTreeSet};

/// Value by series; a series is written as in the text, with its labels in the order of their names.
pub(crate) type Series = BTreeMap<String, f64>;

/// Reads a whole exposition. Panics where it is not well formed: a sample without its `# HELP` and
/// `# TYPE`, a family in two places, a series twice, a bad name or number.
pub(crate) fn parse(text: &str) -> Series {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
    let mut series = Series::new();
    let (mut family, mut done) = (String::new(), BTreeSet::new());
    let mut helped = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            assert!(!help.is_empty());
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(name, helped, "no help");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(done.insert(name.to_owned()), "{name} is there twice");
            family = name.to_owned();
        } else {
            let (key, value) = sample(line);
            let name = key.split('{').next().expect("a name");
            let suffixes = ["", "_bucket", "_sum", "_count"];
            assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
            assert!(series.insert(key, value).is_none(), "{line} is there twice");
        }
    }
    series
}

fn sample(line: &str) -> (String, f64) {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ').expect("a value");
        return (word(name), number(value));
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    while !rest.starts_with('}') {
        let (label, after) = rest.split_once("=\"").expect("a label's value");
        let (value, after) = quoted(after);
        assert!(labels.insert(word(label), value).is_none(), "{label} is there twice: {line}");
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    (format!("{}{{{}}}", word(name), labels.join(",")), number(&rest[2..]))
}

/// Up to the closing quote, and what is behind it.
fn quoted(text: &str) -> (String, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return (text[..at].to_owned(), &text[at + 1..]),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    panic!("no end of the value: {text}")
}

fn word(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    assert!(!name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit()));
    name.to_owned()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}
