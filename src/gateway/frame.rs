//! The gateway's own frame codec (RFC 6455 section 5): bytes to frames and back, no I/O.

use bytes::{Buf, BytesMut};

/// The opcodes that RFC 6455 defines (section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// 0: goes on with a fragmented message.
    Continuation,
    /// 1: text, UTF-8.
    Text,
    /// 2: binary.
    Binary,
    /// 8: ends the session.
    Close,
    /// 9: asks for a pong.
    Ping,
    /// 10: answers a ping.
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Close, ping and pong: at most 125 bytes, never fragmented (section 5.5).
    pub fn is_control(self) -> bool {
        self.bits() >= 8
    }
}

/// A whole frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last frame of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: Opcode,
    /// The payload after unmasking.
    pub payload: Vec<u8>,
}

/// What a peer did wrong, and by that the Close code it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// RSV1 to RSV3 without an extension that uses them.
    #[error("reserved bit set without an extension")]
    ReservedBit,
    /// Opcodes 3 to 7 and 11 to 15.
    #[error("reserved opcode")]
    ReservedOpcode,
    /// A client's frame must be masked.
    #[error("unmasked frame from a client")]
    Unmasked,
    /// A control frame of more than 125 bytes.
    #[error("control frame longer than 125 bytes")]
    ControlTooLong,
    /// A control frame without FIN.
    #[error("fragmented control frame")]
    ControlFragmented,
    /// A length in more bytes than it needs, or with its highest bit set.
    #[error("payload length not in its shortest form")]
    BadLength,
    /// A continuation with nothing to continue.
    #[error("continuation of no message")]
    NothingToContinue,
    /// A new message inside a fragmented one.
    #[error("new message inside a fragmented one")]
    Interleaved,
    /// A Close body of one byte.
    #[error("close body of one byte")]
    ShortClose,
    /// A code that must not be sent (section 7.4).
    #[error("close code that must not be sent")]
    BadCloseCode,
    /// Text or a Close reason that is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A message over the size limit.
    #[error("message over the size limit")]
    TooBig,
}

impl Violation {
    /// The code to close with (section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
            _ => 1002,
        }
    }
}

/// Takes the first whole frame of a client off the front of `input`; `None` when more bytes are needed.
///
/// A header is judged as soon as it is there: a frame over `limit` payload bytes is refused before
/// its payload arrives, so `input` never needs to hold more than one frame of that size.
///
/// # Errors
/// The first rule of section 5 that the header breaks.
pub fn decode(input: &mut BytesMut, limit: usize) -> Result<Option<Frame>, Violation> {
    let Some(header) = Header::read(input, limit)? else {
        return Ok(None);
    };
    if input.len() < header.size + header.payload {
        return Ok(None);
    }
    input.advance(header.size);
    let mut payload = input[..header.payload].to_vec();
    input.advance(header.payload);
    apply_mask(&mut payload, header.mask);
    Ok(Some(Frame { fin: header.fin, opcode: header.opcode, payload }))
}

/// Appends one frame to `output`, masked when `mask` is given.
pub fn encode(output: &mut BytesMut, fin: bool, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    let mut header = vec![u8::from(fin) << 7 | opcode.bits()];
    match payload.len() {
        length @ 0..=125 => header.push(mask_bit | length as u8),
        length @ 126..=0xFFFF => {
            header.push(mask_bit | 126);
            header.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            header.push(mask_bit | 127);
            header.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    output.extend_from_slice(&header);
    output.extend_from_slice(mask.as_ref().map_or(&[], |key| &key[..]));
    let start = output.len();
    output.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut output[start..], mask);
    }
}

fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

struct Header {
    fin: bool,
    opcode: Opcode,
    mask: [u8; 4],
    size: usize,
    payload: usize,
}

impl Header {
    fn read(input: &[u8], limit: usize) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = input else {
            return Ok(None);
        };
        let (fin, opcode) = Self::check(first, second)?;
        let (length, extra) = match (second & 0x7F, rest) {
            (126, &[a, b, ..]) => (u64::from(u16::from_be_bytes([a, b])), 2),
            (127, rest) if rest.len() >= 8 => {
                (rest[..8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 8)
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (u64::from(short), 0),
        };
        let shortest = match extra {
            0 => true,
            2 => length > 125,
            _ => length > 0xFFFF && length >> 63 == 0,
        };
        if !shortest {
            return Err(Violation::BadLength);
        }
        let payload = usize::try_from(length).map_err(|_| Violation::TooBig)?;
        if payload > limit {
            return Err(Violation::TooBig);
        }
        let Some(&[a, b, c, d]) = rest.get(extra..extra + 4) else {
            return Ok(None);
        };
        let (mask, size) = ([a, b, c, d], 2 + extra + 4);
        Ok(Some(Self { fin, opcode, mask, size, payload }))
    }

    fn check(first: u8, second: u8) -> Result<(bool, Opcode), Violation> {
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBit);
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Violation::ReservedOpcode)?;
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            return Err(Violation::ControlFragmented);
        }
        if opcode.is_control() && second & 0x7F > 125 {
            return Err(Violation::ControlTooLong);
        }
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        Ok((fin, opcode))
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
