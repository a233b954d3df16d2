//! The inflater: no panic, the limit kept, and what was deflated comes back.
#![no_main]

use gateprobe::wire::{Inflater, deflate};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    if let Some(message) = Inflater::default().inflate(bytes, LIMIT) {
        assert!(message.len() <= LIMIT);
    }
    let deflated = deflate(bytes);
    let expected = (bytes.len() <= LIMIT).then(|| bytes.to_vec());
    assert_eq!(Inflater::default().inflate(&deflated, LIMIT), expected);
});
