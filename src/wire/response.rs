//! The response to an HTTP request, up to the end of its header, within bounds.

use std::fmt;
use std::time::{Duration, SystemTime};

use thiserror::Error;

/// The most bytes of header that are read.
pub(super) const MAX_HEADER: usize = 16 * 1024;

/// The most header fields that are read.
const MAX_FIELDS: usize = 64;

/// A status and its header. Values are never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The minor version of HTTP/1.
    pub minor_version: u8,
    headers: Vec<(String, Vec<u8>)>,
}

/// Why a header can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// Beyond 16 KiB or 64 fields.
    #[error("the header is too large")]
    TooLarge,
    /// Not HTTP/1.x.
    #[error("not HTTP/1.1: {0}")]
    Malformed(&'static str),
    /// The frames of an HTTP/2 server.
    #[error("HTTP/2")]
    Http2,
}

/// Reads a header from the beginning of the bytes: the response and the length of its header, or `None` when
/// more bytes are needed.
///
/// # Errors
/// When no bytes that might follow could make it one.
pub fn parse(bytes: &[u8]) -> Result<Option<(Response, usize)>, ResponseError> {
    if is_http2(bytes) {
        return Err(ResponseError::Http2);
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let bounded = &bytes[..bytes.len().min(MAX_HEADER)];
    match parsed.parse(bounded) {
        Ok(httparse::Status::Complete(length)) => {
            let headers =
                parsed.headers.iter().map(|field| (field.name.to_owned(), field.value.to_owned())).collect();
            let status = parsed.code.ok_or(ResponseError::Malformed("no status"))?;
            let minor_version = parsed.version.ok_or(ResponseError::Malformed("no version"))?;
            Ok(Some((Response { status, minor_version, headers }, length)))
        }
        Ok(httparse::Status::Partial) if bytes.len() >= MAX_HEADER => Err(ResponseError::TooLarge),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(describe(error)),
    }
}

fn describe(error: httparse::Error) -> ResponseError {
    ResponseError::Malformed(match error {
        httparse::Error::TooManyHeaders => return ResponseError::TooLarge,
        httparse::Error::HeaderName => "a broken header name",
        httparse::Error::HeaderValue => "a broken header value",
        httparse::Error::NewLine => "a broken line end",
        httparse::Error::Status => "a broken status",
        httparse::Error::Version => "a broken version",
        httparse::Error::Token => "a broken status line",
    })
}

/// An HTTP/2 server speaks first: a SETTINGS frame on stream 0 (RFC 9113, section 3.4).
fn is_http2(bytes: &[u8]) -> bool {
    matches!(bytes, [0, _, _, 4, 0 | 1, 0, 0, 0, 0, ..])
}

impl Response {
    /// A header's first value, where it is UTF-8.
    pub fn header<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// All values of a header.
    pub fn values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok().map(str::trim))
    }

    /// Whether a header is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.lines(name) > 0
    }

    /// In how many lines a header stands, whatever they say.
    pub(super) fn lines(&self, name: &str) -> usize {
        self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count()
    }

    /// Whether a comma-separated header holds a token, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|other| other.trim().eq_ignore_ascii_case(token))
    }

    /// The subprotocol that was selected; `(credential)` where it is one of ours that holds a secret.
    pub fn subprotocol(&self) -> Option<&str> {
        self.header("sec-websocket-protocol").filter(|value| !value.is_empty())
    }

    /// The gateway's clock, from `Date`.
    pub fn date(&self) -> Option<SystemTime> {
        http_date(self.header("date")?)
    }

    /// `Retry-After`, from now where it is a date.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?;
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                let now = self.date().unwrap_or_else(SystemTime::now);
                Some(http_date(value)?.duration_since(now).unwrap_or_default())
            }
        }
    }

    /// Every `Set-Cookie`.
    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        self.values("set-cookie")
    }

    /// Replaces a header's values.
    pub(super) fn mask(&mut self, name: &str, by: &str) {
        for (_, value) in self.headers.iter_mut().filter(|(other, _)| other.eq_ignore_ascii_case(name)) {
            *value = by.into();
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Response").field("status", &self.status).field("headers", &names).finish()
    }
}

fn http_date(value: &str) -> Option<SystemTime> {
    Some(jiff::fmt::rfc2822::parse(value).ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn response(text: &str) -> Response {
        parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn a_header_is_read_to_its_end_and_no_further() {
        let text = b"HTTP/1.1 101 Switching Protocols\r\nUPGRADE: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\nrest";
        for cut in 0..text.len() - 4 {
            assert_eq!(parse(&text[..cut]), Ok(None), "{cut}");
        }
        let (response, length) = parse(text).unwrap().unwrap();
        assert_eq!((response.status, &text[length..]), (101, &b"rest"[..]));
        assert!(response.has_token("upgrade", "websocket"));
        assert!(response.has_token("Connection", "upgrade") && !response.has_token("Connection", "close"));
    }

    #[test]
    fn bombs_garbage_and_http2_are_told_apart() {
        let long = format!("HTTP/1.1 101 x\r\nA: {}", "b".repeat(MAX_HEADER));
        assert_eq!(parse(long.as_bytes()), Err(ResponseError::TooLarge));
        let many = format!("HTTP/1.1 101 x\r\n{}\r\n", "A: b\r\n".repeat(65));
        assert_eq!(parse(many.as_bytes()), Err(ResponseError::TooLarge));
        assert_eq!(parse(&[0, 0, 18, 4, 0, 0, 0, 0, 0, 0]), Err(ResponseError::Http2));
        for garbage in
            ["SSH-2.0-OpenSSH_9\r\n", "\x15\x03\x01", "HTTP/2 200\r\n\r\n", "HTTP/1.1 abc x\r\n\r\n"]
        {
            assert!(matches!(parse(garbage.as_bytes()), Err(ResponseError::Malformed(_))), "{garbage}");
        }
    }

    #[test]
    fn retry_after_comes_in_seconds_or_as_a_date() {
        let seconds = response("HTTP/1.1 503 x\r\nRetry-After: 120\r\n\r\n");
        assert_eq!(seconds.retry_after(), Some(Duration::from_secs(120)));
        let date = response(
            "HTTP/1.1 503 x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:00 GMT\r\n\r\n",
        );
        assert_eq!(date.retry_after(), Some(Duration::from_secs(23)));
        assert_eq!(date.date(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)));
        assert_eq!(response("HTTP/1.1 503 x\r\nRetry-After: soon\r\n\r\n").retry_after(), None);
    }

    #[test]
    fn values_stay_out_of_debug() {
        let response = response("HTTP/1.1 200 x\r\nSet-Cookie: session=s3cret\r\n\r\n");
        assert_eq!(response.set_cookies().collect::<Vec<_>>(), ["session=s3cret"]);
        assert!(!format!("{response:?}").contains("s3cret"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"HTTP/1.1 101 x\r\n", &bytes[..]].concat());
        }
    }
}
