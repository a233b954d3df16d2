//! permessage-deflate (RFC 7692), as far as a client needs it that wants to send a broken message.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::response::Response;

/// What is offered: neither side keeps anything from one message for the next.
pub(super) const OFFER: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

/// What ends each compressed message, and is left out on the wire (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// How much is inflated at once, in bytes.
const STEP: usize = 4_096;

/// Whether the response agrees to [`OFFER`], and to nothing else (RFC 7692, section 7.1).
pub(super) fn is_agreed(response: &Response) -> bool {
    let mut extensions = response
        .values("sec-websocket-extensions")
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|extension| !extension.is_empty());
    let (Some(only), None) = (extensions.next(), extensions.next()) else { return false };
    let mut words = only.split(';').map(str::trim);
    let known = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default().trim();
        // The client's window was not offered to be limited, so it can't be.
        matches!(name, "server_no_context_takeover" | "client_no_context_takeover" | "server_max_window_bits")
    };
    words.next().is_some_and(|name| name.eq_ignore_ascii_case("permessage-deflate")) && words.all(known)
}

/// The payload of one compressed message (RFC 7692, section 7.2.1).
pub fn deflate(message: &[u8]) -> Vec<u8> {
    let mut state = Compress::new(Compression::best(), false);
    let mut payload = Vec::with_capacity(message.len() / 2 + 64);
    let mut read = 0;
    loop {
        payload.reserve(STEP);
        let done = state.compress_vec(&message[read..], &mut payload, FlushCompress::Sync);
        read = usize::try_from(state.total_in()).unwrap_or(usize::MAX).min(message.len());
        // All was taken, and there was room to spare behind it: nothing is left inside.
        if done.is_err() || (read == message.len() && payload.len() < payload.capacity()) {
            break;
        }
    }
    if payload.ends_with(&TAIL) {
        payload.truncate(payload.len() - TAIL.len());
    }
    payload
}

/// Inflates the messages of one connection, with what a gateway may have kept from one for the next.
#[derive(Debug)]
pub struct Inflater(Decompress);

impl Default for Inflater {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Inflater {
    /// The message; none where it is no DEFLATE, or larger than `limit` bytes.
    pub fn inflate(&mut self, payload: &[u8], limit: usize) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        for part in [payload, &TAIL] {
            let mut read = 0;
            loop {
                message.reserve(STEP);
                let (before, length) = (self.0.total_in(), message.len());
                self.0.decompress_vec(&part[read..], &mut message, FlushDecompress::Sync).ok()?;
                read += usize::try_from(self.0.total_in() - before).ok()?;
                if message.len() > limit {
                    return None;
                }
                let stuck = message.len() == length && self.0.total_in() == before;
                if stuck || (read == part.len() && message.len() < message.capacity()) {
                    break;
                }
            }
            if read < part.len() {
                return None;
            }
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::response::parse;
    use super::*;
    use proptest::prelude::*;

    fn agreed(value: &str) -> bool {
        let text = format!("HTTP/1.1 101 x\r\nSec-WebSocket-Extensions: {value}\r\n\r\n");
        is_agreed(&parse(text.as_bytes()).expect("HTTP").expect("whole").0)
    }

    #[test]
    fn only_what_was_offered_is_agreed() {
        assert!(agreed("permessage-deflate"));
        assert!(agreed("Permessage-Deflate; server_no_context_takeover; server_max_window_bits=10"));
        for other in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate, mux",
            "permessage-deflate; client_max_window_bits=9",
        ] {
            assert!(!agreed(other), "{other}");
        }
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 7692, section 7.2.3.1 and 7.2.3.2: "Hello", and again with what was kept.
        let mut inflater = Inflater::default();
        let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflater.inflate(&first, 100).as_deref(), Some(&b"Hello"[..]));
        assert_eq!(inflater.inflate(&[0xf2, 0x00, 0x11, 0x00, 0x00], 100).as_deref(), Some(&b"Hello"[..]));
        assert_eq!(Inflater::default().inflate(&[0xff, 0xff], 100), None, "block type 3 is reserved");
    }

    #[test]
    fn a_bomb_is_not_inflated_beyond_the_limit() {
        let bomb = deflate(&vec![b'a'; 1 << 20]);
        assert!(bomb.len() < 2_048, "{} bytes", bomb.len());
        assert_eq!(Inflater::default().inflate(&bomb, 65_536), None);
        assert_eq!(Inflater::default().inflate(&bomb, 1 << 20).map(|message| message.len()), Some(1 << 20));
    }

    proptest! {
        #[test]
        fn what_was_deflated_inflates_again(messages in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..20_000), 1..4)) {
            let mut inflater = Inflater::default();
            for message in messages {
                let payload = deflate(&message);
                prop_assert_eq!(inflater.inflate(&payload, 20_000), Some(message));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Inflater::default().inflate(&bytes, 10_000);
        }
    }
}
