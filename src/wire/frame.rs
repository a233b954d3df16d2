//! The frame reader (RFC 6455, section 5.2): bytes in, frames out, no I/O and no clock. It reports what it
//! read, legal or not, and decides nothing; [`Validator`](super::Validator) knows the rules.

use bytes::{Buf, Bytes, BytesMut};

use crate::model::FrameKind;

/// What one read takes at least, in bytes; more only for the frame that is being read.
pub(super) const BUFFER: usize = 4096;

/// The most that is reserved ahead of the bytes that truly came, so that a lie about the length costs nothing.
const AHEAD: usize = 16 * 1024;

/// One frame as it was received; an illegal one too.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last frame of its message.
    pub fin: bool,
    /// RSV1 (4), RSV2 (2) and RSV3 (1).
    pub rsv: u8,
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// Whether it came masked, which a server must not do; the payload is unmasked already.
    pub masked: bool,
    /// Whether the length was written in the fewest bytes.
    pub minimal: bool,
    /// The payload.
    pub payload: Bytes,
}

impl std::fmt::Debug for Frame {
    /// Never shows the payload.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("fin", &self.fin)
            .field("rsv", &self.rsv)
            .field("opcode", &self.opcode)
            .field("masked", &self.masked)
            .field("minimal", &self.minimal)
            .field("bytes", &self.payload.len())
            .finish()
    }
}

impl Frame {
    /// The opcode by name.
    pub fn kind(&self) -> FrameKind {
        kind_of(self.opcode)
    }

    /// Whether it is a control frame: opcodes 8 to 15.
    pub fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }

    /// The close code as received, illegal ones too; `None` for a Close without one, and for other frames.
    pub fn close_code(&self) -> Option<u16> {
        if self.opcode != 0x8 {
            return None;
        }
        self.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }

    /// The close reason as received, which need not be UTF-8; empty for other frames.
    pub fn close_reason(&self) -> &[u8] {
        if self.opcode == 0x8 { self.payload.get(2..).unwrap_or_default() } else { &[] }
    }

    /// The payload of a text frame, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        if self.opcode == 0x1 { std::str::from_utf8(&self.payload).ok() } else { None }
    }
}

pub(super) fn kind_of(opcode: u8) -> FrameKind {
    match opcode {
        0 => FrameKind::Continuation,
        1 => FrameKind::Text,
        2 => FrameKind::Binary,
        8 => FrameKind::Close,
        9 => FrameKind::Ping,
        10 => FrameKind::Pong,
        _ => FrameKind::Reserved,
    }
}

/// A frame whose header announces more than the reader takes. Nothing after it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversized {
    /// The opcode.
    pub opcode: u8,
    /// The announced length in bytes; with the most significant bit set it is illegal besides.
    pub length: u64,
}

/// Splits a byte stream into frames. Memory is bounded by the largest frame allowed and what was pushed; between
/// frames there is none.
#[derive(Debug)]
pub struct Reader {
    buffer: BytesMut,
    max_frame: u64,
    oversized: Option<Oversized>,
}

struct FrameHeader {
    first: u8,
    masked: bool,
    minimal: bool,
    length: u64,
    size: usize,
}

impl Reader {
    /// A reader for payloads of up to `max_frame` bytes.
    pub fn new(max_frame: u64) -> Self {
        Self { buffer: BytesMut::new(), max_frame, oversized: None }
    }

