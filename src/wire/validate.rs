//! What RFC 6455 forbids a server to send.

use thiserror::Error;

use super::frame::Frame;

/// How a frame breaks RFC 6455. The first that applies is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Violation {
    /// Section 5.1: a server must not mask.
    #[error("the frame is masked")]
    Masked,
    /// Section 5.2: RSV bits without an extension.
    #[error("reserved bits are set, no extension was negotiated")]
    ReservedBits,
    /// Section 5.2: opcodes 3 to 7 and 11 to 15.
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// Section 5.2: the length must be written in the fewest bytes.
    #[error("the length is not written in the fewest bytes")]
    LengthNotMinimal,
    /// Section 5.5: a control frame has at most 125 bytes.
    #[error("a control frame of more than 125 bytes")]
    ControlTooLong,
    /// Section 5.5: a control frame is never fragmented.
    #[error("a fragmented control frame")]
    ControlFragmented,
    /// Section 5.5.1: a Close body is empty or begins with a code of two bytes.
    #[error("a Close body of one byte")]
    CloseBody,
    /// Section 7.4: a code that must not be sent.
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    /// Section 5.5.1: the reason is UTF-8.
    #[error("the close reason is not UTF-8")]
    CloseReason,
    /// Section 5.4: nothing to continue.
    #[error("a continuation with nothing to continue")]
    NothingToContinue,
    /// Section 5.4: a message inside another.
    #[error("a new message inside an unfinished one")]
    Interleaved,
    /// Section 8.1: text is UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// Section 5.5.1: nothing follows a Close.
    #[error("a frame after the Close frame")]
    AfterClose,
}

/// Checks the frames of one connection in their order.
#[derive(Debug, Default)]
pub struct Validator {
    message: Option<Message>,
    closed: bool,
    /// RSV1 marks a compressed message (RFC 7692, section 6).
    deflate: bool,
}

#[derive(Debug, Clone, Copy)]
enum Message {
    Binary,
    Text(Utf8),
}

impl Validator {
    /// Takes compressed messages for legal from now on; what they hold is not looked at.
    pub(super) fn expect_deflate(&mut self) {
        self.deflate = true;
    }

    /// Checks the next frame. After an error the stream can be read on as far as it makes sense.
    ///
    /// # Errors
    /// The first rule that the frame breaks.
    pub fn check(&mut self, frame: &Frame) -> Result<(), Violation> {
        if self.closed {
            return Err(Violation::AfterClose);
        }
        let header = self.check_begun(frame);
        // The state follows the frame even where its header is illegal, or one mistake would look like many.
        let content = if frame.is_control() { self.check_control(frame) } else { self.check_data(frame) };
        header.and(content)
    }

    /// Checks what is known of a frame before all of it came.
    ///
    /// # Errors
    /// The rule that its header breaks, whatever may follow.
    pub(super) fn check_begun(&self, frame: &Frame) -> Result<(), Violation> {
        let compressed = self.deflate && frame.rsv == 4 && matches!(frame.opcode, 1 | 2);
        check_header(frame, compressed)
    }

    fn check_control(&mut self, frame: &Frame) -> Result<(), Violation> {
        if frame.opcode != 0x8 {
            return Ok(());
        }
        self.closed = true;
        match (frame.payload.len(), frame.close_code()) {
            (1, _) => Err(Violation::CloseBody),
            (_, Some(code)) if !may_be_sent(code) => Err(Violation::CloseCode(code)),
            _ if std::str::from_utf8(frame.close_reason()).is_err() => Err(Violation::CloseReason),
            _ => Ok(()),
        }
    }

