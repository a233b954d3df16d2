//! A stream of numbered messages: what was published to it, by whom, and what of it was delivered.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::talk::Talk;
use super::visit::Visit;
use super::word::Word;
use crate::dialect::{Answer, Part, Variables};
use crate::model::{Failure, Outcome, Span, Verdict};

/// A stream that one connection publishes to, and others listen to.
#[derive(Debug)]
pub struct Stream {
    /// The time between two messages.
    every: Duration,
    /// What each message carries, in bytes.
    payload: usize,
    /// How long the gateway may take to answer what was published last.
    settle: Duration,
    ledger: Mutex<Ledger>,
    /// Cancelled when no more is to be published.
    enough: CancellationToken,
    /// Cancelled when the gateway has said of each message whether it has it, or was given the time to.
    published: CancellationToken,
}

impl Stream {
    /// Of which nothing was published yet.
    pub fn new(every: Duration, payload: usize, settle: Duration) -> Self {
        Self {
            every,
            payload,
            settle,
            ledger: Mutex::default(),
            enough: CancellationToken::new(),
            published: CancellationToken::new(),
        }
    }

    /// The account of its messages. Never held across an await.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No more is to be published.
    pub fn end(&self) {
        self.enough.cancel();
    }

    /// Whether the gateway has said of each message whether it has it, or was given the time to.
    pub fn is_published(&self) -> bool {
        self.published.is_cancelled()
    }

    /// Publishes one message each `every`, until the stream is to end, and waits for what it still owes an answer.
    ///
    /// # Errors
    /// The verdict, when the gateway refuses a message or ends the connection.
    pub async fn publish(&self, visit: &Visit, talk: &mut Talk) -> Result<(), Verdict> {
        let answers = visit.target().dialect.answers(Part::Publish);
        let payload = "x".repeat(self.payload);
        let mut waiting: HashMap<u64, u64> = HashMap::new();
        let mut next = Instant::now();
        let mut sequence = 0;
        while !self.enough.is_cancelled() {
            sequence += 1;
            let given = Variables::new().with("sequence", sequence).with("payload", payload.as_str());
            let asked = talk.ask(Part::Publish, &given).await;
            let asked = asked.map_err(|word| word.unexpected("in the middle of what was published"))?;
            if let Some((exchange, at)) = asked {
                self.ledger().published(sequence, at);
                match answers {
                    true => drop(waiting.insert(exchange, sequence)),
                    // All that is known of it is that it was sent.
                    false => self.ledger().acknowledged(sequence, at),
                }
            }
            // A moment that was missed is not made up for: a burst would be another test.
            next = (next + self.every).max(Instant::now());
            self.listen(talk, &mut waiting, next).await?;
        }
        let patience = visit.until(Some(self.settle));
        while !waiting.is_empty() && Instant::now() < patience {
            self.listen(talk, &mut waiting, patience).await?;
        }
        if !waiting.is_empty() && self.ledger().acknowledgements() == 0 && patience < visit.until(None) {
            let detail = format!("publish was not answered within {}", Span::from(self.settle));
            return Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail));
        }
        self.published.cancel();
        Ok(())
    }

    /// Takes the gateway's answers until then, or until none is owed and no more is to be published.
    async fn listen(
        &self,
        talk: &mut Talk,
        waiting: &mut HashMap<u64, u64>,
        until: Instant,
    ) -> Result<(), Verdict> {
        loop {
            match talk.next(until).await {
                Word::Answer { exchange, part: Part::Publish, answer, at } => {
                    let Some(sequence) = waiting.remove(&exchange) else { continue };
                    if answer == Answer::Refused {
                        let detail = format!("the gateway refused to publish message {sequence}");
                        return Err(Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail));
                    }
                    self.ledger().acknowledged(sequence, at);
                    if waiting.is_empty() && self.enough.is_cancelled() {
                        return Ok(());
                    }
                }
                // A large message may be on its way when the moment is over.
                Word::Nothing { .. } => return Ok(()),
                over @ Word::Over(..) => {
                    return Err(over.unexpected("in the middle of what was published"));
                }
                _ => {}
            }
        }
    }
}
