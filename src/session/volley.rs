//! Frames as no client should send them, and how the gateway ended the conversation.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, timeout_at};

use super::talk::Talk;
use super::word::Word;
use crate::dialect::CloseClass;
use crate::model::{EventKind, Side};
use crate::wire::{Broken, OutFrame, SendError};

/// How the gateway ended a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// By a Close frame.
    Close {
        /// Its code.
        code: Option<u16>,
        /// What the dialect takes it for.
        class: Option<CloseClass>,
        /// When it had been read.
        at: StdInstant,
    },
    /// By the end of TCP alone.
    Ended {
        /// When it was seen.
        at: StdInstant,
    },
}

impl Talk {
    /// Sends frames, legal or not, in one write, within the budget; gives the time right before the write. A
    /// gateway that does not take them by `within` from then on is left alone.
    ///
    /// # Errors
    /// As [`Talk::ping`].
    pub async fn fire(&mut self, frames: &[OutFrame], within: Duration) -> Result<StdInstant, Word> {
        let mut bytes = Vec::new();
        for frame in frames {
            self.afford(frame.payload.len()).await?;
            bytes.extend(frame.encode());
        }
        let until = self.last.min(Instant::now() + within);
        let lost = SendError::Broken(Broken::Lost(std::io::ErrorKind::TimedOut));
        let socket = &mut self.opened.dialed.socket;
        let at = match timeout_at(until, socket.send_raw(&bytes)).await.unwrap_or(Err(lost)) {
            Ok(at) => at,
            Err(error) => return Err(self.instead(error).await),
        };
        for frame in frames {
            let (kind, bytes, code) = (frame.kind(), frame.payload.len() as u64, frame.close_code());
            self.opened.evidence.note_at(at, EventKind::Frame { from: Side::Us, kind, bytes, code });
        }
        Ok(at)
    }
}
