//! Whether the baseline is still there: without it nothing can be compared.

use super::dial::kept_out;
use crate::model::{Cause, Failure, Outcome, Phase};

/// Runs in a row that did not reach the baseline, after which it counts as lost; or that were kept out from the first
/// one on, after which it counts as never reached: one that lets nobody in is too broken to be compared with.
pub(super) const LOST: u32 = 5;

/// What the runs against the baseline say of its presence.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Runs in a row that did not reach it.
    missed: u32,
    /// Whether any run has got in.
    met: bool,
    /// Runs that were kept out, while none had got in.
    kept_out: u32,
    /// Why they were.
    why: Option<(Outcome, String)>,
}

/// How a baseline is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gone {
    /// It was there once.
    Lost,
    /// It never was; why.
    NeverReached(String),
}

impl Presence {
    /// One more run has ended.
    pub(super) fn see(&mut self, outcome: Outcome, failed_phase: Option<Phase>, detail: &str) {
        match reaches(outcome, failed_phase) {
            Some(true) => self.missed = 0,
            Some(false) => self.missed += 1,
            None => {}
        }
        match gets_in(outcome, failed_phase) {
            Some(true) => self.met = true,
            Some(false) if !self.met => {
                self.kept_out += 1;
                // A check that is about something else knows less of why.
                let better = |known: &Outcome| {
                    matches!((known, outcome), (Outcome::Inconclusive(_), Outcome::Fail(_)))
                };
                if self.why.as_ref().is_none_or(|(known, _)| better(known)) {
                    self.why = Some((outcome, detail.to_owned()));
                }
            }
            _ => {}
        }
    }

    /// Whether it is gone: by then, all that is missing would be as inconclusive.
    pub(super) fn gone(&self) -> Option<Gone> {
        if !self.met && self.kept_out >= LOST {
            return Some(Gone::NeverReached(self.why()));
        }
        (self.missed >= LOST).then_some(Gone::Lost)
    }

    /// Whether the last run did not reach it, so that it may be gone.
    pub(super) fn in_doubt(&self) -> bool {
        self.missed > 0
    }

    fn why(&self) -> String {
        match &self.why {
            // It says by which reason there was no connection.
            Some((Outcome::Inconclusive(Cause::Precondition), detail)) => detail.clone(),
            Some((outcome, _)) => {
                format!("{} ({})", outcome.reason().unwrap_or_default(), outcome.explain())
            }
            None => String::new(),
        }
    }
}

/// Whether a run got in; none where it never tried, or was asked to come later.
fn gets_in(outcome: Outcome, failed_phase: Option<Phase>) -> Option<bool> {
    match outcome {
        Outcome::Pass => Some(true),
        Outcome::Fail(_) => Some(!kept_out(failed_phase)),
        Outcome::Inconclusive(_) => reaches(outcome, failed_phase).filter(|reaches| !reaches),
        Outcome::Unsupported(_) => None,
    }
}

/// Whether a run got as far as the gateway; none where it was our own doing.
fn reaches(outcome: Outcome, failed_phase: Option<Phase>) -> Option<bool> {
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
            | UpgradeClosed | UpgradeReset | ReconnectFailed,
        ) => Some(false),
        // Who lets us in and then says that there is no capacity was reached.
        Outcome::Fail(Unavailable) => Some(failed_phase.is_none()),
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
    use super::super::dial::failed_phase;
    use super::*;
    use crate::model::Timeline;

    fn saw(presence: &mut Presence, times: u32, outcome: Outcome) {
        let phase = failed_phase(outcome, &Timeline::default());
        (0..times).for_each(|_| presence.see(outcome, phase, "what it said"));
    }

    #[test]
    fn a_baseline_is_lost_when_nothing_reaches_it_any_more() {
        let (gone, slow) = (Outcome::Fail(Failure::ConnectRefused), Outcome::Fail(Failure::TooSlow));
        let mut presence = Presence::default();
        for outcome in [gone, gone, slow, gone, Outcome::Inconclusive(Cause::AgentLag)] {
            saw(&mut presence, 1, outcome);
            assert_eq!(presence.gone(), None);
        }
        assert!(presence.in_doubt());
        saw(&mut presence, LOST - 1, Outcome::Inconclusive(Cause::Precondition));
        assert_eq!(presence.gone(), Some(Gone::Lost));
    }

    #[test]
    fn a_baseline_that_never_let_anybody_in_was_never_reached() {
        let mut presence = Presence::default();
        saw(&mut presence, 2, Outcome::Inconclusive(Cause::Precondition));
        saw(&mut presence, 1, Outcome::Fail(Failure::TlsUntrusted));
        saw(&mut presence, 1, Outcome::Inconclusive(Cause::AgentLag));
        saw(&mut presence, 1, Outcome::Inconclusive(Cause::Precondition));
        assert_eq!(presence.gone(), None);
        saw(&mut presence, 1, Outcome::Fail(Failure::TlsUntrusted));
        let Some(Gone::NeverReached(why)) = presence.gone() else { panic!("{presence:?}") };
        assert_eq!(
            why,
            "tls_untrusted (the gateway's certificate is not issued by an authority that we trust)"
        );
        // Whoever was let in once has met it, however it went on.
        let mut presence = Presence::default();
        saw(&mut presence, 1, Outcome::Fail(Failure::PongLost));
        saw(&mut presence, 20, Outcome::Fail(Failure::Unauthorized));
        assert_eq!(presence.gone(), None);
        // By a close code; a balancer would have let nobody in.
        for (phase, gone) in [(None, false), (Some(Phase::Upgrade), true)] {
            let mut presence = Presence::default();
            let unavailable = Outcome::Fail(Failure::Unavailable);
            (0..LOST).for_each(|_| presence.see(unavailable, phase, "what it said"));
            assert_eq!(presence.gone().is_some(), gone, "{phase:?}");
        }
        // Where no check is about the connection, what they heard of it.
        let mut presence = Presence::default();
        saw(&mut presence, LOST, Outcome::Inconclusive(Cause::Precondition));
        assert_eq!(presence.gone(), Some(Gone::NeverReached("what it said".to_owned())));
    }
}
