//! What a person typed on the command line, and most likely meant.

use std::fs::{self, File};
use std::path::Path;

use crate::model::{Span, SpanError};

/// The schemes that people write, and those of a WebSocket that they stand for.
const SCHEMES: [(&str, &str); 4] = [("wss", "wss"), ("ws", "ws"), ("https", "wss"), ("http", "ws")];

/// A URL in the place of what is none: the scheme mended where it was mistyped, as in `wss:/HOST` or `ws//HOST`, else
/// added.
pub fn url_meant(text: &str) -> String {
    let mended = SCHEMES.iter().find_map(|(typed, meant)| {
        let rest = text.strip_prefix(typed)?;
        let host = rest.trim_start_matches([':', '/']);
        // `ws:8080` and `ws/chat` may be a host of that name.
        let parted = rest.len() - host.len() >= 2 || rest.starts_with(':') && !starts_with_digit(host);
        (parted && !host.is_empty()).then(|| format!("{meant}://{host}"))
    });
    mended.unwrap_or_else(|| format!("wss://{text}"))
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// That a file that was named is there, and may be read. It is not read: what a pipe holds can be read once only.
///
/// # Errors
/// What is wrong, for people.
pub fn readable(option: &str, file: &Path) -> Result<(), String> {
    let looked = fs::metadata(file).and_then(|found| match found.is_dir() {
        true => Err(std::io::ErrorKind::IsADirectory.into()),
        false if found.is_file() => File::open(file).map(drop),
        false => Ok(()),
    });
    looked.map_err(|error| format!("command line: {option}: {} can't be read: {error}", file.display()))
}

/// A path as text, as a config has it.
///
/// # Errors
/// It is not UTF-8.
pub fn utf8<'a>(option: &str, file: &'a Path) -> Result<&'a str, String> {
    file.to_str().ok_or_else(|| format!("command line: {option}: {} is not UTF-8", file.display()))
}

/// A length of time in seconds: with a unit as everywhere, or a bare number of them.
///
/// # Errors
/// What is allowed.
pub fn seconds(text: &str) -> Result<Span, String> {
    match text.parse::<u32>() {
        Ok(seconds) => Ok(Span::secs(seconds.into())),
        Err(_) => text.parse().map_err(|error: SpanError| match error {
            SpanError::NoSpan => {
                "not a length of time; write a number of seconds, or one with a unit, such as 20, 20s or 1m30s".into()
            }
            too_long => too_long.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_scheme_is_mended() {
        for (typed, meant) in [
            ("wss:/127.0.0.1:9000/ws", "wss://127.0.0.1:9000/ws"),
            ("wss//127.0.0.1:9000", "wss://127.0.0.1:9000"),
            ("ws:127.example/ws", "wss://ws:127.example/ws"),
            ("ws:chat.example/ws", "ws://chat.example/ws"),
            ("ws:/chat.example", "ws://chat.example"),
            ("http:/chat.example", "ws://chat.example"),
            ("https//chat.example", "wss://chat.example"),
            ("ws:8080", "wss://ws:8080"),
            ("ws/chat", "wss://ws/chat"),
            ("wss", "wss://wss"),
            ("chat.example.com/ws", "wss://chat.example.com/ws"),
        ] {
            assert_eq!(url_meant(typed), meant);
        }
    }

    #[test]
    fn a_wrong_path_is_told_before_anything_is_asked_of_a_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let (file, missing) = (folder.path().join("token"), folder.path().join("nope"));
        std::fs::write(&file, "t").unwrap();
        assert_eq!(readable("--token-file", &file), Ok(()));
        let said = readable("--token-file", &missing).unwrap_err();
        assert!(said.starts_with("command line: --token-file: ") && said.contains("can't be read"), "{said}");
        assert!(readable("--token-file", folder.path()).is_err());
    }

    #[test]
    fn a_path_that_no_config_can_hold_is_told() {
        use std::os::unix::ffi::OsStrExt;
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"tok\xff"));
        assert!(utf8("--ca-file", odd).unwrap_err().starts_with("command line: --ca-file: tok"));
        assert_eq!(utf8("--ca-file", Path::new("tok")), Ok("tok"));
    }

    #[test]
    fn bare_seconds_are_as_good_as_a_unit() {
        assert_eq!(seconds("20"), Ok(Span::secs(20)));
        assert_eq!(seconds("20s"), Ok(Span::secs(20)));
        assert_eq!(seconds("1m30s"), Ok(Span::secs(90)));
        assert!(seconds("-1").is_err() && seconds("soon").is_err() && seconds("").is_err());
    }
}
