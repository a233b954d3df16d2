//! What became of the connections, held against the promise.

use std::time::Duration;

use super::Scene;
use super::clock::{By, Fate, Observation};

use super::recovery::Recovery;
use crate::dialect::Origin;
use crate::model::{Cause, End, Failure, Outcome, Span, Verdict, Why};
use crate::session::Proof;

/// What the check asserts; each turns a run red on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the failures' own sentences say it")]
pub enum Assertion {
    BystanderServed,
    HealthyStays,
    Cleaned,
    Released,
    NotEarly,
    Recovers,
}

impl Assertion {
    /// Every assertion.
    pub const ALL: &'static [Self] = &[
        Self::BystanderServed,
        Self::HealthyStays,
        Self::Cleaned,
        Self::Released,
        Self::NotEarly,
        Self::Recovers,
    ];
}

/// What was seen of all connections of a run.
#[derive(Debug)]
pub(super) struct Seen {
    /// The silent ones.
    pub silent: Vec<Observation>,
    /// Those whose window could not be shut.
    pub unshut: usize,
    /// The one that answered again.
    pub recovery: Option<Recovery>,
    /// The healthy ones.
    pub healthy: Vec<Result<Proof, Verdict>>,
}

impl Seen {
    /// How many healthy connections the gateway closed.
    pub(super) fn false_evictions(&self) -> usize {
        let verdicts = self.healthy.iter().filter_map(|result| result.as_ref().err());
        verdicts.filter(|verdict| false_eviction(verdict).outcome == EVICTED).count()
    }
}

const EVICTED: Outcome = Outcome::Fail(Failure::FalseEviction);

/// The verdict of the run.
pub(super) fn verdict(scene: &Scene<'_>, seen: &Seen) -> Verdict {
    if scene.tripped() {
        let detail = "the healthy connection beside the silent ones grew slow";
        return Verdict::new(Outcome::Inconclusive(Cause::BystanderSlowed), detail);
    }
    if let Some(broken) = seen.silent.iter().find_map(|seen| seen.broken.clone()) {
        return broken;
    }
    let findings = findings(scene, seen).into_iter();
    let mut findings = findings.filter(|(what, _)| Some(*what) != scene.check.without);
    if let Some((_, verdict)) = findings.next() {
        for (_, further) in findings {
            scene.visit.evidence.remark(format!("also: {}", further.detail));
        }
        return verdict;
    }
    let story = describe(seen);
    let Some(window) = scene.window() else {
        let detail = format!("no clean-up of silent connections is promised; {story}");
        return Verdict::new(Outcome::Unsupported(Why::Promise), detail);
    };
    if seen.silent.is_empty() {
        let detail = "the window of the connection that was to stall could not be shut";
        return Verdict::new(Outcome::Unsupported(Why::Promise), detail);
    }
    let unknown = |seen: &&Observation| seen.fate(window, &scene.limits) == Fate::Unknown;
    let unsure = |recovery: &Recovery| !recovery.kept && !recovery.unasked && recovery.ended.is_none();
    let recovering = seen.recovery.as_ref().is_some_and(unsure);
    let unasked = |seen: &Observation| seen.fate(window, &scene.limits) == Fate::Unasked;
    if seen.silent.iter().all(unasked) {
        let detail = format!("the gateway never sent the heartbeat that was to stay unanswered; {story}");
        return Verdict::new(Outcome::Unsupported(Why::Promise), detail);
    }
    let unproven = seen.healthy.contains(&Ok(Proof::Missing));
    if unproven || seen.silent.iter().any(|seen| unknown(&seen)) || recovering {
        let detail = format!("the time-out of the check came before the end of the promised window; {story}");
        return Verdict::new(Outcome::Inconclusive(Cause::Budget), detail);
    }
    Verdict::new(Outcome::Pass, story)
}

