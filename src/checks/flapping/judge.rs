//! What became of clients that came and went, held against what a gateway owes them.

use std::time::Duration;

use super::config::Flapping;
use super::cycles::{Load, Round};
use super::drift::Trend;
use super::growth::Growth;
use crate::model::{Cause, Failure, Outcome, Span, Verdict};
use crate::session::{ObserveError, Proof, Visit};

/// What the check asserts; each turns a run red on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the failures' own sentences say it")]
pub enum Assertion {
    BystanderServed,
    BystanderStays,
    Reconnects,
    StableAfterwards,
    NoDrift,
    SessionsEnd,
    MemoryReturns,
}

impl Assertion {
    /// Every assertion.
    pub const ALL: &'static [Self] = &[
        Self::BystanderServed,
        Self::BystanderStays,
        Self::Reconnects,
        Self::StableAfterwards,
        Self::NoDrift,
        Self::SessionsEnd,
        Self::MemoryReturns,
    ];
}

/// What was seen in a run.
#[derive(Debug)]
pub(super) struct Seen {
    /// One client alone, then several at once.
    pub rounds: Vec<Round>,
    /// The connection after the cycles; none where it did not come to that.
    pub stable: Option<Result<std::time::Duration, Verdict>>,
    /// The connection beside the cycles.
    pub bystander: Result<Proof, Verdict>,
    /// The bystander grew slow.
    pub tripped: bool,
    /// What the gateway says of itself; none where the target does not say where.
    pub growth: Option<Result<Growth, ObserveError>>,
}

impl Seen {
    fn connected(&self) -> usize {
        self.rounds.iter().map(|round| round.connects.len()).sum()
    }

    fn failed(&self) -> impl Iterator<Item = &Verdict> {
        self.rounds.iter().flat_map(|round| &round.failed)
    }

    /// Why nothing is known of the gateway's own account.
    pub(super) fn unobserved(&self) -> Option<&ObserveError> {
        match self.growth.as_ref()? {
            Err(error) | Ok(Growth { after: Some(Err(error)), .. }) => Some(error),
            Ok(_) => None,
        }
    }

    /// Why what the gateway tells of its sessions shows nothing.
    fn misled(&self) -> Option<&'static str> {
        let growth = self.growth.as_ref()?.as_ref().ok()?;
        let blind = "its count of sessions did not show the one that we held within `settle` (is `sessions` the right \
                     series, and is it told in time?)";
        let unsteady = "sessions of ours came and went each time that it was read";
        growth.blind.then_some(blind).or_else(|| growth.is_unsteady().then_some(unsteady))
    }
}

/// The verdict of the run.
pub(super) fn verdict(check: &Flapping, visit: &Visit, seen: &Seen) -> Verdict {
    // Who asks for patience gets it, and nothing else is held against him.
    if let Some(ended) = seen.rounds.iter().find_map(|round| round.ended.clone()) {
        return ended;
    }
    if seen.tripped {
        let detail = "the healthy connection beside those that came and went grew slow";
        return Verdict::new(Outcome::Inconclusive(Cause::BystanderSlowed), detail);
    }
    let findings = findings(check, visit, seen).into_iter();
    let mut findings = findings.filter(|(what, _)| Some(*what) != check.without);
    if let Some((_, verdict)) = findings.next() {
        for (_, further) in findings {
            visit.evidence.remark(format!("also: {}", further.detail));
        }
        return verdict;
    }
    let story = describe(check, seen);
    let cut = seen.rounds.iter().any(|round| round.cut) || seen.stable.is_none();
    let unsettled = matches!(&seen.growth, Some(Ok(growth)) if !growth.settled);
    if cut || unsettled || seen.bystander == Ok(Proof::Missing) {
        let detail = format!("the time-out of the check came before all was seen; {story}");
        return Verdict::new(Outcome::Inconclusive(Cause::Budget), detail);
    }
    if let Some(error) = seen.unobserved().filter(|_| check.settles) {
        let detail = format!("the endpoint of `observe` told nothing ({error}); {story}");
        return Verdict::new(Outcome::Inconclusive(Cause::Observe), detail);
    }
    if let Some(why) = seen.misled().filter(|_| check.settles) {
        let detail = format!("the endpoint of `observe` can't be relied on: {why}; {story}");
        return Verdict::new(Outcome::Inconclusive(Cause::Observe), detail);
    }
    Verdict::new(Outcome::Pass, story)
}

