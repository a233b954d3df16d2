use proptest::prelude::*;

use super::*;
use crate::gateway::deflate::deflate;

fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Frame {
    Frame { fin, opcode, compressed: false, payload: payload.to_vec() }
}

fn strict(_: Offence) -> bool {
    false
}

fn push(
    assembler: &mut Assembler,
    fin: bool,
    opcode: Opcode,
    payload: &[u8],
) -> Result<Option<Message>, Offence> {
    assembler.push(frame(fin, opcode, payload), &mut strict)
}

/// Pushes with a pardon for this one offence, which must be asked for.
fn pardoned(assembler: &mut Assembler, offence: Offence, frame: Frame) -> Option<Message> {
    let mut asked = false;
    let message = assembler.push(frame, &mut |found| {
        asked |= found == offence;
        found == offence
    });
    assert!(asked, "{offence}");
    message.unwrap()
}

#[test]
fn fragments_become_one_message_with_control_frames_between() {
    let mut assembler = Assembler::new(100);
    // A code point split over two fragments is valid text.
    let text = "aé".as_bytes();
    assert_eq!(push(&mut assembler, false, Opcode::Text, &text[..2]), Ok(None));
    let ping = push(&mut assembler, true, Opcode::Ping, b"p");
    assert_eq!(ping, Ok(Some(Message::Ping(b"p".to_vec()))));
    let done = push(&mut assembler, true, Opcode::Continuation, &text[2..]);
    assert_eq!(done, Ok(Some(Message::Text("aé".to_owned()))));
}

#[test]
fn broken_sequences() {
    let mut fresh = Assembler::new(10);
    let lone = push(&mut fresh, true, Opcode::Continuation, b"");
    assert_eq!(lone, Err(Offence::NothingToContinue));
    push(&mut fresh, false, Opcode::Binary, b"12345678").unwrap();
    let inside = push(&mut fresh, true, Opcode::Text, b"");
    assert_eq!(inside, Err(Offence::Interleaved));
    let grown = push(&mut fresh, true, Opcode::Continuation, b"123");
    assert_eq!(grown, Err(Offence::TooBig));
}

#[test]
fn bad_utf8_is_refused() {
    for bytes in [&[0xC0, 0xAF][..], &[0xED, 0xA0, 0x80], &[0xE2, 0x82], &[0xFF]] {
        let text = push(&mut Assembler::new(10), true, Opcode::Text, bytes);
        assert_eq!(text, Err(Offence::NotUtf8));
        let reason = [&[0x03, 0xE8], bytes].concat();
        assert_eq!(close_code(&reason, &mut strict), Err(Offence::BadCloseReason));
    }
}

#[test]
fn close_bodies() {
    assert_eq!(close_code(b"", &mut strict), Ok(None));
    assert_eq!(close_code(b"\x03", &mut strict), Err(Offence::ShortClose));
    for good in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
        assert_eq!(close_code(&u16::to_be_bytes(good), &mut strict), Ok(Some(good)));
    }
    for bad in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(close_code(&u16::to_be_bytes(bad), &mut strict), Err(Offence::BadCloseCode));
    }
}

#[test]
fn after_a_pardon_the_stream_goes_on() {
    use Offence as O;
    let text = |text: &str| Some(Message::Text(text.to_owned()));
    let mut assembler = Assembler::new(10);
    let lone = frame(true, Opcode::Continuation, b"lone");
    assert_eq!(pardoned(&mut assembler, O::NothingToContinue, lone), text("lone"));
    push(&mut assembler, false, Opcode::Text, b"out").unwrap();
    let inside = frame(true, Opcode::Text, b"inside");
    assert_eq!(pardoned(&mut assembler, O::Interleaved, inside), text("inside"));
    let done = push(&mut assembler, true, Opcode::Continuation, b"side");
    assert_eq!(done.unwrap(), text("outside"));
    let bytes = frame(true, Opcode::Text, b"\xFF");
    assert_eq!(pardoned(&mut assembler, O::NotUtf8, bytes), Some(Message::BadText(vec![0xFF])));
    let long = frame(true, Opcode::Text, b"eleven chars");
    assert_eq!(pardoned(&mut assembler, O::TooBig, long), text("eleven chars"));
    let closes = [(O::ShortClose, &b"\x03"[..], None), (O::BadCloseCode, b"\x03\xE7", Some(999))];
    for (offence, body, code) in closes {
        let close = frame(true, Opcode::Close, body);
        assert_eq!(pardoned(&mut assembler, offence, close), Some(Message::Close(code)));
    }
    // Whoever lets a control frame without FIN pass, lets it be continued.
    assert_eq!(push(&mut assembler, false, Opcode::Ping, b"pi"), Ok(None));
    let ping = push(&mut assembler, true, Opcode::Continuation, b"ng");
    assert_eq!(ping, Ok(Some(Message::Ping(b"ping".to_vec()))));
}

#[test]
fn no_pardon_goes_beyond_all_bounds() {
    let mut assembler = Assembler::new(10);
    let huge = frame(true, Opcode::Binary, &vec![0; PARDONED_LIMIT + 1]);
    assert_eq!(assembler.push(huge, &mut |_| true), Err(Offence::TooBig));
}

#[test]
fn compressed_messages_are_inflated_within_the_limit() {
    let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let compressed = |fin, payload: &[u8]| Frame { compressed: true, ..frame(fin, Opcode::Text, payload) };
    let mut assembler = Assembler::new(10);
    assert_eq!(assembler.push(compressed(false, &hello[..3]), &mut strict), Ok(None));
    let done = push(&mut assembler, true, Opcode::Continuation, &hello[3..]);
    assert_eq!(done, Ok(Some(Message::Text("Hello".to_owned()))));
    let corrupt = compressed(true, b"\xFF\xFF");
    assert_eq!(assembler.push(corrupt.clone(), &mut strict), Err(Offence::BadDeflate));
    let raw = pardoned(&mut assembler, Offence::BadDeflate, corrupt);
    assert_eq!(raw, Some(Message::Binary(b"\xFF\xFF".to_vec())));
    let bomb = compressed(true, &deflate(&[b'a'; 1000]));
    assert_eq!(Assembler::new(999).push(bomb.clone(), &mut strict), Err(Offence::TooBig));
    assert!(Assembler::new(1000).push(bomb.clone(), &mut strict).is_ok());
    let whole = pardoned(&mut Assembler::new(999), Offence::TooBig, bomb);
    assert_eq!(whole, Some(Message::Text("a".repeat(1000))));
}

proptest! {
    #[test]
    fn no_sequence_of_frames_panics_or_outgrows_the_limit(
        frames in prop::collection::vec((any::<bool>(), 0usize..6, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        pardoned in any::<u64>(),
    ) {
        const OPCODES: [Opcode; 6] =
            [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];
        let mut assembler = Assembler::new(50);
        let mut pardon = |offence: Offence| offence != Offence::TooBig && pardoned & (1 << offence as u64) != 0;
        for (fin, opcode, compressed, payload) in frames {
            let frame = Frame { fin, opcode: OPCODES[opcode], compressed, payload };
            if let Ok(Some(Message::Binary(data))) = assembler.push(frame, &mut pardon) {
                prop_assert!(data.len() <= 50);
            }
        }
    }
}
