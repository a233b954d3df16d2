//! The parser of HTTP responses: no panic, bounds kept, nothing beyond the header read.
#![no_main]

use gateprobe::wire::parse_response;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((response, length))) = parse_response(bytes) {
        assert!(length <= bytes.len().min(16 * 1024));
        assert_eq!(parse_response(&bytes[..length]), Ok(Some((response.clone(), length))));
        let _ = (response.subprotocol(), response.extensions(), response.date(), response.retry_after());
        let _ = response.set_cookies().count();
    }
});
