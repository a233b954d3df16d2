//! What a well-behaved client says to be taken for alive, and what it is answered.

use std::time::{Duration, Instant};

use super::talk::Talk;
use super::visit::Visit;
use super::word::Word;
use crate::dialect::{Part, Variables};
use crate::model::{Failure, Outcome, Span, Verdict};

impl Talk {
    /// Says the first of these parts that the dialect has, or else pings, and waits for the answer for as long as
    /// `within`, counted from when the budget had allowed it. Gives the time right before the write, and the round
    /// trip.
    ///
    /// # Errors
    /// The verdict, when the answer does not come (`pong_lost`), or something else instead.
    pub async fn say_something(
        &mut self,
        visit: &Visit,
        parts: &[Part],
        within: Duration,
    ) -> Result<(Instant, Duration), Verdict> {
        let mut asked = None;
        for part in parts {
            if asked.is_none() {
                let answer = self.ask(*part, &Variables::default()).await;
                asked = answer.map_err(|word| word.in_session(self.has_answered()))?;
            }
        }
        let id: [u8; 8] = rand::random();
        let (exchange, at) = match asked {
            Some((exchange, at)) => (Some(exchange), at),
            None => {
                let sent = self.ping(id.to_vec()).await;
                (None, sent.map_err(|word| word.in_session(self.has_answered()))?)
            }
        };
        // Counted from now: that we had to wait for the budget is not the gateway's fault.
        let until = visit.until(Some(within));
        loop {
            match self.next(until).await {
                Word::Pong { payload, at: came } if exchange.is_none() && *payload == id => {
                    return Ok((at, came.saturating_duration_since(at)));
                }
                Word::Answer { exchange: answered, at: came, .. } if exchange == Some(answered) => {
                    return Ok((at, came.saturating_duration_since(at)));
                }
                Word::Nothing { mid_frame: false } => {
                    let detail = format!("a ping was not answered within {}", Span::from(within));
                    return Err(Verdict::new(Outcome::Fail(Failure::PongLost), detail));
                }
                over @ (Word::Over(..) | Word::Nothing { .. }) => {
                    return Err(over.in_session(self.has_answered()));
                }
                _ => {}
            }
        }
    }
}
