//! Rules for names and labels that every catalogue must keep.

use std::collections::HashSet;

use super::{Descriptor, Kind, Unit};

/// Labels that others add: Prometheus, the text format, and gateprobe itself.
const RESERVED: [&str; 8] = ["job", "instance", "le", "quantile", "location", "target", "check", "peer"];

/// What is wrong with a catalogue, a line each; empty if nothing is.
pub fn lint(catalogue: &[&Descriptor]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for metric in catalogue {
        let found = [name(metric), labels(metric), help(metric), buckets(metric)];
        problems.extend(found.into_iter().flatten().map(|problem| format!("{}: {problem}", metric.name)));
        if !seen.insert(metric.name) {
            problems.push(format!("{}: two metrics have this name", metric.name));
        }
    }
    problems
}

fn name(metric: &Descriptor) -> Vec<String> {
    let Some(rest) = metric.name.strip_prefix("gateprobe_") else {
        return vec!["does not begin with `gateprobe_`".to_owned()];
    };
    let mut problems = Vec::new();
    if !snake_case(rest) {
        problems.push("is not snake_case".to_owned());
    }
    let (base, counts) = match rest.strip_suffix("_total") {
        Some(base) => (base, true),
        None => (rest, false),
    };
    if counts != (metric.kind == Kind::Counter) {
        problems.push("`_total` is the end of a counter's name, and of no other's".to_owned());
    }
    if !base.ends_with(metric.unit.suffix()) {
        problems.push(format!("does not end in its unit, `{}`", metric.unit.suffix()));
    }
    let units = [Unit::Seconds, Unit::Bytes, Unit::Ratio];
    if metric.unit == Unit::None && units.iter().any(|unit| base.ends_with(unit.suffix())) {
        problems.push("ends in a unit that it does not have".to_owned());
    }
    if metric.unit == Unit::Seconds && base.ends_with(Unit::TimestampSeconds.suffix()) {
        problems.push("is a time stamp by name, and a duration by unit".to_owned());
    }
    let taken = ["_count", "_sum", "_bucket", "_created", "_gauge", "_counter", "_histogram"];
    if let Some(taken) = taken.iter().find(|taken| base.ends_with(*taken)) {
        problems.push(format!("ends in `{taken}`, which has a meaning of its own"));
    }
    problems
}

fn labels(metric: &Descriptor) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for label in metric.labels {
        if !snake_case(label) {
            problems.push(format!("label `{label}` is not snake_case"));
        }
        if RESERVED.contains(label) {
            problems.push(format!("label `{label}` is reserved"));
        }
        if !seen.insert(label) {
            problems.push(format!("label `{label}` is there twice"));
        }
    }
    problems
}

fn help(metric: &Descriptor) -> Vec<String> {
    let help = metric.help;
    let begins = help.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
    let sentences = help.contains(". ") || help.contains('\n') || help.trim() != help;
    if begins && !sentences && help.len() <= 200 {
        return Vec::new();
    }
    vec!["the help is not one sentence of at most 200 bytes with a capital".to_owned()]
}

fn buckets(metric: &Descriptor) -> Vec<String> {
    let Kind::Histogram { buckets } = metric.kind else { return Vec::new() };
    let rising = buckets.windows(2).all(|pair| pair[0] < pair[1]);
    if rising && !buckets.is_empty() && buckets.iter().all(|bound| bound.is_finite()) {
        return Vec::new();
    }
    vec!["the buckets are not rising, finite numbers".to_owned()]
}

fn snake_case(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.contains("__")
        && !text.ends_with('_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{METRICS, Scope};

    const GOOD: Descriptor = Descriptor {
        name: "gateprobe_check_duration_seconds",
        help: "How long a run took",
        scope: Scope::Job,
        kind: Kind::Histogram { buckets: &[0.1, 1.0] },
        unit: Unit::Seconds,
        labels: &["phase"],
    };

    #[test]
    fn the_recorders_own_metrics_keep_the_rules() {
        assert_eq!(lint(METRICS), [""; 0]);
        assert_eq!(lint(&[&GOOD]), [""; 0]);
    }

    #[test]
    fn each_rule_bites() {
        let counter = Kind::Counter;
        let rules: &[(Descriptor, &str)] = &[
            (Descriptor { name: "probe_x_seconds", ..GOOD }, "begin with `gateprobe_`"),
            (Descriptor { name: "gateprobe_xY_seconds", ..GOOD }, "not snake_case"),
            (Descriptor { name: "gateprobe_x_ms", ..GOOD }, "its unit, `_seconds`"),
            (Descriptor { name: "gateprobe_x_seconds", kind: counter, ..GOOD }, "`_total`"),
            (Descriptor { name: "gateprobe_x_seconds_total", ..GOOD }, "`_total`"),
            (Descriptor { unit: Unit::None, ..GOOD }, "a unit that it does not have"),
            (Descriptor { name: "gateprobe_x_timestamp_seconds", ..GOOD }, "a duration by unit"),
            (Descriptor { name: "gateprobe_x_count", unit: Unit::None, ..GOOD }, "`_count`"),
            (Descriptor { labels: &["job"], ..GOOD }, "`job` is reserved"),
            (Descriptor { labels: &["peer"], ..GOOD }, "`peer` is reserved"),
            (Descriptor { labels: &["__x"], ..GOOD }, "`__x` is not snake_case"),
            (Descriptor { labels: &["a", "a"], ..GOOD }, "there twice"),
            (Descriptor { help: "", ..GOOD }, "one sentence"),
            (Descriptor { help: "One. Two", ..GOOD }, "one sentence"),
            (Descriptor { kind: Kind::Histogram { buckets: &[2.0, 1.0] }, ..GOOD }, "rising"),
            (Descriptor { kind: Kind::Histogram { buckets: &[] }, ..GOOD }, "rising"),
        ];
        for (metric, expected) in rules {
            let problems = lint(&[metric]);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(expected), "{problems:?} lacks {expected}");
        }
        assert!(lint(&[&GOOD, &GOOD]).concat().contains("two metrics have this name"));
    }
}
