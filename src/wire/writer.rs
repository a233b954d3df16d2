//! The frame writer: legal frames by default, and on purpose any illegal one.

use bytes::Bytes;

use super::frame::kind_of;
use crate::model::FrameKind;

/// How a frame is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// By a fresh key from a cryptographic generator, as RFC 6455, section 5.3 demands of a client.
    Random,
    /// Not at all, which is illegal for a client.
    None,
    /// By this key.
    Key([u8; 4]),
}

/// How the length is written, and whether it is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The true length in the fewest bytes.
    Minimal,
    /// The true length in the 16-bit form, even where 7 bits would do. Longer payloads take the 64-bit form.
    Bits16,
    /// The true length in the 64-bit form.
    Bits64,
    /// Another length than the true one, in the fewest bytes; the payload is sent as it is.
    Declared(u64),
}

/// A frame to send. The constructors make legal ones; `with_...` may spoil them.
#[derive(Clone, PartialEq, Eq)]
pub struct OutFrame {
    /// The last frame of its message.
    pub fin: bool,
    /// RSV1 (4), RSV2 (2) and RSV3 (1).
    pub rsv: u8,
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// The mask.
    pub mask: Mask,
    /// The length's form.
    pub length: Length,
    /// The payload, not masked.
    pub payload: Bytes,
}

impl std::fmt::Debug for OutFrame {
    /// Never shows the payload.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutFrame")
            .field("fin", &self.fin)
            .field("rsv", &self.rsv)
            .field("opcode", &self.opcode)
            .field("mask", &self.mask)
            .field("length", &self.length)
            .field("bytes", &self.payload.len())
            .finish()
    }
}

impl OutFrame {
    /// A whole text message.
    pub fn text(payload: impl Into<String>) -> Self {
        Self::raw(1, payload.into())
    }

    /// A whole binary message.
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self::raw(2, payload)
    }

    /// A continuation; the last one unless told otherwise by [`Self::with_fin`].
    pub fn continuation(payload: impl Into<Bytes>) -> Self {
        Self::raw(0, payload)
    }

    /// A ping; legal up to 125 bytes.
    pub fn ping(payload: impl Into<Bytes>) -> Self {
        Self::raw(9, payload)
    }

    /// A pong; legal up to 125 bytes.
    pub fn pong(payload: impl Into<Bytes>) -> Self {
        Self::raw(10, payload)
    }

    /// A Close with a code, any code, and a reason; legal up to 123 bytes of reason.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::raw(8, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// A frame of any opcode with any payload, otherwise legal. Bits beyond the fourth are ignored.
    pub fn raw(opcode: u8, payload: impl Into<Bytes>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode: opcode & 0xf,
            mask: Mask::Random,
            length: Length::Minimal,
            payload: payload.into(),
        }
    }

    /// Sets FIN.
    #[must_use]
    pub fn with_fin(self, fin: bool) -> Self {
        Self { fin, ..self }
    }

    /// Sets the reserved bits: RSV1 (4), RSV2 (2), RSV3 (1).
    #[must_use]
    pub fn with_rsv(self, rsv: u8) -> Self {
        Self { rsv: rsv & 0x7, ..self }
    }

    /// Sets the mask.
    #[must_use]
    pub fn with_mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    /// Sets the length's form.
    #[must_use]
    pub fn with_length(self, length: Length) -> Self {
        Self { length, ..self }
    }

    /// The opcode by name.
    pub fn kind(&self) -> FrameKind {
        kind_of(self.opcode)
    }

    /// The code of a Close.
    pub fn close_code(&self) -> Option<u16> {
        if self.opcode != 8 {
            return None;
        }
        self.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }

    /// The frame in bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + 14);
        bytes.push(u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode);
        self.encode_length(&mut bytes);
        let key = match self.mask {
            Mask::None => {
                bytes.extend_from_slice(&self.payload);
                return bytes;
            }
            Mask::Random => rand::random(),
            Mask::Key(key) => key,
        };
        bytes.extend_from_slice(&key);
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    fn encode_length(&self, bytes: &mut Vec<u8>) {
        let masked = u8::from(self.mask != Mask::None) << 7;
        let actual = self.payload.len() as u64;
        let (length, least) = match self.length {
            Length::Minimal => (actual, 0),
            Length::Bits16 => (actual, 126),
            Length::Bits64 => (actual, u64::MAX),
            Length::Declared(length) => (length, 0),
        };
        match (length.max(least), u8::try_from(length), u16::try_from(length)) {
            (0..=125, Ok(length), _) => bytes.push(masked | length),
            (126..=0xffff, _, Ok(length)) => {
                bytes.push(masked | 126);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 6455, section 5.7: a masked "Hello".
        let frame = OutFrame::text("Hello").with_mask(Mask::Key([0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(frame.encode(), [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn lengths_take_the_form_that_was_asked_for() {
        let header = |size: usize, length| {
            let frame = OutFrame::binary(vec![0; size]).with_mask(Mask::None).with_length(length);
            let bytes = frame.encode();
            bytes[1..bytes.len() - size].to_vec()
        };
        assert_eq!(header(125, Length::Minimal), [125]);
        assert_eq!(header(126, Length::Minimal), [126, 0, 126]);
        assert_eq!(header(65_535, Length::Minimal), [126, 0xff, 0xff]);
        assert_eq!(header(65_536, Length::Minimal), [127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(header(1, Length::Bits16), [126, 0, 1]);
        assert_eq!(header(65_536, Length::Bits16), [127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(header(1, Length::Bits64), [127, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(header(0, Length::Declared(200)), [126, 0, 200]);
        assert_eq!(header(0, Length::Declared(1 << 63)), [127, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn masks_differ_and_bits_are_where_they_belong() {
        let frame = OutFrame::text("x");
        assert_ne!(frame.encode(), frame.encode());
        assert_eq!(OutFrame::raw(0xb, "").with_fin(false).with_rsv(0b101).encode()[0], 0b0101_1011);
        assert_eq!(OutFrame::close(999, "bye").close_code(), Some(999));
    }
}