/// What was wrong, the most telling first.
fn findings(check: &Flapping, visit: &Visit, seen: &Seen) -> Vec<(Assertion, Verdict)> {
    let fail = |failure, detail| Verdict::new(Outcome::Fail(failure), detail);
    let mut found = Vec::new();
    if let Err(verdict) = &seen.bystander {
        found.push((Assertion::BystanderStays, verdict.clone()));
    }
    let failed = seen.failed().count();
    if let Some(first) = seen.failed().next().filter(|_| failed > check.may_fail() as usize) {
        let (tried, all) = (failed + seen.connected(), check.all_cycles());
        let detail = format!(
            "{failed} of {tried} connections came to nothing ({all} were to be made, and {} may fail); the first one: {}: {}",
            check.may_fail(),
            first.outcome.reason().unwrap_or_default(),
            first.detail
        );
        found.push((Assertion::Reconnects, fail(Failure::ReconnectFailed, detail)));
    }
    if let Some(Err(verdict)) = &seen.stable {
        found.push((Assertion::StableAfterwards, unstable(verdict)));
    }
    for round in &seen.rounds {
        let load = round.load.label();
        let trend = Trend::of(&round.times()).map(|trend| trend.since(visit.recall().get(load)));
        let Some(trend) = trend.filter(|trend| trend.is_beyond(&check.drift)) else {
            continue;
        };
        visit.recall().keep(load, trend.first);
        let detail = format!("{}, with {}", drifted(&trend), who(round.load));
        found.push((Assertion::NoDrift, fail(Failure::ReconnectSlowed, detail)));
    }
    if let Some(Ok(growth)) = seen.growth.as_ref().filter(|_| check.settles) {
        let settle = Span::from(check.settle());
        // Where the run's time was over before the gateway's, it may still have forgotten them.
        let leaked = growth.sessions_leaked(check) && growth.settled && !growth.blind;
        if let Some(left) = growth.sessions_left().filter(|_| leaked) {
            let detail = format!(
                "the gateway counts {left} sessions more than before, {settle} after the last client had left; {} may be left over",
                check.sessions_left
            );
            found.push((Assertion::SessionsEnd, fail(Failure::SessionsLeaked, detail)));
        }
        if let Some(grown) = growth.memory_grown().filter(|_| growth.memory_grew(check) && growth.settled) {
            let detail = format!(
                "the gateway takes {:.1} MB more than before, {settle} after the last client had left; {:.1} MB are allowed",
                grown / 1e6,
                check.memory_growth as f64 / 1e6
            );
            found.push((Assertion::MemoryReturns, fail(Failure::MemoryGrew, detail)));
        }
    }
    found
}

/// What breaks the protocol, or says that there is no capacity, is so without any flapping.
fn unstable(verdict: &Verdict) -> Verdict {
    use Failure::{DialectMismatch, MessageTooLarge, ProtocolViolation, Unavailable};
    match verdict.outcome {
        Outcome::Fail(failure)
            if !matches!(failure, DialectMismatch | MessageTooLarge | ProtocolViolation | Unavailable) =>
        {
            let detail = format!("the connection after the others: {}", verdict.detail);
            Verdict::new(Outcome::Fail(Failure::UnstableAfterFlapping), detail)
        }
        _ => verdict.clone(),
    }
}

fn describe(check: &Flapping, seen: &Seen) -> String {
    let mut parts = vec![format!("{} of {} connections came about", seen.connected(), check.all_cycles())];
    for round in &seen.rounds {
        if let Some(trend) = Trend::of(&round.times()) {
            parts.push(format!("{} ({})", drifted(&trend), who(round.load)));
        }
    }
    if let Some(Ok(rtt)) = &seen.stable {
        parts.push(format!("one more was answered within {}", told(rtt.as_secs_f64())));
    }
    if let Some(Ok(growth)) = &seen.growth
        && let Some(after) = growth.looked_after()
    {
        parts.push(format!(
            "by its own account it had {} before, and {} after",
            growth.before.observed, after.observed
        ));
    }
    parts.join("; ")
}

fn drifted(trend: &Trend) -> String {
    format!(
        "connects took {} at the end and {} at the beginning, {} {} in between",
        told(trend.last.as_secs_f64()),
        told(trend.first.as_secs_f64()),
        if trend.rise < 0.0 { "falling by" } else { "rising by" },
        told(trend.rise.abs())
    )
}

fn who(load: Load) -> &'static str {
    match load {
        Load::Single => "one client alone",
        Load::Concurrent => "several clients at once",
    }
}

/// Where a trend led to may lie below zero, and then means nothing.
fn told(seconds: f64) -> String {
    Span::from(Duration::try_from_secs_f64(seconds).unwrap_or_default()).told()
}