    fn check_data(&mut self, frame: &Frame) -> Result<(), Violation> {
        let open = self.message.take();
        let (message, order) = match (frame.opcode, open) {
            (0, Some(message)) => (message, Ok(())),
            (0, None) => return Err(Violation::NothingToContinue),
            (1, None) if self.deflate && frame.rsv == 4 => (Message::Binary, Ok(())),
            (1, None) => (Message::Text(Utf8::default()), Ok(())),
            (2, None) => (Message::Binary, Ok(())),
            (1, Some(_)) => (Message::Text(Utf8::default()), Err(Violation::Interleaved)),
            (2, Some(_)) => (Message::Binary, Err(Violation::Interleaved)),
            // Reserved opcodes: reported by the header, they belong to no message.
            (_, open) => {
                self.message = open;
                return Ok(());
            }
        };
        let (message, text) = match message {
            Message::Binary => (Message::Binary, Ok(())),
            Message::Text(mut utf8) => match utf8.push(&frame.payload) && (!frame.fin || utf8.complete()) {
                true => (Message::Text(utf8), Ok(())),
                // Reported once: what follows of the message is not looked at as text any more.
                false => (Message::Binary, Err(Violation::NotUtf8)),
            },
        };
        self.message = (!frame.fin).then_some(message);
        order.and(text)
    }
}

fn check_header(frame: &Frame, compressed: bool) -> Result<(), Violation> {
    match frame {
        Frame { masked: true, .. } => Err(Violation::Masked),
        Frame { rsv: 1.., .. } if !compressed => Err(Violation::ReservedBits),
        Frame { opcode: opcode @ (3..=7 | 11..), .. } => Err(Violation::ReservedOpcode(*opcode)),
        Frame { minimal: false, .. } => Err(Violation::LengthNotMinimal),
        frame if frame.is_control() && frame.payload.len() > 125 => Err(Violation::ControlTooLong),
        frame if frame.is_control() && !frame.fin => Err(Violation::ControlFragmented),
        _ => Ok(()),
    }
}

