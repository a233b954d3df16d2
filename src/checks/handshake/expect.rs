//! The doors that should be locked: each is tried on a connection of its own.

use std::time::Duration;

use tokio::time::Instant;

use super::Step;
use super::config::{Expectation, Handshake};
use crate::checks::finding::{Finding, finding};
use crate::model::{Failure, Outcome, Phase, Verdict, Why};
use crate::session::{Ask, COURTESY, Heard, Refusal, Visit};
use crate::wire::{DialError, Record};

/// An Origin that no gateway lists: `.invalid` is reserved (RFC 2606, section 2).
const FOREIGN_ORIGIN: &str = "https://gateprobe-foreign-origin.invalid";

/// How a gateway met somebody who should not get in.
enum Reception {
    /// Refused, and how.
    Refused(String),
    /// Let in: upgraded, and not thrown out again in time.
    LetIn,
}

impl Handshake {
    pub(super) async fn expectations(&self, visit: &Visit) -> Step {
        if self.expect.no_token_refused {
            self.no_token(visit).await?;
        }
        if let Some(expectation) = self.expect.foreign_origin {
            self.foreign_origin(visit, expectation).await?;
        }
        if self.expect.plain_get_refused {
            plain_get(visit, self.expect.refusal_timeout.get()).await?;
        }
        Ok(())
    }

    async fn no_token(&self, visit: &Visit) -> Step {
        if visit.target().credential.is_none() {
            let detail = "the target has no `auth`, so that nothing can be left out";
            return Err(Verdict::new(Outcome::Unsupported(Why::NoCredential), detail));
        }
        let ask = Ask { credential: false, ..Ask::default() };
        match self.try_door(visit, &ask, "without a credential").await? {
            Reception::Refused(_) => Ok(()),
            Reception::LetIn => {
                let detail = format!(
                    "upgraded without a credential, and not closed by 1008 within {}",
                    self.expect.refusal_timeout
                );
                Err(Verdict::new(Outcome::Fail(Failure::TokenNotRequired), detail))
            }
        }
    }

    async fn foreign_origin(&self, visit: &Visit, expectation: Expectation) -> Step {
        let ask = Ask { origin: Some(FOREIGN_ORIGIN.into()), ..Ask::default() };
        let reception = self.try_door(visit, &ask, "with a foreign Origin").await?;
        let let_in = matches!(reception, Reception::LetIn);
        finding(visit, Finding::ForeignOriginAccepted, let_in);
        match expectation {
            Expectation::Refused if let_in => {
                let detail = format!("upgraded with `Origin: {FOREIGN_ORIGIN}`");
                Err(Verdict::new(Outcome::Fail(Failure::OriginNotChecked), detail))
            }
            _ => Ok(()),
        }
    }

    /// Knocks as somebody who should not get in. What is neither a refusal nor an admission ends the run.
    async fn try_door(&self, visit: &Visit, ask: &Ask, who: &str) -> Result<Reception, Verdict> {
        let mut opened = match visit.open(ask, &Record::new()).await {
            Ok(opened) => opened,
            Err(refusal) => {
                if let Some(status) = refusal.status().filter(|status| self.expect.is_refusal_status(*status))
                {
                    visit.evidence.remark(format!("{who}: refused by status {status}"));
                    return Ok(Reception::Refused(format!("status {status}")));
                }
                let mut verdict = refusal.verdict();
                verdict.detail = format!("{who}: {}", verdict.detail);
                return Err(verdict);
            }
        };
        // Not cut short by the run's deadline: who was not watched long enough was not let in.
        let until = Instant::now() + self.expect.refusal_timeout.get();
        let reception = loop {
            match opened.hear(until).await {
                Heard::Message { .. } | Heard::Ping { .. } | Heard::Pong { .. } => {}
                Heard::Close { code: Some(code), .. } if self.expect.is_refusal_code(code) => {
                    break Reception::Refused(format!("close code {code}"));
                }
                Heard::Nothing { .. } => break Reception::LetIn,
                // It was watched for long enough, whatever the frame is that never became whole.
                Heard::Illegal(_) if Instant::now() >= until => break Reception::LetIn,
                other => return Err(other.unexpected(who)),
            }
        };
        if let Reception::Refused(how) = &reception {
            visit.evidence.remark(format!("{who}: refused by {how}"));
        } else {
            // A Close is a courtesy here: how the gateway answers it was judged before.
            opened.afford_control().await;
            opened.evidence.enter(Phase::Close);
            let _ = opened.say_close(1000, visit.until(Some(COURTESY))).await;
        }
        Ok(reception)
    }
}

/// A GET that asks for no upgrade, with our credential, may be answered by anything but 101.
async fn plain_get(visit: &Visit, patience: Duration) -> Step {
    let fail = |failure, detail: &str| Err(Verdict::new(Outcome::Fail(failure), detail));
    match tokio::time::timeout(patience, visit.plain_get()).await {
        Ok(Ok(101)) => fail(Failure::PlainGetUpgraded, "a GET without `Upgrade` was answered by 101"),
        Ok(Ok(_)) => Ok(()),
        // It hung up, or answered what is not HTTP: no WebSocket was opened.
        Ok(Err(Refusal::Dial(DialError::UpgradeClosed { .. } | DialError::UpgradeMalformed(_)))) => Ok(()),
        Ok(Err(refusal)) => Err(refusal.verdict()),
        Err(_) => fail(Failure::UpgradeTimeout, "a GET without `Upgrade` was not answered in time"),
    }
}