    /// Changes the largest payload that is read, for frames whose header has not been read yet.
    pub fn set_max_frame(&mut self, max_frame: u64) {
        self.max_frame = max_frame;
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer to read the next bytes into, with room for at least one.
    pub fn space(&mut self) -> &mut BytesMut {
        let missing = match header(&self.buffer) {
            Some(header) if header.length <= self.max_frame => {
                let whole = header.size as u64 + header.length;
                usize::try_from(whole).unwrap_or(usize::MAX).saturating_sub(self.buffer.len()).min(AHEAD)
            }
            _ => 0,
        };
        if self.buffer.capacity() - self.buffer.len() < missing.max(1) {
            self.buffer.reserve(missing.max(BUFFER));
        }
        &mut self.buffer
    }

    /// The next whole frame; `None` when more bytes are needed. After an [`Oversized`] there is only that.
    pub fn next_frame(&mut self) -> Option<Result<Frame, Oversized>> {
        if let Some(oversized) = self.oversized {
            return Some(Err(oversized));
        }
        let FrameHeader { first, masked, minimal, length, size } = header(&self.buffer)?;
        if length > self.max_frame {
            let oversized = Oversized { opcode: first & 0xf, length };
            self.oversized = Some(oversized);
            self.buffer = BytesMut::new();
            return Some(Err(oversized));
        }
        // A frame within the limit fits in memory, so its length fits in a usize.
        let length = usize::try_from(length).ok()?;
        if self.buffer.len() - size < length {
            return None;
        }
        let mask = masked.then(|| [0, 1, 2, 3].map(|i| self.buffer[size - 4 + i]));
        self.buffer.advance(size);
        let payload = self.payload(length, mask);
        Some(Ok(Frame {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 0x7,
            opcode: first & 0xf,
            masked,
            minimal,
            payload,
        }))
    }

    /// Whether a frame has begun and is not complete yet: tells a gateway that drips from a silent one.
    pub fn mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The frame that has begun and is not complete, as far as its first two bytes tell: without a payload.
    pub(super) fn begun(&self) -> Option<Frame> {
        let (&first, second) = (self.buffer.first()?, self.buffer.get(1).copied().unwrap_or_default());
        Some(Frame {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 0x7,
            opcode: first & 0xf,
            masked: second & 0x80 != 0,
            minimal: true,
            payload: Bytes::new(),
        })
    }

    fn payload(&mut self, length: usize, mask: Option<[u8; 4]>) -> Bytes {
        // A small payload must not keep a large buffer alive, nor a large frame its buffer.
        let mut payload = if length <= BUFFER {
            let payload = BytesMut::from(&self.buffer[..length]);
            self.buffer.advance(length);
            payload
        } else {
            self.buffer.split_to(length)
        };
        if let Some(mask) = mask {
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        payload.freeze()
    }
}

/// The header at the beginning of the buffer, once it is complete.
fn header(buffer: &[u8]) -> Option<FrameHeader> {
    let (&first, &second) = (buffer.first()?, buffer.get(1)?);
    let masked = second & 0x80 != 0;
    let (length, minimal, size) = match second & 0x7f {
        126 => {
            let length = u16::from_be_bytes(*buffer.get(2..)?.first_chunk()?);
            (u64::from(length), length > 125, 4)
        }
        127 => {
            let length = u64::from_be_bytes(*buffer.get(2..)?.first_chunk()?);
            (length, length > u64::from(u16::MAX), 10)
        }
        length => (u64::from(length), true, 2),
    };
    let size = if masked { size + 4 } else { size };
    (buffer.len() >= size).then_some(FrameHeader { first, masked, minimal, length, size })
}

#[cfg(test)]
mod tests {
    use super::super::writer::{Length, Mask, OutFrame};
    use super::*;
    use proptest::prelude::*;

    fn any_frame() -> impl Strategy<Value = OutFrame> {
        let payload = prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..200),
            1 => (65_500usize..65_600).prop_map(|n| vec![7; n]),
        ];
        let length = prop_oneof![Just(Length::Minimal), Just(Length::Bits64)];
        let mask = prop_oneof![Just(Mask::Random), Just(Mask::None), any::<[u8; 4]>().prop_map(Mask::Key)];
        (any::<bool>(), 0u8..8, 0u8..16, mask, length, payload).prop_map(
            |(fin, rsv, opcode, mask, length, payload)| {
                OutFrame::raw(opcode, payload).with_fin(fin).with_rsv(rsv).with_mask(mask).with_length(length)
            },
        )
    }

