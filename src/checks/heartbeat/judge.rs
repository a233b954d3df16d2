//! What was seen, held against what is tolerated. Pure.

use std::time::{Duration, Instant};

use super::beats::{Beats, Rhythm};
use super::config::Heartbeat;
use super::stats::Stats;
use crate::model::{Failure, Outcome, Span, Verdict};
use crate::session::{Level, Pings, Tally};

/// What the check asserts; each turns a run red on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the failures' own sentences say it")]
pub enum Assertion {
    SessionStays,
    PongMatches,
    PongComes,
    PongOnce,
    BeatComes,
    BeatOnTime,
    Mean,
    P50,
    P95,
    P99,
    Max,
    Jitter,
}

impl Assertion {
    /// Every assertion.
    pub const ALL: &'static [Self] = &[
        Self::SessionStays,
        Self::PongMatches,
        Self::PongComes,
        Self::PongOnce,
        Self::BeatComes,
        Self::BeatOnTime,
        Self::Mean,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::Max,
        Self::Jitter,
    ];
}

/// What was seen on one connection.
#[derive(Debug)]
pub struct Seen {
    /// Our pings, by level, where we sent some.
    pub pings: Vec<(Level, Pings)>,
    /// The gateway's own beats, by level, where they are promised or came.
    pub beats: Vec<Beats>,
    /// How the connection ended before its time, if it did.
    pub ended: Option<Verdict>,
    /// When we stopped looking.
    pub until: Instant,
    /// We had to stop before all was known.
    pub cut: bool,
}

/// What was wrong, the most telling first.
pub fn findings(check: &Heartbeat, seen: &[Seen]) -> Vec<(Assertion, Verdict)> {
    let mut found = Vec::new();
    let ended = seen.iter().filter_map(|seen| seen.ended.clone());
    found.extend(ended.take(1).map(|verdict| (Assertion::SessionStays, verdict)));
    for level in [Level::Protocol, Level::Application] {
        answers(check, level, &tally(check, seen, level), &mut found);
    }
    for (beats, until) in seen.iter().flat_map(|seen| seen.beats.iter().map(move |b| (b, seen.until))) {
        found.extend(beat(check, beats, until));
    }
    for level in [Level::Protocol, Level::Application] {
        times(check, level, &stats(seen, level), &mut found);
    }
    found
}

/// What became of all pings of a level.
pub fn tally(check: &Heartbeat, seen: &[Seen], level: Level) -> Tally {
    let patience = check.pong_timeout.get();
    let of_level = seen.iter().flat_map(|seen| {
        let pings = seen.pings.iter().filter(move |(at, _)| *at == level);
        pings.map(|(_, pings)| pings.tally(seen.until, patience))
    });
    of_level.fold(Tally::default(), Tally::plus)
}

/// The round-trip times of all pings of a level.
pub fn stats(seen: &[Seen], level: Level) -> Stats {
    let pings = seen.iter().flat_map(|seen| &seen.pings).filter(|(at, _)| *at == level);
    Stats::new(pings.map(|(_, pings)| pings.rtts().collect()).collect())
}

fn answers(check: &Heartbeat, level: Level, tally: &Tally, found: &mut Vec<(Assertion, Verdict)>) {
    let mut find = |assertion, failure, detail| {
        found.push((assertion, Verdict::new(Outcome::Fail(failure), detail)));
    };
    let asked = tally.answered + tally.lost + tally.superseded;
    let share = tally.lost as f64 / asked.max(1) as f64;
    let level = level.label();
    // A pong that nobody asked for is legal (RFC 6455, section 5.5.3); beside a ping without an answer it is
    // that answer, with the wrong payload.
    if tally.mismatched > 0 && tally.lost > 0 {
        let detail = format!(
            "{} {level} answers carry what was never asked, {} of {asked} pings have none",
            tally.mismatched, tally.lost
        );
        find(Assertion::PongMatches, Failure::PongMismatch, detail);
    }
    if tally.lost > 0 && share > check.thresholds.loss {
        let detail = format!(
            "{} of {asked} {level} pings were not answered within {}",
            tally.lost, check.pong_timeout
        );
        find(Assertion::PongComes, Failure::PongLost, detail);
    }
    if tally.duplicated > 0 {
        let detail = format!("{} {level} answers came again, to {asked} pings", tally.duplicated);
        find(Assertion::PongOnce, Failure::PongDuplicated, detail);
    }
}

fn beat(check: &Heartbeat, beats: &Beats, until: Instant) -> Option<(Assertion, Verdict)> {
    let level = beats.level.label();
    let (interval, tolerance) = (beats.promised?, check.server.tolerance);
    let (assertion, failure, detail) = match beats.rhythm(tolerance.get(), until)? {
        Rhythm::Missing { since } => {
            let detail = format!(
                "no {level} heartbeat of the gateway within {}; one each {interval} is promised",
                told(since)
            );
            (Assertion::BeatComes, Failure::BeatMissing, detail)
        }
        Rhythm::Off { gap } => {
            let detail = format!(
                "the gateway's {level} heartbeat came after {}; {interval} \u{b1} {tolerance} is promised",
                told(gap)
            );
            (Assertion::BeatOnTime, Failure::BeatOff, detail)
        }
    };
    Some((assertion, Verdict::new(Outcome::Fail(failure), detail)))
}

fn times(check: &Heartbeat, level: Level, stats: &Stats, found: &mut Vec<(Assertion, Verdict)>) {
    let bounds = &check.thresholds;
    let measured = [
        (Assertion::Mean, "mean", stats.mean(), check.mean()),
        (Assertion::P50, "p50", stats.quantile(0.5), bounds.p50),
        (Assertion::P95, "p95", stats.quantile(0.95), bounds.p95),
        (Assertion::P99, "p99", stats.quantile(0.99), bounds.p99),
        (Assertion::Max, "max", stats.max(), bounds.max),
        (Assertion::Jitter, "jitter", stats.jitter(), bounds.jitter),
    ];
    for (assertion, name, measured, bound) in measured {
        let (Some(measured), Some(bound)) = (measured, bound) else { continue };
        if measured > bound.get() {
            let failure = if assertion == Assertion::Jitter { Failure::TooJittery } else { Failure::TooSlow };
            let level = level.label();
            let detail = format!("{level} {name} was {} (threshold {bound})", told(measured));
            found.push((assertion, Verdict::new(Outcome::Fail(failure), detail)));
        }
    }
}

/// For people.
pub fn told(duration: Duration) -> String {
    Span::from(duration).told()
}
