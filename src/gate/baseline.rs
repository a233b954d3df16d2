//! Whether the baseline is still there: without it nothing can be compared.

use crate::model::{Cause, Failure, Outcome};

/// Runs in a row that did not reach the baseline, after which it counts as lost.
pub(super) const LOST: u32 = 5;

/// What the last runs against the baseline say of its presence.
#[derive(Debug, Default)]
pub(super) struct Presence {
    missed: u32,
}

impl Presence {
    /// One more run has ended.
    pub(super) fn see(&mut self, outcome: Outcome) {
        match reaches(outcome) {
            Some(true) => self.missed = 0,
            Some(false) => self.missed += 1,
            None => {}
        }
    }

    /// Whether it is gone.
    pub(super) fn lost(&self) -> bool {
        self.missed >= LOST
    }

    /// Whether the last run did not reach it, so that it may be gone.
    pub(super) fn in_doubt(&self) -> bool {
        self.missed > 0
    }
}

/// Whether a run got as far as the gateway; none where it was our own doing.
fn reaches(outcome: Outcome) -> Option<bool> {
    use Failure::{
        ConnectRefused, ConnectReset, ConnectTimeout, ConnectUnreachable, DnsNoAddress, DnsNotFound,
        DnsServerFailure, DnsTimeout, ProxyTargetFailed, ReconnectFailed, TlsClosed, TlsTimeout, Unavailable,
        UpgradeClosed, UpgradeReset, UpgradeTimeout,
    };
    match outcome {
        Outcome::Pass | Outcome::Unsupported(_) => Some(true),
        Outcome::Fail(
            DnsNotFound | DnsNoAddress | DnsServerFailure | DnsTimeout | ConnectRefused | ConnectUnreachable
            | ConnectReset | ConnectTimeout | ProxyTargetFailed | TlsTimeout | TlsClosed | UpgradeTimeout
            | UpgradeClosed | UpgradeReset | Unavailable | ReconnectFailed,
        ) => Some(false),
        Outcome::Fail(_) => Some(true),
        Outcome::Inconclusive(
            Cause::AgentLag
            | Cause::AgentThrottled
            | Cause::AgentDescriptors
            | Cause::AgentPorts
            | Cause::AgentShutdown
            | Cause::AgentPanic
            | Cause::Budget,
        ) => None,
        Outcome::Inconclusive(Cause::Observe | Cause::BystanderSlowed | Cause::Throttled) => Some(true),
        Outcome::Inconclusive(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_lost_when_nothing_reaches_it_any_more() {
        let (gone, slow) = (Outcome::Fail(Failure::ConnectRefused), Outcome::Fail(Failure::TooSlow));
        let mut presence = Presence::default();
        for outcome in [gone, gone, slow, gone, Outcome::Inconclusive(Cause::AgentLag)] {
            presence.see(outcome);
            assert!(!presence.lost());
        }
        assert!(presence.in_doubt());
        (1..LOST).for_each(|_| presence.see(Outcome::Inconclusive(Cause::Precondition)));
        assert!(presence.lost());
    }
}
