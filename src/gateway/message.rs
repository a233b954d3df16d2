//! Frames to messages: fragmentation, UTF-8 and Close bodies (RFC 6455 sections 5.4, 5.5.1, 7.4).

use super::frame::{Frame, Opcode, Violation};

/// What a peer said, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping and its payload.
    Ping(Vec<u8>),
    /// A pong and its payload.
    Pong(Vec<u8>),
    /// A Close and its code, where it had one.
    Close(Option<u16>),
}

/// Puts the fragments of one connection together.
#[derive(Debug)]
pub struct Assembler {
    limit: usize,
    partial: Option<(Opcode, Vec<u8>)>,
}

impl Assembler {
    /// An assembler for messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: None }
    }

    /// How many bytes of payload the next frame may have.
    pub fn room(&self) -> usize {
        let held = self.partial.as_ref().map_or(0, |(_, data)| data.len());
        // Control frames may come between fragments, whatever is left for data.
        (self.limit - held).max(125)
    }

    /// Takes a frame; gives the message that it completes.
    ///
    /// # Errors
    /// What the frame breaks, in this place of the stream.
    pub fn push(&mut self, frame: Frame) -> Result<Option<Message>, Violation> {
        match frame.opcode {
            Opcode::Ping => Ok(Some(Message::Ping(frame.payload))),
            Opcode::Pong => Ok(Some(Message::Pong(frame.payload))),
            Opcode::Close => close_code(&frame.payload).map(|code| Some(Message::Close(code))),
            Opcode::Continuation => {
                let (opcode, mut data) = self.partial.take().ok_or(Violation::NothingToContinue)?;
                data.extend_from_slice(&frame.payload);
                self.hold_or_finish(frame.fin, opcode, data)
            }
            Opcode::Text | Opcode::Binary if self.partial.is_some() => Err(Violation::Interleaved),
            opcode => self.hold_or_finish(frame.fin, opcode, frame.payload),
        }
    }

    fn hold_or_finish(
        &mut self,
        fin: bool,
        opcode: Opcode,
        data: Vec<u8>,
    ) -> Result<Option<Message>, Violation> {
        if data.len() > self.limit {
            return Err(Violation::TooBig);
        }
        if !fin {
            self.partial = Some((opcode, data));
            return Ok(None);
        }
        match opcode {
            Opcode::Text => match String::from_utf8(data) {
                Ok(text) => Ok(Some(Message::Text(text))),
                Err(_) => Err(Violation::NotUtf8),
            },
            _ => Ok(Some(Message::Binary(data))),
        }
    }
}

/// The code of a Close body; `None` for an empty one.
fn close_code(body: &[u8]) -> Result<Option<u16>, Violation> {
    match body {
        [] => Ok(None),
        [_] => Err(Violation::ShortClose),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(Violation::BadCloseCode);
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(Some(code)),
                Err(_) => Err(Violation::NotUtf8),
            }
        }
    }
}

/// Codes that an endpoint may put in a Close: RFC 6455 section 7.4 and the IANA registry.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Frame {
        Frame { fin, opcode, payload: payload.to_vec() }
    }

    #[test]
    fn fragments_become_one_message_with_control_frames_between() {
        let mut assembler = Assembler::new(100);
        // A code point split over two fragments is valid text.
        let text = "aé".as_bytes();
        assert_eq!(assembler.push(frame(false, Opcode::Text, &text[..2])), Ok(None));
        let ping = assembler.push(frame(true, Opcode::Ping, b"p"));
        assert_eq!(ping, Ok(Some(Message::Ping(b"p".to_vec()))));
        let done = assembler.push(frame(true, Opcode::Continuation, &text[2..]));
        assert_eq!(done, Ok(Some(Message::Text("aé".to_owned()))));
    }

    #[test]
    fn broken_sequences() {
        let mut fresh = Assembler::new(10);
        let lone = fresh.push(frame(true, Opcode::Continuation, b""));
        assert_eq!(lone, Err(Violation::NothingToContinue));
        fresh.push(frame(false, Opcode::Binary, b"12345678")).unwrap();
        let inside = fresh.push(frame(true, Opcode::Text, b""));
        assert_eq!(inside, Err(Violation::Interleaved));
        let grown = fresh.push(frame(true, Opcode::Continuation, b"123"));
        assert_eq!(grown, Err(Violation::TooBig));
    }

    #[test]
    fn bad_utf8_is_refused() {
        for bytes in [&[0xC0, 0xAF][..], &[0xED, 0xA0, 0x80], &[0xE2, 0x82], &[0xFF]] {
            let text = Assembler::new(10).push(frame(true, Opcode::Text, bytes));
            assert_eq!(text, Err(Violation::NotUtf8));
            let reason = [&[0x03, 0xE8], bytes].concat();
            assert_eq!(close_code(&reason), Err(Violation::NotUtf8));
        }
    }

    #[test]
    fn close_bodies() {
        assert_eq!(close_code(b""), Ok(None));
        assert_eq!(close_code(b"\x03"), Err(Violation::ShortClose));
        for good in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
            assert_eq!(close_code(&u16::to_be_bytes(good)), Ok(Some(good)));
        }
        for bad in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert_eq!(close_code(&u16::to_be_bytes(bad)), Err(Violation::BadCloseCode));
        }
    }
}
