//! The doors that should be locked: each is tried on a connection of its own.

use std::time::Duration;

use tokio::time::timeout_at;

use super::Step;
use super::config::{Expectation, Handshake};
use super::metrics::{self, Finding};
use crate::model::{Failure, Outcome, Verdict};
use crate::session::{Ask, Heard, Refusal, Visit};
use crate::wire::{DialError, Offer, Record, Request};

/// An Origin that no gateway lists: `.invalid` is reserved (RFC 2606, section 2).
const FOREIGN_ORIGIN: &str = "https://gateprobe-foreign-origin.invalid";

const POLICY_VIOLATION: u16 = 1008;

/// How long a Close may take to be written.
const COURTESY: Duration = Duration::from_millis(100);

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
        metrics::finding(visit, Finding::ForeignOriginAccepted, let_in);
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
            Err(Refusal::Dial(DialError::Status { status: status @ 400..=499 })) => {
                visit.evidence.remark(format!("{who}: refused by status {status}"));
                return Ok(Reception::Refused(format!("status {status}")));
            }
            Err(refusal) => {
                let mut verdict = refusal.verdict();
                verdict.detail = format!("{who}: {}", verdict.detail);
                return Err(verdict);
            }
        };
        let until = visit.until(Some(self.expect.refusal_timeout.get()));
        let reception = loop {
            match opened.hear(until).await {
                Heard::Message { .. } | Heard::Ping | Heard::Pong => {}
                Heard::Close { code: Some(code) }
                    if code == POLICY_VIOLATION || self.expect.refusal_codes.contains(&code) =>
                {
                    break Reception::Refused(format!("close code {code}"));
                }
                // Thrown out without a reason that we know; but thrown out.
                Heard::Ended { .. } => break Reception::Refused("the end of the connection".into()),
                Heard::Close { code } => break Reception::Refused(format!("close code {code:?}")),
                Heard::Nothing { .. } => break Reception::LetIn,
                other => return Err(other.unexpected(who)),
            }
        };
        if let Reception::Refused(how) = &reception {
            visit.evidence.remark(format!("{who}: refused by {how}"));
        } else {
            // A Close is a courtesy here: how the gateway answers it was judged before.
            opened.afford_control().await;
            let _ = opened.say_close(1000, visit.until(Some(COURTESY))).await;
        }
        Ok(reception)
    }
}

/// A GET that asks for no upgrade may be answered by anything but 101.
async fn plain_get(visit: &Visit, patience: Duration) -> Step {
    let refused = |refusal: Refusal| refusal.verdict();
    let (mut connected, _permit) = visit.connect().await.map_err(refused)?;
    let offer = Offer { without_credentials: true, ..Offer::default() };
    let request = Request::plain_get(visit.endpoint(), &offer).map_err(|e| refused(Refusal::Dial(e)))?;
    match timeout_at(visit.until(Some(patience)), connected.exchange(&request)).await {
        Ok(Ok(response)) if response.status == 101 => {
            let detail = "a GET without `Upgrade` was answered by 101";
            Err(Verdict::new(Outcome::Fail(Failure::PlainGetUpgraded), detail))
        }
        // Any other status, nonsense, silence, or the end of the connection: no WebSocket was opened.
        _ => Ok(()),
    }
}
