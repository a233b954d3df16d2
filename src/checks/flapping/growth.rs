//! What the gateway says of its sessions and its memory, before, while and after clients come and go.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::config::Flapping;
use crate::session::{ObserveError, Observed, Visit};

/// The time between two looks, while clients come and go.
const EVERY: Duration = Duration::from_secs(1);
/// The time until the second look after that; it doubles, up to `EVERY`.
const SOON: Duration = Duration::from_millis(100);
/// Tries to read a page while none of our own sessions comes or goes.
const TRIES: usize = 5;

/// One look at the gateway.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub observed: Observed,
    /// The sessions that are not ours: other checks of the target come and go too.
    pub others: Option<f64>,
}

impl Look {
    /// Whether the count of sessions holds ours: it is not below them, and it has moved since we had fewer.
    fn counts_ours(&self, idle: Option<&Self>) -> bool {
        let Some(sessions) = self.observed.sessions else { return true };
        let moved = idle.is_none_or(|idle| idle.others.is_none() || idle.observed.sessions != Some(sessions));
        moved && self.others.is_some_and(|others| others >= 0.0)
    }
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Growth {
    pub before: Look,
    /// The most of each while clients came and went.
    pub peak: Option<Observed>,
    /// The last look after that.
    pub after: Option<Result<Look, ObserveError>>,
    /// We looked for as long as the gateway may take.
    pub settled: bool,
    /// The count of sessions never showed those that we held, so that it says nothing of those that ended.
    pub blind: bool,
    /// How long it took until it showed them: what is told later may be as old.
    lag: Duration,
}

impl Growth {
    /// A look before anything has happened but the bystander's coming. Where it is to be judged, one that counts the
    /// bystander: many endpoints tell what was true some seconds ago. `idle` is a look from before.
    pub(super) async fn before(
        check: &Flapping,
        visit: &Visit,
        idle: Option<&Look>,
    ) -> Result<Self, ObserveError> {
        let (began, mut pause) = (Instant::now(), SOON);
        let until = (began + check.settle()).min(visit.until(None));
        loop {
            let enough = Instant::now() >= until;
            let before = look(visit).await?;
            let blind = check.settles && !before.counts_ours(idle);
            if !blind || enough {
                let lag = began.elapsed();
                return Ok(Self { before, peak: None, after: None, settled: false, blind, lag });
            }
            sleep_until((Instant::now() + pause).min(until)).await;
            pause = (pause * 2).min(EVERY);
        }
    }

    /// Looks from time to time until `over`. What can't be read then is not missed.
    pub(super) async fn watch(&mut self, visit: &Visit, over: &CancellationToken) {
        while over.run_until_cancelled(sleep(EVERY)).await.is_some() {
            let Some(Ok(seen)) = over.run_until_cancelled(visit.observe()).await else { continue };
            let peak = self.peak.get_or_insert(seen);
            peak.sessions = most(peak.sessions, seen.sessions);
            peak.memory = most(peak.memory, seen.memory);
        }
    }

    /// Looks until all is as before, or the time for that is over. Where others use the gateway too, once.
    pub(super) async fn settle(&mut self, check: &Flapping, visit: &Visit) {
        let (last, mut pause) = (visit.until(None), SOON);
        let until = Instant::now() + check.settle();
        let fresh = (Instant::now() + self.lag).min(until);
        loop {
            let is_fresh = Instant::now() >= fresh;
            // What is asked for after that is not looked at any more.
            let enough = Instant::now() >= until;
            self.after = Some(look(visit).await);
            if !check.settles || is_fresh && self.is_back(check) || enough {
                self.settled = true;
                return;
            }
            let next = (Instant::now() + pause).min(until);
            if next >= last {
                return;
            }
            sleep_until(next).await;
            pause = (pause * 2).min(EVERY);
        }
    }

    /// The last look, where it told something.
    pub(super) fn looked_after(&self) -> Option<&Look> {
        self.after.as_ref()?.as_ref().ok()
    }

    /// Sessions that are left over.
    pub(super) fn sessions_left(&self) -> Option<f64> {
        Some(self.looked_after()?.others? - self.before.others?)
    }

    /// By how many bytes memory grew.
    pub(super) fn memory_grown(&self) -> Option<f64> {
        Some(self.looked_after()?.observed.memory? - self.before.observed.memory?)
    }

    /// More sessions are left over than may be.
    pub(super) fn sessions_leaked(&self, check: &Flapping) -> bool {
        self.sessions_left().is_some_and(|left| left > f64::from(check.sessions_left))
    }

    /// Memory grew by more than it may.
    pub(super) fn memory_grew(&self, check: &Flapping) -> bool {
        self.memory_grown().is_some_and(|grown| grown > check.memory_growth as f64)
    }

    /// The gateway told its sessions, but never while ours did not come and go.
    pub(super) fn is_unsteady(&self) -> bool {
        let unsteady = |look: &Look| look.observed.sessions.is_some() && look.others.is_none();
        unsteady(&self.before) || self.looked_after().is_some_and(unsteady)
    }

    fn is_back(&self, check: &Flapping) -> bool {
        self.looked_after().is_some()
            && !self.is_unsteady()
            && !self.sessions_leaked(check)
            && !self.memory_grew(check)
    }
}

/// One look, at a time when our own sessions are as many before as after, as far as there is one.
pub(super) async fn look(visit: &Visit) -> Result<Look, ObserveError> {
    let mut tries = 1;
    loop {
        let before = visit.budget().sessions();
        let observed = visit.observe().await?;
        let ours = Some(visit.budget().sessions()).filter(|ours| *ours == before);
        if ours.is_some() || tries == TRIES {
            let others = observed.sessions.zip(ours).map(|(all, ours)| all - ours as f64);
            return Ok(Look { observed, others });
        }
        tries += 1;
    }
}

fn most(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}
