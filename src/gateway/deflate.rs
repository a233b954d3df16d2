//! permessage-deflate as the gateway takes it (RFC 7692): which offer, and inflating with a bound. No
//! context is kept from message to message, and what the gateway sends is never compressed, which the
//! extension leaves to each side.

use flate2::{Decompress, FlushDecompress, Status};

/// What a sender cuts off a message's end (section 7.2.1).
const TAIL: &[u8] = &[0x00, 0x00, 0xFF, 0xFF];
/// An empty last block: with it behind a whole message, the stream ends, and else it does not.
const LAST: &[u8] = &[0x01, 0x00, 0x00, 0xFF, 0xFF];

/// Why a message could not be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// It is no DEFLATE, or not all of it.
    Corrupt,
    /// It holds more than the limit.
    TooBig,
}

/// Inflates a message to at most `limit` bytes.
///
/// # Errors
/// See [`InflateError`].
pub fn inflate(message: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let input = [message, TAIL, LAST].concat();
    let mut inflater = Decompress::new(false);
    let (mut output, mut used) = (Vec::new(), 0);
    loop {
        let mut chunk = [0; 4096];
        let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(&input[used..], &mut chunk, FlushDecompress::None);
        let status = status.map_err(|_| InflateError::Corrupt)?;
        // Both are at most the lengths of slices.
        let taken = (inflater.total_in() - before_in) as usize;
        let made = (inflater.total_out() - before_out) as usize;
        used += taken;
        if output.len() + made > limit {
            return Err(InflateError::TooBig);
        }
        output.extend_from_slice(&chunk[..made]);
        match status {
            Status::StreamEnd if used == input.len() => return Ok(output),
            // A sender may end its blocks by a last one, and the tail follows (section 7.2.3.5).
            Status::StreamEnd => inflater.reset(false),
            Status::Ok | Status::BufError if taken == 0 && made == 0 => return Err(InflateError::Corrupt),
            Status::Ok | Status::BufError => {}
        }
    }
}

/// The answer to the first of the offered extensions that is a permessage-deflate the gateway can
/// fulfil; `None` when there is none.
pub fn agree<'a>(offers: impl Iterator<Item = &'a str>) -> Option<String> {
    offers.into_iter().find_map(agree_to)
}

fn agree_to(offer: &str) -> Option<String> {
    let mut parts = offer.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover".to_owned();
    let mut seen = Vec::new();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (part, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            ("client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(bits)) if is_window(bits) => {}
            // Whatever the window, what is not compressed keeps to it.
            ("server_max_window_bits", Some(bits)) if is_window(bits) => {
                answer.push_str(&format!("; server_max_window_bits={bits}"));
            }
            _ => return None,
        }
    }
    Some(answer)
}

/// 8 to 15, without leading zeros (section 7.1.2.1).
fn is_window(bits: &str) -> bool {
    matches!(bits, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15")
}

/// Compresses a message as a client does: flushed, and without the tail.
#[cfg(test)]
pub fn deflate(message: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(message).unwrap();
    encoder.flush().unwrap();
    encoder.get_ref().strip_suffix(TAIL).unwrap().to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of RFC 7692 section 7.2.3.
    #[test]
    fn inflates_the_examples_of_the_rfc() {
        for message in [
            &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
            &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
        ] {
            assert_eq!(inflate(message, 5).as_deref(), Ok(&b"Hello"[..]), "{message:02x?}");
            assert_eq!(inflate(message, 4), Err(InflateError::TooBig));
        }
        assert_eq!(inflate(&[0x00], 0), Ok(Vec::new()));
    }

    #[test]
    fn what_is_cut_or_corrupt_is_found() {
        let whole = deflate(b"some text that is long enough to be worth compressing, some text");
        for size in 0..whole.len() {
            assert!(inflate(&whole[..size], 1000) != inflate(&whole, 1000), "{size}");
        }
        for garbage in [&b"\xFF\xFF\xFF"[..], b"no deflate at all", b"\x07"] {
            assert_eq!(inflate(garbage, 1000), Err(InflateError::Corrupt), "{garbage:02x?}");
        }
    }

    #[test]
    fn only_offers_that_can_be_fulfilled_are_agreed_to() {
        let agreed = |offer: &str| agree(offer.split(',').map(str::trim));
        let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        for offer in [
            "permessage-deflate",
            "x-other, permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=\"10\"; server_no_context_takeover",
            "permessage-deflate; unknown, permessage-deflate",
        ] {
            assert_eq!(agreed(offer).as_deref(), Some(plain), "{offer}");
        }
        let bound = agreed("permessage-deflate; server_max_window_bits=9").unwrap();
        assert_eq!(bound, format!("{plain}; server_max_window_bits=9"));
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        ] {
            assert_eq!(agreed(offer), None, "{offer}");
        }
    }

    proptest! {
        #[test]
        fn what_was_deflated_is_inflated(data in prop::collection::vec(0u8..4, 0..3000)) {
            let message = deflate(&data);
            prop_assert_eq!(inflate(&message, data.len()), Ok(data.clone()));
            if let Some(less) = data.len().checked_sub(1) {
                prop_assert_eq!(inflate(&message, less), Err(InflateError::TooBig));
            }
        }

        #[test]
        fn arbitrary_bytes_end_and_stay_in_bounds(data in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(inflated) = inflate(&data, 1000) {
                prop_assert!(inflated.len() <= 1000);
            }
        }

        #[test]
        fn arbitrary_offers_never_panic(offer in "(permessage-deflate)?[;=a-z_\" 0-9]{0,40}") {
            let _ = agree(offer.split(','));
        }
    }
}
