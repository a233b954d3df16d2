//! The frame reader: no panic, bounded memory, and the same frames however the bytes are cut.
#![no_main]

use gateprobe::wire::{Reader, Validator};
use libfuzzer_sys::fuzz_target;

const MAX_FRAME: u64 = 4096;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(cut) + 1));
});

fn read(bytes: &[u8], cut: usize) -> Vec<String> {
    let (mut reader, mut validator) = (Reader::new(MAX_FRAME), Validator::default());
    let mut seen = Vec::new();
    for chunk in bytes.chunks(cut) {
        let space = reader.space();
        space.extend_from_slice(chunk);
        assert!(space.capacity() <= 64 * 1024 + 2 * bytes.len());
        while let Some(next) = reader.next_frame() {
            let over = next.is_err();
            if let Ok(frame) = &next {
                assert!(frame.payload.len() as u64 <= MAX_FRAME);
                seen.push(format!("{:?} {:?}", validator.check(frame), frame.payload));
            }
            seen.push(format!("{next:?}"));
            if over {
                return seen;
            }
        }
    }
    seen
}