/// RFC 6455, section 7.4 and the registry behind it: 1004 is reserved, 1005, 1006 and 1015 are for local use,
/// 1012 to 1014 were registered later.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// UTF-8 across frames: the tail of a character that the last frame left open, at most three bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Utf8 {
    open: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// False when what came can't be completed to UTF-8 any more; then it must not be used again.
    fn push(&mut self, mut bytes: &[u8]) -> bool {
        while self.length > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return true };
            self.open[self.length] = byte;
            self.length += 1;
            bytes = rest;
            match std::str::from_utf8(&self.open[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let open = &bytes[error.valid_up_to()..];
                self.open[..open.len()].copy_from_slice(open);
                self.length = open.len();
                true
            }
        }
    }

    fn complete(self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Reader;
    use super::super::writer::{Length, Mask, OutFrame};
    use super::*;
    use proptest::prelude::*;

    /// What a server's frames are found to be, one by one.
    fn check(frames: &[OutFrame]) -> Vec<Option<Violation>> {
        let mut reader = Reader::new(1 << 20);
        let mut validator = Validator::default();
        let encoded = frames.iter().flat_map(|frame| match frame.mask {
            Mask::Random => frame.clone().with_mask(Mask::None).encode(),
            _ => frame.encode(),
        });
        reader.push(&encoded.collect::<Vec<u8>>());
        std::iter::from_fn(|| reader.next_frame()).map(|f| validator.check(&f.unwrap()).err()).collect()
    }

    fn one(frame: OutFrame) -> Option<Violation> {
        check(&[frame])[0]
    }

    #[test]
    fn each_rule_is_told_by_its_name() {
        assert_eq!(one(OutFrame::text("ok").with_mask(Mask::Key([1; 4]))), Some(Violation::Masked));
        assert_eq!(one(OutFrame::text("ok").with_rsv(4)), Some(Violation::ReservedBits));
        for opcode in [3, 7, 11, 15] {
            assert_eq!(one(OutFrame::raw(opcode, "")), Some(Violation::ReservedOpcode(opcode)));
        }
        for length in [Length::Bits16, Length::Bits64] {
            let frame = OutFrame::text("x").with_length(length);
            assert_eq!(one(frame), Some(Violation::LengthNotMinimal));
        }
        assert_eq!(one(OutFrame::ping(vec![0; 126])), Some(Violation::ControlTooLong));
        assert_eq!(one(OutFrame::ping("").with_fin(false)), Some(Violation::ControlFragmented));
        assert_eq!(one(OutFrame::raw(8, vec![3])), Some(Violation::CloseBody));
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            assert_eq!(one(OutFrame::close(code, "")), Some(Violation::CloseCode(code)));
        }
        for code in [1000, 1001, 1012, 1013, 3000, 4999] {
            assert_eq!(one(OutFrame::close(code, "")), None);
        }
        assert_eq!(one(OutFrame::raw(8, vec![3, 232, 0xff])), Some(Violation::CloseReason));
        assert_eq!(one(OutFrame::raw(8, "")), None);
        assert_eq!(one(OutFrame::continuation("x")), Some(Violation::NothingToContinue));
        assert_eq!(one(OutFrame::raw(1, vec![0xff, 0xfe])), Some(Violation::NotUtf8));
        assert_eq!(one(OutFrame::raw(1, vec![0xe2, 0x82])), Some(Violation::NotUtf8));
        assert_eq!(one(OutFrame::raw(1, vec![0xed, 0xa0, 0x80])), Some(Violation::NotUtf8));
    }

    #[test]
    fn order_is_checked_and_one_mistake_is_one_mistake() {
        let open = OutFrame::text("a").with_fin(false);
        let ping = OutFrame::ping("in between");
        let more = OutFrame::continuation("b").with_fin(false);
        let last = OutFrame::continuation("c");
        assert_eq!(check(&[open.clone(), ping, more, last.clone()]), [None; 4]);
        let broken = [open, OutFrame::binary("b"), last];
        assert_eq!(check(&broken), [None, Some(Violation::Interleaved), Some(Violation::NothingToContinue)]);
        let after = [OutFrame::close(1000, ""), OutFrame::text("more")];
        assert_eq!(check(&after), [None, Some(Violation::AfterClose)]);
    }

    #[test]
    fn broken_text_is_told_once_and_the_rest_of_its_message_is_let_through() {
        let open = OutFrame::raw(1, vec![0xf0]).with_fin(false);
        let more = OutFrame::continuation(vec![0]).with_fin(false);
        let frames =
            [&[open], &vec![more; 6][..], &[OutFrame::continuation(""), OutFrame::text("ok")]].concat();
        let found = check(&frames);
        assert_eq!(found[1], Some(Violation::NotUtf8));
        assert_eq!(found.iter().flatten().count(), 1);
    }

    proptest! {
        #[test]
        fn fragments_are_judged_as_their_whole(pieces in proptest::collection::vec(proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(0xf0), Just(0x90), Just(0x80), Just(0xe2), Just(b'a')], 0..6), 1..8))
        {
            let last = pieces.len() - 1;
            let frames: Vec<OutFrame> = pieces.iter().enumerate().map(|(i, piece)| {
                OutFrame::raw(u8::from(i == 0), piece.clone()).with_fin(i == last)
            }).collect();
            let broken = std::str::from_utf8(&pieces.concat()).is_err();
            let expected = if broken { vec![Violation::NotUtf8] } else { vec![] };
            prop_assert_eq!(check(&frames).into_iter().flatten().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn text_may_be_cut_inside_a_character(text in "\\PC{1,40}", cuts in proptest::collection::vec(0usize..160, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut frames = Vec::new();
            let mut from = 0;
            for to in cuts.into_iter().chain([bytes.len()]) {
                let opcode = u8::from(frames.is_empty());
                let last = to == bytes.len();
                frames.push(OutFrame::raw(opcode, bytes[from..to].to_vec()).with_fin(false));
                from = to;
                if last { break; }
            }
            if let Some(last) = frames.last_mut() { last.fin = true; }
            prop_assert!(check(&frames).iter().all(Option::is_none));
        }
    }
}
