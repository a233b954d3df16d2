//! What a gateway says in a conversation, and what an end that should not have come means.

use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;

use super::manners::Level;
use super::opened::Heard;
use crate::dialect::{Answer, CloseClass, Message, Part};
use crate::model::{Cause, Failure, Outcome, Verdict};
use crate::wire::Broken;

/// What was said, and what it means.
#[derive(Debug)]
pub enum Word {
    /// The gateway's heartbeat.
    Beat {
        /// Of which level.
        level: Level,
        /// When it had been read.
        at: StdInstant,
    },
    /// A pong.
    Pong {
        /// Its payload.
        payload: Bytes,
        /// When it had been read.
        at: StdInstant,
    },
    /// An answer to what we had asked.
    Answer {
        /// To which question.
        exchange: u64,
        /// Of which kind.
        part: Part,
        /// What it says.
        answer: Answer,
        /// When it had been read.
        at: StdInstant,
    },
    /// What looks like an answer, but answers nothing that we asked.
    Stray {
        /// To what it would be one.
        part: Part,
        /// It answers what was answered already.
        repeated: bool,
        /// When it had been read.
        at: StdInstant,
    },
    /// A message of the stream that we subscribed to.
    Delivery {
        /// Its sequence number, where the dialect has one.
        sequence: Option<u64>,
        /// When it had been read.
        at: StdInstant,
    },
    /// A step of the opening was met.
    Step,
    /// While opening: a message that the dialect does not know of.
    WrongStep,
    /// The gateway wants us to come back on a new connection.
    Reconnect {
        /// How long we are to stay away; none where it does not say.
        delay: Option<Duration>,
        /// When it had been read.
        at: StdInstant,
    },
    /// An error reply of the dialect.
    Error {
        /// When it had been read.
        at: StdInstant,
    },
    /// Another message.
    Other {
        /// What was said.
        message: Message,
        /// When it had been read.
        at: StdInstant,
    },
    /// A Close, an end, or something that breaks the protocol; and what the dialect takes a Close for.
    Over(Heard, Option<CloseClass>),
    /// Nothing was said by us: the target's budget does not let us before the run is over.
    Unaffordable,
    /// Time is up.
    Nothing {
        /// A frame had begun.
        mid_frame: bool,
    },
}

impl Word {
    /// The verdict on an end in the middle of a session; `answered` says whether the gateway had asked for a sign of
    /// life, and got it: then no silence of ours is the cause.
    pub fn in_session(self, answered: bool) -> Verdict {
        let is_end = matches!(
            self,
            Self::Over(Heard::Close { .. } | Heard::Ended { .. } | Heard::Broken(Broken::Lost(_)), _)
        );
        self.unexpected(match is_end && answered {
            true => "although it had been answered",
            false => "in an open session",
        })
    }

    /// The verdict on an end that should not have come; `when` completes the sentence. A gateway that
    /// announces that it is going away is judged by `hold`, not here.
    pub fn unexpected(self, when: &str) -> Verdict {
        let (heard, class) = match self {
            Self::Unaffordable => {
                let detail = "the target's budget of messages did not let us speak before the time-out";
                return Verdict::new(Outcome::Inconclusive(Cause::Budget), detail);
            }
            Self::Over(heard, class) => (heard, class),
            Self::Nothing { mid_frame } => (Heard::Nothing { mid_frame }, None),
            other => {
                let detail = format!("the gateway said something else {when} ({other:?})");
                return Verdict::new(Outcome::Fail(Failure::DialectMismatch), detail);
            }
        };
        if let Heard::Close { code: Some(code), .. } = heard {
            let outcome = match (class, code) {
                (Some(CloseClass::Throttled), _) => Some(Outcome::Inconclusive(Cause::Throttled)),
                (Some(CloseClass::Unavailable), _) => Some(Outcome::Fail(Failure::Unavailable)),
                (Some(CloseClass::Drained), _) | (None, 1001 | 1012) => {
                    Some(Outcome::Inconclusive(Cause::Restarting))
                }
                _ => None,
            };
            if let Some(outcome) = outcome {
                return Verdict::new(outcome, format!("the gateway closed with code {code} {when}"));
            }
        }
        let mut verdict = heard.unexpected(when);
        if verdict.outcome == Outcome::Fail(Failure::ClosedEarly) {
            verdict.outcome = Outcome::Fail(Failure::SessionClosed);
        }
        verdict
    }
}
