//! Why a connection did not come about.

use std::time::Duration;

use super::before::BeforeFault;
use crate::model::{Cause, Outcome, Phase, Span, Verdict};
use crate::wire::DialError;

/// Why a connection did not come about.
#[derive(Debug)]
pub enum Refusal {
    /// Our own credential is missing or expired; the text says which.
    Credential(String),
    /// The dial failed.
    Dial(DialError),
    /// The dial took longer than the check wanted to wait.
    Late {
        /// How long that was.
        within: Duration,
        /// What had been begun by then, and was not done.
        phase: Phase,
    },
    /// The run was over before the check had waited for as long as it wanted: nothing is known of the gateway.
    OutOfTime,
    /// The dialect's request before the upgrade failed.
    Before(BeforeFault),
}

impl Refusal {
    /// What it means for the run.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Credential(why) => Verdict::new(Outcome::Inconclusive(Cause::Credential), why.clone()),
            Self::Dial(error) => Verdict::new(error.outcome(), error.to_string()),
            Self::Late { within, phase } => {
                let detail = format!("{} within {}", undone(*phase), Span::from(*within));
                Verdict::new(phase.timed_out(), detail)
            }
            Self::OutOfTime => {
                let detail = "the time-out of the check came before a connection could be made";
                Verdict::new(Outcome::Inconclusive(Cause::Budget), detail)
            }
            Self::Before(fault) => {
                Verdict::new(fault.outcome(), format!("the dialect's request before the upgrade: {fault}"))
            }
        }
    }

    /// What it means for the run of a check that is about something else: `handshake` counts the failure.
    pub fn precondition(&self) -> Verdict {
        let verdict = self.verdict();
        match verdict.outcome {
            Outcome::Fail(failure) => {
                let detail = format!("could not connect ({}): {}", failure.reason(), verdict.detail);
                Verdict::new(Outcome::Inconclusive(Cause::Precondition), detail)
            }
            _ => verdict,
        }
    }

    /// The HTTP status by which the gateway refused, where it did.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Dial(DialError::Status { status, .. }) => Some(*status),
            Self::Before(fault) => fault.status(),
            _ => None,
        }
    }
}

/// What a dial had not done when its time ran out.
fn undone(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "the name was not resolved",
        Phase::Proxy => "the proxy had no way to the gateway",
        Phase::Tls => "connected, but TLS was not up",
        Phase::Before => "connected, but the dialect's request before the upgrade was not answered",
        Phase::Upgrade => "connected, but the upgrade request was not answered",
        _ => "no connection",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Failure;

    #[test]
    fn what_took_too_long_is_named_by_its_phase() {
        let within = Duration::from_secs(5);
        let late = |phase| Refusal::Late { within, phase }.verdict();
        let silent = late(Phase::Upgrade);
        assert_eq!(silent.outcome, Outcome::Fail(Failure::UpgradeTimeout));
        assert_eq!(silent.detail, "connected, but the upgrade request was not answered within 5s");
        assert_eq!(late(Phase::Tls).outcome, Outcome::Fail(Failure::TlsTimeout));
        assert_eq!(late(Phase::Tcp).outcome, Outcome::Fail(Failure::ConnectTimeout));
        assert_eq!(late(Phase::Tcp).detail, "no connection within 5s");
        assert_eq!(late(Phase::Proxy).outcome, Outcome::Inconclusive(Cause::ProxyUnavailable));
    }
}
