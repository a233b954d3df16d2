//! An upgrade request that is not as it should be.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::offer::Ask;
use super::refusal::Refusal;
use super::visit::{Prepared, Visit, given};
use crate::model::{End, Phase};
use crate::wire::{Connected, DialError, Record, Request, Response};

/// How the request differs from a good one.
pub struct Altered<'a> {
    /// Spoils the request.
    pub change: &'a (dyn Fn(&mut Request) + Sync),
    /// Sends it line by line with this pause, and never its end; in one write when absent.
    pub pause: Option<Duration>,
    /// How long the gateway may take for its answer, once the request is out (or, with a pause, has begun).
    pub within: Duration,
}

/// How the gateway met it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reception {
    /// What it did.
    pub how: Met,
    /// From right before the last write to right after the read.
    pub took: Duration,
}

/// What a gateway did with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// Answered.
    Answer(Response),
    /// Ended TCP without an answer.
    Ended(End),
    /// Answered what is not HTTP/1.1.
    NotHttp,
    /// Did nothing in time.
    Silence,
}

impl Visit {
    /// Sends a spoilt upgrade request on a connection of its own, after the dialect's request before the upgrade
    /// where it has one; none where the budget would not let it out before the run is over. Redirects are not
    /// followed.
    ///
    /// # Errors
    /// When our credential is unusable, or the connection does not come about.
    pub async fn altered(&self, ask: &Ask, altered: &Altered<'_>) -> Result<Option<Reception>, Refusal> {
        let mut variables = given(ask);
        if let Some(before) = self.target().dialect.before() {
            Box::pin(self.before(before, ask, &mut variables, &Record::new())).await?;
        }
        let evidence = self.evidence.connection();
        evidence.enter(Phase::Budget);
        let _permit = self.budget().connect().await;
        let Prepared { endpoint, offer, .. } = self.prepare(ask, &mut variables, &evidence).await?;
        let mut request = Request::upgrade(&endpoint, &offer).map_err(Refusal::Dial)?;
        (altered.change)(&mut request);
        let bytes = request.encode();
        evidence.enter(Phase::Budget);
        if let Some(at) = self.budget().book(bytes.len()) {
            if at > self.until(None) {
                return Ok(None);
            }
            sleep_until(at).await;
        }
        let record = Record::new();
        let connecting = Box::pin(self.dialer().connect_into(&endpoint, &offer, &evidence, &record));
        let connected = self.patiently(ask, &record, connecting).await?;
        let mut connected = connected.map_err(|failure| Refusal::Dial(failure.error))?;
        let last = self.until(Some(altered.within));
        let began = StdInstant::now();
        let (sent, answer) = match altered.pause {
            None => (began, timeout_at(last, connected.exchange_raw(&bytes)).await.ok()),
            Some(pause) => dripped(&mut connected, &bytes, pause, last).await,
        };
        let at = connected.read_at();
        connected.sever(End::Fin);
        let how = match answer {
            None => Met::Silence,
            Some(Ok(response)) => Met::Answer(response),
            Some(Err(DialError::UpgradeClosed { how })) => Met::Ended(how),
            Some(Err(
                DialError::UpgradeMalformed(_) | DialError::UpgradeHeaderTooLarge | DialError::Http2Only,
            )) => Met::NotHttp,
            Some(Err(DialError::Lost { .. })) => Met::Silence,
            Some(Err(other)) => return Err(Refusal::Dial(other)),
        };
        let took = match how {
            Met::Silence => sent.elapsed(),
            _ => at.saturating_duration_since(sent),
        };
        Ok(Some(Reception { how, took }))
    }
}

/// A line at a time, and never the last one; whatever the gateway says is heard at once. Gives the time of the last
/// write.
async fn dripped(
    connected: &mut Connected,
    request: &[u8],
    pause: Duration,
    last: Instant,
) -> (StdInstant, Option<Result<Response, DialError>>) {
    let mut sent = StdInstant::now();
    let end = request.len().saturating_sub(2);
    for line in request[..end].split_inclusive(|byte| *byte == b'\n') {
        sent = StdInstant::now();
        if let Err(error) = connected.write(line).await {
            // What it said before it hung up says more.
            let said = timeout_at(last, connected.read_response()).await;
            return (sent, Some(said.ok().and_then(Result::ok).ok_or(error)));
        }
        let until = last.min(Instant::now() + pause);
        if let Ok(answer) = timeout_at(until, connected.read_response()).await {
            return (sent, Some(answer));
        }
        if until == last {
            return (sent, None);
        }
    }
    (sent, timeout_at(last, connected.read_response()).await.ok())
}