    fn read_all(reader: &mut Reader) -> Vec<Frame> {
        std::iter::from_fn(|| reader.next_frame().map(Result::unwrap)).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_wherever_it_is_split(
            frames in proptest::collection::vec(any_frame(), 1..6),
            splits in proptest::collection::vec(1usize..5000, 1..40),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(OutFrame::encode).collect();
            let mut reader = Reader::new(1 << 20);
            let (mut read, mut rest) = (Vec::new(), &bytes[..]);
            for split in splits.iter().cycle() {
                let (now, later) = rest.split_at((*split).min(rest.len()));
                reader.space().extend_from_slice(now);
                read.extend(read_all(&mut reader));
                rest = later;
                if rest.is_empty() { break; }
            }
            prop_assert!(!reader.mid_frame());
            prop_assert_eq!(read.len(), frames.len());
            for (read, written) in read.iter().zip(&frames) {
                prop_assert_eq!(read.fin, written.fin);
                prop_assert_eq!(read.rsv, written.rsv);
                prop_assert_eq!(read.opcode, written.opcode);
                prop_assert_eq!(read.masked, written.mask != Mask::None);
                prop_assert_eq!(&read.payload, &written.payload);
                let fits = written.length == Length::Minimal || written.payload.len() > 65_535;
                prop_assert_eq!(read.minimal, fits);
            }
        }

        #[test]
        fn arbitrary_bytes_neither_panic_nor_fill_the_memory(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
            max in 0u64..100_000,
        ) {
            let mut reader = Reader::new(max);
            let mut pushed = 0;
            for chunk in &chunks {
                reader.space().extend_from_slice(chunk);
                pushed += chunk.len();
                while let Some(Ok(frame)) = reader.next_frame() {
                    prop_assert!(frame.payload.len() as u64 <= max);
                }
                prop_assert!(reader.buffer.capacity() <= 2 * (pushed + AHEAD + BUFFER));
            }
        }
    }

    #[test]
    fn a_lie_about_the_length_reserves_little_and_too_much_is_told() {
        let mut reader = Reader::new(1 << 30);
        reader.push(&[0x82, 127, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff]);
        assert!(reader.next_frame().is_none());
        assert!(reader.mid_frame());
        assert!(reader.space().capacity() <= 3 * AHEAD);

        let mut reader = Reader::new(100);
        reader.push(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
        let oversized = Oversized { opcode: 2, length: 1 << 63 };
        assert_eq!(reader.next_frame(), Some(Err(oversized)));
        assert_eq!(reader.next_frame(), Some(Err(oversized)));
    }

    #[test]
    fn between_frames_there_is_no_buffer() {
        let mut reader = Reader::new(1 << 20);
        for frame in [OutFrame::ping("a ping"), OutFrame::text("x".repeat(3_000)), OutFrame::text("")] {
            reader.space().extend_from_slice(&frame.encode());
            assert!(reader.next_frame().is_some());
            assert_eq!(reader.buffer.capacity(), 0);
        }
    }

    #[test]
    fn a_large_frame_leaves_no_large_buffer_behind() {
        let mut reader = Reader::new(1 << 20);
        reader.push(&OutFrame::binary(vec![0; 500_000]).encode());
        assert_eq!(reader.next_frame().unwrap().unwrap().payload.len(), 500_000);
        assert_eq!(reader.buffer.capacity(), 0);
        assert!(reader.space().capacity() <= 2 * BUFFER);
    }

    #[test]
    fn close_codes_come_as_received() {
        let mut reader = Reader::new(125);
        reader.push(&[0x88, 2, 0x03, 0xed, 0x88, 1, 9, 0x88, 0, 0x88, 4, 0, 0, b'h', 0xff]);
        let frames = read_all(&mut reader);
        let codes: Vec<_> = frames.iter().map(Frame::close_code).collect();
        assert_eq!(codes, [Some(1005), None, None, Some(0)]);
        assert_eq!(frames[3].close_reason(), [b'h', 0xff]);
    }
}
