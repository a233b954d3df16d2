//! What messages mean.

use std::time::Duration;

use super::Message;
use super::definition::Part;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The gateway did what we asked.
    Accepted,
    /// The gateway refused.
    Refused,
    /// The session goes on.
    Resumed,
    /// A new session began.
    Fresh,
}

/// What a message of the gateway's means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The open step that was awaited.
    Step,
    /// Before the session is open: neither what the step awaits nor anything else that is known.
    WrongStep,
    /// The gateway's heartbeat.
    Beat {
        /// What we owe it.
        reply: Option<Message>,
    },
    /// The answer to an exchange.
    Answer {
        /// Which.
        exchange: u64,
        /// Of which part.
        part: Part,
        /// What it says.
        result: Answer,
    },
    /// Has the shape of an answer, but answers nothing that is outstanding.
    Stray {
        /// Of which part.
        part: Part,
        /// That was answered already.
        repeated: bool,
    },
    /// A message of the subscribed stream.
    Delivery {
        /// Its number in the stream.
        sequence: Option<u64>,
    },
    /// The gateway's wish that its clients come back on a new connection.
    Reconnect {
        /// How long they are to stay away; none where it does not say.
        delay: Option<Duration>,
    },
    /// An error reply.
    Error,
    /// Nothing that the dialect knows.
    Other,
}

/// An open step that waits for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Await {
    /// How long it may take, where the dialect says.
    pub within: Option<Duration>,
    /// The step's index among all open steps.
    pub step: usize,
}

/// A message that begins an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The exchange's number on this connection.
    pub exchange: u64,
    /// What is to be sent.
    pub message: Message,
}
