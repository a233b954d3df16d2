//! What was said, word by word, for whoever wants to read along.

use std::time::Instant as StdInstant;

use super::opened::Heard;
use crate::dialect::Message;
use crate::model::{FrameKind, Side};
use crate::wire::OutFrame;

/// A line of a transcript. Holds what was said in full: whoever shows it must redact it.
#[derive(Debug, Clone)]
pub struct Line {
    /// When it had been read, or right before it was written.
    pub at: StdInstant,
    /// Who said it.
    pub from: Side,
    /// What was said; none for a control frame.
    pub message: Option<Message>,
    /// What it is, in a word.
    pub what: &'static str,
}

impl Line {
    /// What we said.
    pub(super) fn sent(at: StdInstant, frame: &OutFrame) -> Self {
        let (message, what) = match frame.kind() {
            FrameKind::Text => {
                (Some(Message::Text(String::from_utf8_lossy(&frame.payload).into_owned())), "message")
            }
            FrameKind::Binary => (Some(Message::Binary(frame.payload.clone())), "message"),
            FrameKind::Ping => (None, "ping"),
            FrameKind::Pong => (None, "pong"),
            _ => (None, "close"),
        };
        Self { at, from: Side::Us, message, what }
    }

    /// What the gateway said; none for what has no words.
    pub(super) fn heard(heard: &Heard) -> Option<Self> {
        let (at, message, what) = match heard {
            Heard::Message { message, at } => (*at, Some(message.clone()), "message"),
            Heard::Ping { at, .. } => (*at, None, "ping"),
            Heard::Pong { at, .. } => (*at, None, "pong"),
            Heard::Close { at, .. } => (*at, None, "close"),
            Heard::Ended { at, .. } => (*at, None, "end of TCP"),
            _ => return None,
        };
        Some(Self { at, from: Side::Gateway, message, what })
    }
}
