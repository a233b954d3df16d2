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

/// One look at the gateway.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub observed: Observed,
    /// The sessions that are not ours: other checks of the target come and go too.
    pub others: Option<f64>,
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
}

impl Growth {
    /// A look before anything has happened.
    pub(super) async fn before(visit: &Visit) -> Result<Self, ObserveError> {
        let before = look(visit).await?;
        Ok(Self { before, peak: None, after: None, settled: false })
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
        loop {
            // What is asked for after that is not looked at any more.
            let enough = Instant::now() >= until;
            self.after = Some(look(visit).await);
            if !check.settles || self.is_back(check) || enough {
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

    fn is_back(&self, check: &Flapping) -> bool {
        self.looked_after().is_some() && !self.sessions_leaked(check) && !self.memory_grew(check)
    }
}

async fn look(visit: &Visit) -> Result<Look, ObserveError> {
    let observed = visit.observe().await?;
    let ours = visit.budget().sessions() as f64;
    Ok(Look { observed, others: observed.sessions.map(|sessions| sessions - ours) })
}

fn most(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}
