//! What the stream beside the refreshes suffered.

use std::time::{Duration, Instant};

use super::Scene;
use super::client::told;
use super::config::{AFTERMATH, Case};
use super::judge::Assertion;
use super::renew::Session;
use super::seen::Seen;
use crate::model::{Failure, Outcome, Verdict};
use crate::session::{Account, Ledger, tell};

/// Messages before the first refresh that tell what is usual, at the least.
const USUAL: usize = 3;
/// How much later than usual a message may come where nothing else is said.
const SLACK: Duration = Duration::from_secs(1);

/// What the stream suffered.
pub(super) fn stream(scene: &Scene<'_>, seen: &Seen) -> Option<(Assertion, Verdict)> {
    let ledger = scene.stream.as_ref()?.ledger();
    let Account { lost, duplicated, reordered, unknown, .. } = ledger.account();
    let fates = [
        (lost, "were never delivered"),
        (duplicated, "came more than once"),
        (reordered, "came after later ones"),
        (unknown, "were neither acknowledged nor delivered"),
    ];
    let all = ledger.publications();
    let suffered = fates.into_iter().find(|(numbers, _)| !numbers.is_empty());
    let detail = match suffered {
        Some((numbers, what)) => {
            format!("of {all} messages beside the refreshes, {} {what}: {}", numbers.len(), tell(&numbers))
        }
        None => late(scene, seen, &ledger)?,
    };
    Some((Assertion::Undisturbed, Verdict::new(Outcome::Fail(Failure::RefreshDisturbs), detail)))
}

/// Messages that were published while a token was refreshed, and came later than they may.
fn late(scene: &Scene<'_>, seen: &Seen, ledger: &Ledger) -> Option<String> {
    let beside: Vec<&Session> = seen.sessions.iter().filter(|session| session.case == Case::Renew).collect();
    let refreshes = || beside.iter().flat_map(|session| &session.refreshes);
    let first = refreshes().map(|refresh| refresh.sent).min()?;
    let mut usual: Vec<Duration> =
        ledger.times().filter(|(published, _)| *published < first).map(|(_, took)| took).collect();
    let limit = scene.check.thresholds.delivery.map(|span| span.get()).or_else(|| limit(&mut usual))?;
    // While it waits for its answer, and for as long as what it holds up may take.
    let around = |published: Instant| {
        refreshes().any(|refresh| {
            let until = refresh.sent + refresh.answer.map_or(limit, |(_, took)| took) + AFTERMATH;
            refresh.sent.checked_sub(limit).is_some_and(|from| from <= published) && published <= until
        })
    };
    let late = ledger.times().filter(|(published, took)| *took > limit && around(*published));
    let (count, slowest) =
        late.fold((0, Duration::ZERO), |(count, most), (_, took)| (count + 1, most.max(took)));
    let (slowest, limit) = (told(slowest), told(limit));
    (count > 0)
        .then(|| format!("{count} messages came up to {slowest} late beside a refresh; {limit} are allowed"))
}

/// Three times the p95 of what was usual, and at least its median + 1 s; none where too little is known.
fn limit(usual: &mut [Duration]) -> Option<Duration> {
    usual.sort_unstable();
    let nearest = |share: f64| {
        let rank = (usual.len() as f64 * share).ceil() as usize;
        usual.get(rank.saturating_sub(1)).copied()
    };
    (usual.len() >= USUAL).then_some(())?;
    Some((nearest(0.95)? * 3).max(nearest(0.5)? + SLACK))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_late_is_told_by_what_was_usual() {
        assert_eq!(limit(&mut [ms(5), ms(6)]), None, "too little is known");
        assert_eq!(limit(&mut [ms(9), ms(5), ms(7)]), Some(ms(1_007)), "the median and a second");
        let mut slow: Vec<Duration> = (1..=20).map(|n| ms(100 * n)).collect();
        assert_eq!(limit(&mut slow), Some(ms(5_700)), "three times the p95");
    }
}
