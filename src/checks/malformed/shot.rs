//! What a vector sends, as data, and the bytes that it becomes.

use std::time::Duration;

use bytes::Bytes;

use crate::auth::Forgery;
use crate::wire::{Length, Mask, OutFrame, deflate};

/// What a vector sends.
#[derive(Debug, Clone, Copy)]
pub enum Shot {
    /// A spoilt upgrade request.
    Request {
        /// How it differs from a good one.
        changes: &'static [Change],
        /// Line by line, and never its end.
        slowly: bool,
    },
    /// A good upgrade request with a foreign `Origin`.
    Origin,
    /// A good upgrade request, or opening, without a token (none) or with a forged one.
    Token(Option<Forgery>),
    /// Frames in an open session.
    Session {
        /// What is sent, one after another.
        volleys: &'static [Volley],
        /// What is awaited then.
        then: Then,
    },
    /// Asks for more than fits into a receive window, and does not read.
    Unread,
}

/// A change of an upgrade request.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Another method, with an empty body.
    Method(&'static str),
    /// A header is left out.
    Without(&'static str),
    /// A header has another value.
    Header(&'static str, &'static str),
    /// A header of so many bytes.
    Filler(usize),
    /// So many further headers.
    Fillers(usize),
}

/// What is awaited after the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// A reaction; where none comes, a ping tells whether the connection is still served.
    Ping,
    /// A Close or the end of TCP: nothing more can be said on this connection.
    End,
    /// A Close, and nothing behind it but the end of TCP.
    Quiet,
    /// The end of TCP, without our doing anything for it.
    Release,
}

/// A frame, so many times, with a pause after each.
#[derive(Debug, Clone, Copy)]
pub struct Volley {
    /// What.
    pub frame: Frame,
    /// How often.
    pub times: u16,
    /// Milliseconds after each; without a pause, what follows goes out in the same write.
    pub pause: u16,
}

/// A frame, legal or not.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    opcode: u8,
    fin: bool,
    rsv: u8,
    masked: bool,
    length: Announced,
    body: Body,
}

/// How the length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// As it should be.
    Truly,
    /// In 16 bits where 7 would do.
    In16Bits,
    /// In 64 bits where 7 would do.
    In64Bits,
    /// One byte more than the limit, and no body follows.
    OverTheLimit,
}

/// A payload.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// These bytes.
    Bytes(&'static [u8]),
    /// So many letters.
    Letters(Size),
    /// So many letters, compressed (RFC 7692).
    Compressed(Size),
    /// A JSON object with so many lists inside each other.
    Nested(u16),
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// One more than the message limit.
    OverTheLimit,
    /// As it stands.
    Bytes(u32),
}

/// Frames that go out in one write, and the pause after it.
#[derive(Debug, Clone)]
pub struct Burst {
    /// In this order.
    pub frames: Vec<OutFrame>,
    /// Before the next one.
    pub pause: Duration,
}

/// A whole text message.
pub const fn text(body: &'static [u8]) -> Frame {
    frame(1, body)
}

/// A whole message of letters.
pub const fn letters(size: Size) -> Frame {
    Frame { body: Body::Letters(size), ..frame(1, b"") }
}

/// A whole frame of any opcode.
pub const fn frame(opcode: u8, body: &'static [u8]) -> Frame {
    Frame { opcode, fin: true, rsv: 0, masked: true, length: Announced::Truly, body: Body::Bytes(body) }
}

impl Frame {
    /// Without FIN.
    pub const fn open(self) -> Self {
        Self { fin: false, ..self }
    }

    /// With reserved bits: RSV1 (4), RSV2 (2), RSV3 (1).
    pub const fn rsv(self, rsv: u8) -> Self {
        Self { rsv, ..self }
    }

    /// Without a mask.
    pub const fn unmasked(self) -> Self {
        Self { masked: false, ..self }
    }

    /// With another length.
    pub const fn announced(self, length: Announced) -> Self {
        Self { length, ..self }
    }

    /// With another payload.
    pub const fn with(self, body: Body) -> Self {
        Self { body, ..self }
    }

    /// Once.
    pub const fn once(self) -> Volley {
        self.times(1, 0)
    }

    /// So many times, with a pause of so many milliseconds after each.
    pub const fn times(self, times: u16, pause: u16) -> Volley {
        Volley { frame: self, times, pause }
    }

    fn build(&self, limit: u64) -> OutFrame {
        let length = match self.length {
            Announced::Truly => Length::Minimal,
            Announced::In16Bits => Length::Bits16,
            Announced::In64Bits => Length::Bits64,
            Announced::OverTheLimit => Length::Declared(limit.saturating_add(1)),
        };
        OutFrame::raw(self.opcode, self.body.build(limit))
            .with_fin(self.fin)
            .with_rsv(self.rsv)
            .with_mask(if self.masked { Mask::Random } else { Mask::None })
            .with_length(length)
    }
}

