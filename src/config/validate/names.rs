//! Rules for names and labels.

use std::collections::BTreeMap;

use super::{Path, Report};
use crate::config::words::{normal, quoted};

/// Labels that metrics have of their own, or that Prometheus adds.
const RESERVED: [&str; 24] = [
    "address", "cause", "check", "code", "fate", "instance", "job", "le", "level", "location", "mode",
    "module", "outcome", "peer", "phase", "quantile", "reaction", "reason", "result", "target", "url",
    "vector", "verdict", "version",
];

/// Checks the names of targets (or modules) and that the environment can tell them apart.
pub fn entry_names<'n>(report: &mut Report<'_>, map: &str, names: impl Iterator<Item = &'n str>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for name in names {
        let path = Path::of(&[map, name]);
        if !is_name(name) {
            let message = format!(
                "{} can't be a name; use a to z, 0 to 9, - and _, at most 63, with a letter or digit first",
                quoted(name)
            );
            report.problem_of_key(&path, message);
        } else if let Some(other) = seen.insert(normal(name), name) {
            let message = format!(
                "in the environment, where - is written _, this name is the same as {other:?}; rename one"
            );
            report.problem_of_key(&path, message);
        }
    }
}

/// Checks the names of a target's labels.
pub fn target_labels(report: &mut Report<'_>, target: &Path, labels: &BTreeMap<String, String>) {
    for (name, value) in labels {
        let path = target.key("labels").key(name);
        if !is_label(name) {
            report.problem_of_key(
                &path,
                "no name for a label; use letters, digits and _, no digit first, not __ at the begin",
            );
        } else if RESERVED.contains(&name.as_str()) {
            report.problem_of_key(&path, "gateprobe or Prometheus uses this label itself; take another name");
        } else if value.is_empty() {
            report.problem(&path, "an empty label is no label to Prometheus; write a value, or remove it");
        }
    }
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.len() <= 63
        && name.chars().all(inner)
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn is_label(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !name.starts_with("__")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
