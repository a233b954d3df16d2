use proptest::prelude::*;

use super::*;

const LIMIT: usize = 64 * 1024;

fn decode_client(bytes: &[u8]) -> Result<Option<Frame>, Violation> {
    decode(&mut BytesMut::from(bytes), LIMIT)
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
fn each_rule_of_a_header_has_its_violation() {
    let mask = [0; 4];
    let cases: [(&[u8], Violation); 9] = [
        (&[0xC1, 0x80], Violation::ReservedBit),
        (&[0x83, 0x80], Violation::ReservedOpcode),
        (&[0x8B, 0x80], Violation::ReservedOpcode),
        (&[0x81, 0x00], Violation::Unmasked),
        (&[0x89, 0xFE], Violation::ControlTooLong),
        (&[0x09, 0x80], Violation::ControlFragmented),
        (&[0x81, 0xFE, 0, 125], Violation::BadLength),
        (&[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Violation::BadLength),
        (&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1], Violation::TooBig),
    ];
    for (bytes, violation) in cases {
        let whole = [bytes, &mask].concat();
        assert_eq!(decode_client(&whole), Err(violation), "{bytes:02x?}");
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
        Frame { fin: fin || opcode.is_control(), opcode, payload }
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(frame in frame(), mask in any::<[u8; 4]>()) {
        let mut bytes = BytesMut::new();
        encode(&mut bytes, frame.fin, frame.opcode, &frame.payload, Some(mask));
        prop_assert_eq!(decode(&mut bytes, LIMIT), Ok(Some(frame)));
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
        prop_assert_eq!(decode(&mut bytes, LIMIT), Ok(None));
        bytes.extend_from_slice(&whole[at..]);
        prop_assert_eq!(decode(&mut bytes, LIMIT), Ok(Some(frame)));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_always_advance(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut input = BytesMut::from(&bytes[..]);
        loop {
            let before = input.len();
            match decode(&mut input, LIMIT) {
                Ok(Some(_)) => prop_assert!(input.len() < before),
                Ok(None) | Err(_) => break,
            }
        }
    }
}
