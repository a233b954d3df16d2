//! The gateway's own frame codec (RFC 6455 section 5): bytes to frames and back, no I/O.

use bytes::{Buf, BytesMut};

use super::offence::{Offence, insist};

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
    /// It begins a compressed message.
    pub compressed: bool,
    /// The payload after unmasking.
    pub payload: Vec<u8>,
}

/// What is taken from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The largest payload, in bytes.
    pub limit: usize,
    /// RSV1 at the beginning of a message means that it is compressed (RFC 7692 section 6).
    pub deflate: bool,
}

/// What a fault takes as good ends here, so that memory stays bounded.
pub const PARDONED_LIMIT: usize = 4 * 1024 * 1024;

/// Takes the first whole frame of a client off the front of `input`; `None` when more bytes are needed.
///
/// A header is judged as soon as it is there: a frame over the limit is refused before its payload
/// arrives, so `input` never needs to hold more than one frame of that size. What is wrong with it passes
/// if `pardon` says so, which is asked again each time that the same frame is looked at.
///
/// # Errors
/// The first rule of section 5 that the header breaks and that is not pardoned.
pub fn decode(
    input: &mut BytesMut,
    rules: Rules,
    pardon: &mut dyn FnMut(Offence) -> bool,
) -> Result<Option<Frame>, Offence> {
    let Some(header) = Header::read(input, rules, pardon)? else {
        return Ok(None);
    };
    if input.len() < header.size + header.payload {
        return Ok(None);
    }
    input.advance(header.size);
    let mut payload = input[..header.payload].to_vec();
    input.advance(header.payload);
    apply_mask(&mut payload, header.mask);
    let Start { fin, opcode, compressed, .. } = header.start;
    Ok(Some(Frame { fin, opcode, compressed, payload }))
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
    start: Start,
    mask: [u8; 4],
    size: usize,
    payload: usize,
}

/// What the first two bytes say.
struct Start {
    fin: bool,
    opcode: Opcode,
    compressed: bool,
    masked: bool,
    length: u8,
}

impl Header {
    fn read(
        input: &[u8],
        rules: Rules,
        pardon: &mut dyn FnMut(Offence) -> bool,
    ) -> Result<Option<Self>, Offence> {
        let &[first, second, ref rest @ ..] = input else {
            return Ok(None);
        };
        let start = Start::read(first, second, rules.deflate, pardon)?;
        let (length, extra) = match (start.length, rest) {
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
        insist(shortest, Offence::BadLength, pardon)?;
        let payload = usize::try_from(length).map_err(|_| Offence::TooBig)?;
        insist(payload <= rules.limit, Offence::TooBig, pardon)?;
        if payload > rules.limit.max(PARDONED_LIMIT) {
            return Err(Offence::TooBig);
        }
        if !start.masked {
            return Ok(Some(Self { start, mask: [0; 4], size: 2 + extra, payload }));
        }
        let Some(&[a, b, c, d]) = rest.get(extra..extra + 4) else {
            return Ok(None);
        };
        let (mask, size) = ([a, b, c, d], 2 + extra + 4);
        Ok(Some(Self { start, mask, size, payload }))
    }
}

impl Start {
    fn read(
        first: u8,
        second: u8,
        deflate: bool,
        pardon: &mut dyn FnMut(Offence) -> bool,
    ) -> Result<Self, Offence> {
        let (bits, fin, masked, length) =
            (first & 0x0F, first & 0x80 != 0, second & 0x80 != 0, second & 0x7F);
        let compressed = deflate && first & 0x70 == 0x40 && matches!(bits, 1 | 2);
        insist(first & 0x70 == 0 || compressed, Offence::ReservedBit, pardon)?;
        let opcode = match Opcode::from_bits(bits) {
            Some(opcode) => opcode,
            None => {
                insist(false, Offence::ReservedOpcode, pardon)?;
                // What the bits would be if they were defined: data, and a control frame of no account.
                if bits < 8 { Opcode::Binary } else { Opcode::Pong }
            }
        };
        insist(fin || !opcode.is_control(), Offence::ControlFragmented, pardon)?;
        insist(length <= 125 || !opcode.is_control(), Offence::ControlTooLong, pardon)?;
        insist(masked, Offence::Unmasked, pardon)?;
        Ok(Self { fin, opcode, compressed, masked, length })
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
