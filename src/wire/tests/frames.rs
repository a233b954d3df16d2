//! Longer random runs of the two parsers that read what a gateway sends, as the fuzz targets do: by default few,
//! more with `PROPTEST_CASES`.

use proptest::prelude::*;

use super::super::*;

/// Bytes that are more often frames than chance would have it.
fn frameish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        (any::<u8>(), 0u8..128).prop_map(|(first, length)| vec![first, length]),
        (any::<u8>(), any::<u16>()).prop_map(|(first, n)| [&[first, 126], &n.to_be_bytes()[..]].concat()),
        (any::<u8>(), any::<u64>()).prop_map(|(first, n)| [&[first, 127], &n.to_be_bytes()[..]].concat()),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn frames_are_the_same_however_the_bytes_are_cut(bytes in frameish(), cut in 1usize..64, max in 0u64..3000) {
        let read = |chunks: std::slice::Chunks<'_, u8>| {
            let (mut reader, mut validator) = (Reader::new(max), Validator::default());
            let mut seen = Vec::new();
            for chunk in chunks {
                reader.space().extend_from_slice(chunk);
                while let Some(next) = reader.next_frame() {
                    let over = next.is_err();
                    seen.push(next.map(|frame| (validator.check(&frame), frame)));
                    if over { return seen; }
                }
            }
            seen
        };
        let whole = read(bytes.chunks(bytes.len().max(1)));
        prop_assert_eq!(whole, read(bytes.chunks(cut)));
    }

    #[test]
    fn a_response_is_the_same_however_the_bytes_are_cut(
        status in 100u16..600,
        fields in proptest::collection::vec(("[A-Za-z-]{1,20}", "[ -~]{0,60}"), 0..70),
        tail in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} x\r\n{fields}\r\n");
        let bytes = [head.as_bytes(), &tail].concat();
        let whole = parse_response(&bytes);
        let first = (1..=bytes.len()).map(|n| parse_response(&bytes[..n])).find(|r| *r != Ok(None));
        prop_assert_eq!(first.unwrap_or(Ok(None)), whole);
    }
}
