use proptest::prelude::*;

use super::*;

const LIMIT: usize = 64 * 1024;

const RULES: Rules = Rules { limit: LIMIT, deflate: false };

fn strict(_: Offence) -> bool {
    false
}

fn decode_client(bytes: &[u8]) -> Result<Option<Frame>, Offence> {
    decode(&mut BytesMut::from(bytes), RULES, &mut strict)
}

/// The example of RFC 6455 section 5.7: a masked "Hello".
#[test]
fn reads_the_example_of_the_rfc() {
    let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    let frame = decode_client(&bytes).unwrap().unwrap();
    assert_eq!((frame.fin, frame.opcode), (true, Opcode::Text));
    assert_eq!(frame.payload, b"Hello");
}

#[test]
fn each_rule_of_a_header_has_its_offence() {
    let mask = [0; 4];
    let cases: [(&[u8], Offence); 9] = [
        (&[0xC1, 0x80], Offence::ReservedBit),
        (&[0x83, 0x80], Offence::ReservedOpcode),
        (&[0x8B, 0x80], Offence::ReservedOpcode),
        (&[0x81, 0x00], Offence::Unmasked),
        (&[0x89, 0xFE], Offence::ControlTooLong),
        (&[0x09, 0x80], Offence::ControlFragmented),
        (&[0x81, 0xFE, 0, 125], Offence::BadLength),
        (&[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Offence::BadLength),
        (&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1], Offence::TooBig),
    ];
    for (bytes, offence) in cases {
        let whole = [bytes, &mask].concat();
        assert_eq!(decode_client(&whole), Err(offence), "{bytes:02x?}");
    }
}

#[test]
fn what_is_pardoned_is_read_like_the_rest() {
    let mask = [0; 4];
    let huge = (PARDONED_LIMIT as u64 + 1).to_be_bytes();
    for (bytes, offence, opcode, payload) in [
        (&[0xF1, 0x80][..], Offence::ReservedBit, Opcode::Text, &b""[..]),
        (&[0x83, 0x80], Offence::ReservedOpcode, Opcode::Binary, b""),
        (&[0x8B, 0x80], Offence::ReservedOpcode, Opcode::Pong, b""),
        (&[0x09, 0x80], Offence::ControlFragmented, Opcode::Ping, b""),
        (&[0x81, 0xFE, 0, 0], Offence::BadLength, Opcode::Text, b""),
        (&[0x81, 0x02, b'h', b'i'], Offence::Unmasked, Opcode::Text, b"hi"),
    ] {
        let mut input = BytesMut::from(bytes);
        if offence != Offence::Unmasked {
            input.extend_from_slice(&mask);
        }
        let frame = decode(&mut input, RULES, &mut |found| found == offence).unwrap().unwrap();
        assert_eq!((frame.opcode, &frame.payload[..]), (opcode, payload), "{offence}");
        assert!(input.is_empty(), "{offence}");
    }
    let beyond = [&[0x82, 0xFF], &huge[..]].concat();
    assert_eq!(decode(&mut BytesMut::from(&beyond[..]), RULES, &mut |_| true), Err(Offence::TooBig));
}

#[test]
fn rsv1_means_compressed_only_at_the_beginning_of_a_message() {
    let rules = Rules { deflate: true, ..RULES };
    let read = |first: u8| decode(&mut BytesMut::from(&[first, 0x80, 0, 0, 0, 0][..]), rules, &mut strict);
    for (first, compressed) in [(0xC1, true), (0xC2, true), (0x41, true), (0x81, false), (0x80, false)] {
        assert_eq!(read(first).unwrap().unwrap().compressed, compressed, "{first:02x}");
    }
    for first in [0xC0, 0xC9, 0xC8, 0xE1, 0xA1, 0xD2] {
        assert_eq!(read(first), Err(Offence::ReservedBit), "{first:02x}");
    }
}

#[test]
fn the_limit_is_inclusive() {
    let mut bytes = BytesMut::new();
    encode(&mut bytes, true, Opcode::Binary, &vec![7; LIMIT], Some([9; 4]));
    assert_eq!(decode_client(&bytes).unwrap().unwrap().payload.len(), LIMIT);
}

fn opcode() -> impl Strategy<Value = Opcode> {
    prop_oneof![
        Just(Opcode::Continuation),
        Just(Opcode::Text),
        Just(Opcode::Binary),
        Just(Opcode::Close),
        Just(Opcode::Ping),
        Just(Opcode::Pong),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..130),
        (0usize..LIMIT).prop_map(|length| vec![0xA5; length]),
    ];
    (any::<bool>(), opcode(), payload).prop_map(|(fin, opcode, mut payload)| {
        if opcode.is_control() {
            payload.truncate(125);
        }
        Frame { fin: fin || opcode.is_control(), opcode, compressed: false, payload }
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(frame in frame(), mask in any::<[u8; 4]>()) {
        let mut bytes = BytesMut::new();
        encode(&mut bytes, frame.fin, frame.opcode, &frame.payload, Some(mask));
        prop_assert_eq!(decode(&mut bytes, RULES, &mut strict), Ok(Some(frame)));
        prop_assert!(bytes.is_empty());
    }

    /// A mask of zeros changes no payload: without it only the bit and the key are missing.
    #[test]
    fn an_unmasked_frame_differs_by_its_mask_alone(frame in frame()) {
        let (mut plain, mut masked) = (BytesMut::new(), BytesMut::new());
        encode(&mut plain, frame.fin, frame.opcode, &frame.payload, None);
        encode(&mut masked, frame.fin, frame.opcode, &frame.payload, Some([0; 4]));
        let header = plain.len() - frame.payload.len();
        prop_assert_eq!(plain[1] | 0x80, masked[1]);
        prop_assert_eq!(&plain[2..header], &masked[2..header]);
        prop_assert_eq!(&masked[header..header + 4], &[0; 4]);
        prop_assert_eq!(&plain[header..], &masked[header + 4..]);
    }

    #[test]
    fn a_split_anywhere_changes_nothing(frame in frame(), mask in any::<[u8; 4]>(), at in any::<prop::sample::Index>()) {
        let mut whole = BytesMut::new();
        encode(&mut whole, frame.fin, frame.opcode, &frame.payload, Some(mask));
        let at = at.index(whole.len());
        let mut bytes = BytesMut::from(&whole[..at]);
        prop_assert_eq!(decode(&mut bytes, RULES, &mut strict), Ok(None));
        bytes.extend_from_slice(&whole[at..]);
        prop_assert_eq!(decode(&mut bytes, RULES, &mut strict), Ok(Some(frame)));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_always_advance(pardoned in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut input = BytesMut::from(&bytes[..]);
        loop {
            let before = input.len();
            match decode(&mut input, Rules { deflate: true, ..RULES }, &mut |offence| pardoned & (1 << offence as u64) != 0) {
                Ok(Some(_)) => prop_assert!(input.len() < before),
                Ok(None) | Err(_) => break,
            }
        }
    }
}