/// What was wrong, the most telling first.
fn findings(scene: &Scene<'_>, seen: &Seen) -> Vec<(Assertion, Verdict)> {
    let mut found = Vec::new();
    let unhealthy = seen.healthy.iter().filter_map(|result| result.as_ref().err());
    found.extend(unhealthy.map(|verdict| (Assertion::HealthyStays, false_eviction(verdict))));
    let Some(window) = scene.window() else { return found };
    let latest = window.latest;
    for silent in &seen.silent {
        let mode = silent.mode.label();
        let from = origin(silent);
        let (assertion, failure, detail) = match silent.fate(window, &scene.limits) {
            Fate::Leaked(after) => {
                let what = if silent.evicted.is_some() { "let go of only" } else { "still there" };
                let after = seconds(after);
                let none = silent.origin.is_none() && window.origin == Origin::UnansweredBeat;
                let none = none.then(|| {
                    let within = Span::from(scene.limits.beat_within).told();
                    format!(", from the first heartbeat on that it leaves unanswered, and none came within {within}")
                });
                let none = none.unwrap_or_default();
                let detail =
                    format!("a {mode} connection was {what} {after} {from}; {latest} is promised{none}");
                (Assertion::Cleaned, Failure::ZombieLeaked, detail)
            }
            Fate::HalfClosed(held) => {
                let detail = format!(
                    "a {mode} connection was told goodbye ({}), and TCP was still up {} later",
                    by(silent),
                    seconds(held)
                );
                (Assertion::Released, Failure::HalfClosedLeak, detail)
            }
            Fate::Early(after) => {
                let earliest = window.earliest.unwrap_or_default();
                let detail = match after {
                    Some(after) => format!(
                        "a {mode} connection was closed ({}) {} {from}; not before {earliest} is promised",
                        by(silent),
                        seconds(after)
                    ),
                    None => format!(
                        "a {mode} connection was closed ({}) before it had left any heartbeat unanswered",
                        by(silent)
                    ),
                };
                (Assertion::NotEarly, Failure::EvictedEarly, detail)
            }
            Fate::Cleaned(_) | Fate::Unknown | Fate::Unasked => continue,
        };
        found.push((assertion, Verdict::new(Outcome::Fail(failure), detail)));
    }
    if let Some((before, verdict)) = seen.recovery.as_ref().and_then(|recovery| recovery.ended.as_ref()) {
        let (assertion, failure) = match before {
            true => (Assertion::NotEarly, Failure::EvictedEarly),
            false => (Assertion::Recovers, Failure::RecoveredEvicted),
        };
        let detail = &verdict.detail;
        let detail = format!("a connection that was silent for half of the time was not kept: {detail}");
        found.push((assertion, renamed(verdict, failure, detail)));
    }
    found
}

/// The end of a connection that answers everything.
fn false_eviction(verdict: &Verdict) -> Verdict {
    renamed(verdict, Failure::FalseEviction, format!("a healthy connection was closed: {}", verdict.detail))
}

/// An end gets a name of its own here; whatever else went wrong keeps its own.
fn renamed(verdict: &Verdict, failure: Failure, detail: String) -> Verdict {
    use Failure::{ConnectionCut, ConnectionReset, SessionClosed};
    match verdict.outcome {
        Outcome::Fail(SessionClosed | ConnectionCut | ConnectionReset) => {
            Verdict::new(Outcome::Fail(failure), detail)
        }
        _ => verdict.clone(),
    }
}

fn describe(seen: &Seen) -> String {
    let mut parts: Vec<String> = Vec::new();
    for mode in super::Mode::ALL {
        let of_mode: Vec<&Observation> = seen.silent.iter().filter(|seen| seen.mode == *mode).collect();
        let Some(first) = of_mode.first() else { continue };
        let times: Vec<Duration> = of_mode.iter().filter_map(|seen| seen.time()).collect();
        let (count, mode) = (of_mode.len(), mode.label());
        let gone = of_mode.iter().filter(|seen| seen.evicted.is_some()).count();
        let what = match (first.evicted, times.iter().max()) {
            (Some(_), Some(latest)) => {
                format!("let go of {} {} ({})", seconds(*latest), origin(first), by(first))
            }
            (Some(eviction), None) if eviction.censored => {
                format!("let go of ({}), nobody knows when, while the window was shut", by(first))
            }
            (Some(eviction), None) => {
                let after = eviction.at.saturating_duration_since(first.began);
                format!("let go of {} after it began to be silent ({})", seconds(after), by(first))
            }
            (None, _) if first.mode == super::Mode::HalfDead && first.origin.is_none() => {
                "unsupported, the dialect's heartbeat never came".to_owned()
            }
            (None, _) => {
                let held = first.until.saturating_duration_since(first.began);
                format!("still there after {}", seconds(held))
            }
        };
        parts.push(format!("{gone} of {count} {mode}: {what}"));
    }
    if seen.unshut > 0 {
        parts.push("stalled: unsupported, the window could not be shut".to_owned());
    }
    if seen.recovery.as_ref().is_some_and(|recovery| recovery.kept) {
        parts.push("one that answered again was kept".to_owned());
    }
    parts.push(format!(
        "{} healthy",
        seen.healthy.iter().filter(|result| **result == Ok(Proof::Served)).count()
    ));
    parts.join("; ")
}

fn origin(seen: &Observation) -> &'static str {
    match (seen.origin, seen.uncertainty > Duration::ZERO) {
        (Some(_), false) => "after the first heartbeat that it left unanswered",
        (Some(_), true) => "after its last data",
        (None, _) => "after it had gone silent",
    }
}

/// How the gateway let go. Without a Close, a hop before it may have done it.
fn by(seen: &Observation) -> String {
    match seen.evicted.map(|eviction| eviction.by) {
        Some(By::Close(Some(code))) => format!("Close {code}"),
        Some(By::Close(None)) => "Close without a code".to_owned(),
        Some(By::Tcp(End::Fin)) => "FIN without a Close, by the gateway or a hop before it".to_owned(),
        Some(By::Tcp(End::Rst)) => "RST without a Close, by the gateway or a hop before it".to_owned(),
        None => "nothing".to_owned(),
    }
}

/// To the millisecond.
fn seconds(duration: Duration) -> String {
    Span::from(duration).told()
}