impl Body {
    fn build(self, limit: u64) -> Bytes {
        match self {
            Self::Bytes(bytes) => Bytes::from_static(bytes),
            Self::Letters(size) => size.letters(limit).into(),
            Self::Compressed(size) => deflate(&size.letters(limit)).into(),
            Self::Nested(depth) => {
                let (open, close) = ("[".repeat(depth.into()), "]".repeat(depth.into()));
                format!(r#"{{"type":"gateprobe","nested":{open}{close}}}"#).into()
            }
        }
    }
}

impl Size {
    fn letters(self, limit: u64) -> Vec<u8> {
        let size = match self {
            Self::OverTheLimit => usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1),
            Self::Bytes(size) => size as usize,
        };
        // What would be more is asked of nobody, and `Need` keeps it from being tried.
        vec![b'a'; size.min(LARGEST)]
    }
}

/// The largest message that is ever made, in bytes.
pub const LARGEST: usize = (1 << 20) + 1;

impl Shot {
    /// What goes out in an open session, write by write.
    pub fn bursts(&self, limit: u64) -> Vec<Burst> {
        let Self::Session { volleys, .. } = self else { return Vec::new() };
        let mut bursts: Vec<Burst> = Vec::new();
        let mut joins = false;
        for Volley { frame, times, pause } in *volleys {
            for _ in 0..*times {
                let frame = frame.build(limit);
                match bursts.last_mut().filter(|_| joins) {
                    Some(burst) => burst.frames.push(frame),
                    None => bursts.push(Burst { frames: vec![frame], pause: Duration::ZERO }),
                }
                joins = *pause == 0;
                if let Some(burst) = bursts.last_mut() {
                    burst.pause = Duration::from_millis((*pause).into());
                }
            }
        }
        bursts
    }

    /// Whether the last frame lacks its body: whatever came behind it would be taken for that.
    pub fn ends_inside_a_frame(&self) -> bool {
        let Self::Session { volleys, .. } = self else { return false };
        volleys.last().is_some_and(|volley| volley.frame.length == Announced::OverTheLimit)
    }

    /// Whether the last message lacks its end, so that no other one may begin.
    pub fn ends_inside_a_message(&self) -> bool {
        let Self::Session { volleys, .. } = self else { return false };
        let data = volleys.iter().map(|volley| volley.frame).filter(|frame| frame.opcode < 8);
        data.fold(false, |open, frame| match (frame.opcode, frame.fin) {
            (0, true) => false,
            (_, false) => true,
            _ => open,
        })
    }

    /// The messages and control frames that it sends.
    pub fn messages(&self, limit: u64) -> u64 {
        match self {
            // By echoes of 64 bytes, or by fewer pings.
            Self::Unread => UNREAD / 64 + 1,
            _ => self.bursts(limit).iter().map(|burst| burst.frames.len() as u64).sum(),
        }
    }

    /// The bytes that it sends beyond a good upgrade request.
    pub fn bytes(&self, limit: u64) -> u64 {
        match self {
            Self::Request { changes, .. } => changes.iter().map(Change::bytes).sum(),
            Self::Unread => UNREAD + UNREAD / 8,
            Self::Session { .. } => {
                let bursts = self.bursts(limit);
                bursts.iter().flat_map(|burst| &burst.frames).map(|frame| frame.encode().len() as u64).sum()
            }
            Self::Origin | Self::Token(_) => 128,
        }
    }
}

/// The most that a connection that does not read asks for, in bytes.
pub const UNREAD: u64 = 65_536;
/// A legal ping's largest payload (RFC 6455, section 5.5).
pub const PING: usize = 125;

/// The name of a header that nobody has a use for.
pub const FILLER: &str = "X-Gateprobe-Filler";

impl Change {
    fn bytes(&self) -> u64 {
        match self {
            Self::Filler(bytes) => *bytes as u64 + 32,
            Self::Fillers(count) => *count as u64 * 32,
            Self::Method(_) | Self::Without(_) | Self::Header(..) => 32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_pause_goes_out_in_one_write() {
        const SHOT: Shot = Shot::Session {
            volleys: &[text(b"a").open().once(), frame(0, b"b").times(3, 0), text(b"x").times(2, 10)],
            then: Then::Ping,
        };
        let bursts = SHOT.bursts(100);
        let sizes: Vec<(usize, u128)> =
            bursts.iter().map(|burst| (burst.frames.len(), burst.pause.as_millis())).collect();
        assert_eq!(sizes, [(5, 10), (1, 10)]);
        assert_eq!((SHOT.messages(100), SHOT.bytes(100)), (6, 6 * 7));
    }

    #[test]
    fn sizes_follow_the_limit_and_end_at_the_largest() {
        let bytes = |size, limit| Body::Letters(size).build(limit).len();
        assert_eq!(bytes(Size::OverTheLimit, 65_536), 65_537);
        assert_eq!(bytes(Size::OverTheLimit, u64::MAX), LARGEST);
        assert_eq!(bytes(Size::Bytes(u32::MAX), 10), LARGEST);
        assert!(Body::Compressed(Size::OverTheLimit).build(1 << 20).len() < 2_048);
        let nested = Body::Nested(1_000).build(0);
        assert_eq!(nested.iter().filter(|byte| **byte == b'[').count(), 1_000);
        let header = text(b"").announced(Announced::OverTheLimit).build(65_536).encode();
        assert_eq!(header.len(), 14, "a header and a mask, no body");
    }
}
