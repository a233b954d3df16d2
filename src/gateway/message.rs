//! Frames to messages: fragmentation, compression, UTF-8 and Close bodies (RFC 6455 sections 5.4, 5.5.1,
//! 7.4, RFC 7692).

use super::deflate::{InflateError, inflate};
use super::frame::{Frame, Opcode, PARDONED_LIMIT};
use super::offence::{Offence, insist};

/// What a peer said, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A text message that is not UTF-8, pardoned.
    BadText(Vec<u8>),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping and its payload.
    Ping(Vec<u8>),
    /// A pong and its payload.
    Pong(Vec<u8>),
    /// A Close and its code, where it had one.
    Close(Option<u16>),
}

/// Says whether an offence passes.
type Pardon<'a> = &'a mut dyn FnMut(Offence) -> bool;

/// Puts the fragments of one connection together.
#[derive(Debug)]
pub struct Assembler {
    limit: usize,
    partial: Option<Partial>,
    /// A control frame without FIN, where that is pardoned.
    control: Option<(Opcode, Vec<u8>)>,
}

#[derive(Debug)]
struct Partial {
    opcode: Opcode,
    compressed: bool,
    data: Vec<u8>,
}

impl Assembler {
    /// An assembler for messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: None, control: None }
    }

    /// How many bytes of payload the next frame may have.
    pub fn room(&self) -> usize {
        let held = self.partial.as_ref().map_or(0, |partial| partial.data.len());
        // Control frames may come between fragments, whatever is left for data.
        self.limit.saturating_sub(held).max(125)
    }

    /// Takes a frame; gives the message that it completes.
    ///
    /// # Errors
    /// What the frame breaks, in this place of the stream, and is not pardoned.
    pub fn push(&mut self, frame: Frame, pardon: Pardon<'_>) -> Result<Option<Message>, Offence> {
        let Frame { fin, opcode, compressed, payload } = frame;
        match opcode {
            Opcode::Ping | Opcode::Pong | Opcode::Close => self.push_control(fin, opcode, payload, pardon),
            Opcode::Continuation => self.push_continuation(fin, payload, pardon),
            _ => {
                let fits = self.partial.is_none();
                insist(fits, Offence::Interleaved, pardon)?;
                let data = Partial { opcode, compressed, data: payload };
                match fin {
                    true => self.finish(data, pardon).map(Some),
                    false => self.hold(data, pardon),
                }
            }
        }
    }

    fn push_control(
        &mut self,
        fin: bool,
        opcode: Opcode,
        payload: Vec<u8>,
        pardon: Pardon<'_>,
    ) -> Result<Option<Message>, Offence> {
        if !fin {
            self.control = Some((opcode, payload));
            return Ok(None);
        }
        match opcode {
            Opcode::Ping => Ok(Some(Message::Ping(payload))),
            Opcode::Pong => Ok(Some(Message::Pong(payload))),
            _ => close_code(&payload, pardon).map(|code| Some(Message::Close(code))),
        }
    }

    fn push_continuation(
        &mut self,
        fin: bool,
        payload: Vec<u8>,
        pardon: Pardon<'_>,
    ) -> Result<Option<Message>, Offence> {
        if let Some((opcode, mut data)) = self.control.take() {
            data.extend_from_slice(&payload);
            insist(data.len() <= self.limit, Offence::TooBig, pardon)?;
            return self.push_control(fin, opcode, data, pardon);
        }
        let whole = match self.partial.take() {
            Some(mut partial) => {
                partial.data.extend_from_slice(&payload);
                partial
            }
            None => {
                insist(false, Offence::NothingToContinue, pardon)?;
                let text = fin && std::str::from_utf8(&payload).is_ok();
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                Partial { opcode, compressed: false, data: payload }
            }
        };
        if fin { self.finish(whole, pardon).map(Some) } else { self.hold(whole, pardon) }
    }

    fn hold(&mut self, partial: Partial, pardon: Pardon<'_>) -> Result<Option<Message>, Offence> {
        self.bound(&partial, pardon)?;
        self.partial = Some(partial);
        Ok(None)
    }

    fn finish(&self, whole: Partial, pardon: Pardon<'_>) -> Result<Message, Offence> {
        self.bound(&whole, pardon)?;
        let data = match whole.compressed {
            false => whole.data,
            true => match self.inflate(&whole.data, pardon)? {
                Some(data) => data,
                None => return Ok(Message::Binary(whole.data)),
            },
        };
        if whole.opcode != Opcode::Text {
            return Ok(Message::Binary(data));
        }
        String::from_utf8(data).map(Message::Text).or_else(|error| {
            insist(false, Offence::NotUtf8, pardon)?;
            Ok(Message::BadText(error.into_bytes()))
        })
    }

    /// `None` for what can't be inflated, and is pardoned.
    fn inflate(&self, data: &[u8], pardon: Pardon<'_>) -> Result<Option<Vec<u8>>, Offence> {
        let mut inflated = inflate(data, self.limit);
        if inflated == Err(InflateError::TooBig) && pardon(Offence::TooBig) {
            inflated = inflate(data, self.limit.max(PARDONED_LIMIT));
        }
        match inflated {
            Ok(data) => Ok(Some(data)),
            Err(InflateError::TooBig) => Err(Offence::TooBig),
            Err(InflateError::Corrupt) => insist(false, Offence::BadDeflate, pardon).map(|()| None),
        }
    }

    fn bound(&self, partial: &Partial, pardon: Pardon<'_>) -> Result<(), Offence> {
        let size = partial.data.len();
        insist(size <= self.limit, Offence::TooBig, pardon)?;
        if size > self.limit.max(PARDONED_LIMIT) { Err(Offence::TooBig) } else { Ok(()) }
    }
}

/// The code of a Close body; `None` for an empty one.
fn close_code(body: &[u8], pardon: Pardon<'_>) -> Result<Option<u16>, Offence> {
    match body {
        [] => Ok(None),
        [_] => insist(false, Offence::ShortClose, pardon).map(|()| None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            insist(may_be_sent(code), Offence::BadCloseCode, pardon)?;
            insist(std::str::from_utf8(reason).is_ok(), Offence::BadCloseReason, pardon)?;
            Ok(Some(code))
        }
    }
}

/// Codes that an endpoint may put in a Close: RFC 6455 section 7.4 and the IANA registry.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
