//! Rules for `malformed`, and for what a dialect says of its vectors.

use std::collections::BTreeMap;

use super::{Path, Report, within};
use crate::checks::Malformed;
use crate::checks::malformed::{Class, Group, Patience, Unasked, Vector, Word};
use crate::config::settings::TargetSettings;
use crate::config::words::{nearest, quoted};
use crate::dialect::{Dialect, ReactionSpec, SizeSpec};
use crate::model::Span;

const LEAST_EVERY: Span = Span::millis(10);
const LEAST_LIMIT: SizeSpec = SizeSpec(128);

/// Checks its settings.
pub fn malformed(
    report: &mut Report<'_>,
    target: &Path,
    (settings, dialect): (&TargetSettings, Option<&Dialect>),
    path: &Path,
    check: &Malformed,
) {
    let slow = check.chosen().any(|vector| vector.patience == Patience::Slow);
    let spans = [
        ("within", Some(check.within)),
        ("slow_within", Some(check.slow_within).filter(|_| slow)),
        ("connect_timeout", Some(check.connect_timeout)),
        ("pong_timeout", Some(check.pong_timeout)),
    ];
    within(report, path, &spans, ("timeout", check.timeout()));
    for (field, span) in [("every", check.every), ("bystander_every", Some(check.bystander_every))] {
        if let Some(span) = span.filter(|span| *span < LEAST_EVERY) {
            let message = format!("{span} is too often; the least is {LEAST_EVERY}");
            report.problem(&path.key(field), message);
        }
    }
    if let Some(limit) = check.message_limit.filter(|limit| *limit < LEAST_LIMIT) {
        report
            .problem(&path.key("message_limit"), format!("{limit} is too small; the least is {LEAST_LIMIT}"));
    }
    let named = check.vectors.as_deref().unwrap_or_default();
    let known = names(report, &path.key("vectors"), named, check.caution)
        & names(report, &path.key("skip"), &check.skip, true);
    reactions(report, &path.key("reactions"), &check.reactions);
    if !known {
        return;
    }
    let chosen: Vec<&Vector> = check.chosen().collect();
    if chosen.is_empty() {
        let message =
            "no vector is left to send; write more groups or vectors, skip fewer, or remove the check";
        report
            .problem_of(&[path.key("vectors"), path.key("groups"), path.key("skip"), path.clone()], message);
        return;
    }
    let Some(dialect) = dialect else { return };
    let has_credential = settings.auth.is_some();
    let unasked = |vector: &&Vector| Unasked::of(vector, check, dialect, has_credential);
    let reasons: Vec<Unasked> = chosen.iter().filter_map(unasked).collect();
    if let Some(why) = reasons.first().filter(|_| reasons.len() == chosen.len()) {
        let message = format!("the target can be asked none of the vectors: {}", why.why());
        let paths = [path.key("vectors"), path.key("groups"), path.clone(), target.key("dialect")];
        report.problem_of(&paths, message);
    }
}

/// Checks what counts as right, in a check or in a dialect.
pub fn reactions(report: &mut Report<'_>, path: &Path, reactions: &BTreeMap<String, Vec<ReactionSpec>>) {
    for (name, words) in reactions {
        let at = path.key(name);
        let groups = Group::ALL.iter().map(|group| group.label());
        if Vector::named(name).is_none() && !groups.clone().any(|group| group == name) {
            let known = groups.chain(Vector::all().map(|vector| vector.name));
            let message = format!("there is no vector or group {}{}", quoted(name), hint(name, known));
            report.problem_of_key(&at, message);
        }
        if words.is_empty() {
            report.problem(&at, "nothing would be right; write at least one reaction, or remove the field");
        }
        for (index, word) in words.iter().enumerate() {
            if Word::of(word).is_none() {
                let text = word.to_string();
                let near = nearest(&text, Word::names());
                let hint = match near {
                    Some(near) => format!("; did you mean {near}?"),
                    None => format!(
                        "; write a close code, a status, or one of {}",
                        Word::names().collect::<Vec<_>>().join(", ")
                    ),
                };
                report.problem(&at.index(index), format!("{} is not a reaction{hint}", quoted(&text)));
            }
        }
    }
}

/// Whether all of them are known, and may be sent.
fn names(report: &mut Report<'_>, path: &Path, names: &[String], caution: bool) -> bool {
    let before = report.problems.len();
    for (index, name) in names.iter().enumerate() {
        let at = path.index(index);
        match Vector::named(name) {
            None => {
                let known = Vector::all().map(|vector| vector.name);
                report.problem(&at, format!("there is no vector {}{}", quoted(name), hint(name, known)));
            }
            Some(vector) if vector.class == Class::Caution && !caution => {
                report
                    .problem(&at, format!("{name} is of the class caution; write `caution: true` beside it"));
            }
            Some(_) => {}
        }
    }
    report.problems.len() == before
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => "; `gateprobe vectors` lists them".to_owned(),
    }
}
