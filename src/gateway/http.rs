//! A small reader of HTTP/1.1 request heads (RFC 9112), no I/O.

use super::offence::Offence;

/// The largest request head, in bytes; a larger one is answered with 431.
pub const HEAD_LIMIT: usize = 16 * 1024;
const HEADERS_LIMIT: usize = 100;
/// The largest one where a fault takes any size, in bytes.
pub const PARDONED_LIMIT: usize = 256 * 1024;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// The request target, as sent, query and all. It may hold a token: never log it.
    pub target: String,
    headers: Vec<(String, String)>,
}

/// Why bytes are no request head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Not HTTP, or not well-formed.
    #[error("malformed request")]
    Malformed,
    /// Well-formed, but neither HTTP/1.1 nor a later 1.x.
    #[error("HTTP version not supported")]
    Version,
    /// Over 16 KiB or over 100 header lines.
    #[error("request head too large")]
    TooLarge,
}

impl HeadError {
    /// What the client did wrong.
    pub fn offence(self) -> Offence {
        match self {
            Self::Malformed => Offence::BadRequest,
            Self::Version => Offence::HttpVersion,
            Self::TooLarge => Offence::HeaderTooLarge,
        }
    }

    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Version => 505,
            Self::TooLarge => 431,
        }
    }
}

impl Request {
    /// Reads a head off the front of `input`: the request and how many bytes it took; `None` when
    /// more bytes are needed. What is wrong with it passes if `pardon` says so.
    ///
    /// # Errors
    /// See [`HeadError`].
    pub fn parse(
        input: &[u8],
        pardon: &mut dyn FnMut(HeadError) -> bool,
    ) -> Result<Option<(Self, usize)>, HeadError> {
        let end = input.windows(4).position(|four| four == b"\r\n\r\n");
        let size = end.map_or(input.len() + 1, |end| end + 4);
        if size > HEAD_LIMIT && (!pardon(HeadError::TooLarge) || size > PARDONED_LIMIT) {
            return Err(HeadError::TooLarge);
        }
        let Some(end) = end else {
            return Ok(None);
        };
        let request = match Self::parse_head(&input[..end]) {
            Err(error) if pardon(error) => Self::salvage(&input[..end]),
            result => result?,
        };
        Ok(Some((request, end + 4)))
    }

    /// The values of a header, in order; `name` in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.headers.iter().filter(move |(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a header that is there exactly once; `name` in lower case.
    pub fn only<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The elements of a header that is a comma-separated list; `name` in lower case.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let elements = self.all(name).flat_map(|value| value.split(','));
        elements.map(str::trim).filter(|element| !element.is_empty())
    }

    /// Whether a list header holds `token`, in any case.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// The first value of a query parameter, percent-decoded; `None` too for bad encoding.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        percent_decode(value)
    }

    fn parse_head(head: &[u8]) -> Result<Self, HeadError> {
        let head = std::str::from_utf8(head).map_err(|_| HeadError::Malformed)?;
        let mut lines = head.split("\r\n");
        let mut parts = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HeadError::Malformed);
        };
        let target_is_clean = !target.is_empty() && target.bytes().all(|b| b.is_ascii_graphic());
        if !is_token(method) || !target_is_clean {
            return Err(HeadError::Malformed);
        }
        match version.strip_prefix("HTTP/").map(str::as_bytes) {
            Some([b'1', b'.', b'1'..=b'9']) => {}
            Some([b'0'..=b'9', b'.', b'0'..=b'9']) => return Err(HeadError::Version),
            _ => return Err(HeadError::Malformed),
        }
        let headers = lines.map(parse_header).collect::<Option<Vec<_>>>();
        let headers = headers.ok_or(HeadError::Malformed)?;
        if headers.len() > HEADERS_LIMIT {
            return Err(HeadError::TooLarge);
        }
        Ok(Self { method: method.to_owned(), target: target.to_owned(), headers })
    }
}

impl Request {
    /// What can be used of a head that is wrong: the header lines that are none the less well-formed.
    fn salvage(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let mut parts = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Self { method, target, headers: lines.filter_map(parse_header).collect() }
    }
}

/// Whether `text` is a token of RFC 9110 section 5.6.2.
pub fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// One `Name: value` line. A folded line (RFC 9112 section 5.2) begins with white space and is no
/// token, so it is refused.
fn parse_header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let value = value.trim_matches([' ', '\t']);
    let clean = value.chars().all(|c| c == '\t' || !c.is_control());
    (is_token(name) && clean).then(|| (name.to_ascii_lowercase(), value.to_owned()))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Option<(Request, usize)>, HeadError> {
        Request::parse(text.as_bytes(), &mut |_| false)
    }

    #[test]
    fn what_is_pardoned_is_read_as_far_as_it_goes() {
        for (text, error) in [
            ("GET / HTTP/1.0\r\nHost: h\r\n\r\n".to_owned(), HeadError::Version),
            ("GET / HTTP/1.1\r\nno colon\r\nHost: h\r\n\r\n".to_owned(), HeadError::Malformed),
            (
                format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "b".repeat(HEAD_LIMIT)),
                HeadError::TooLarge,
            ),
            (format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(101)), HeadError::TooLarge),
        ] {
            assert_eq!(parse(&text), Err(error));
            let read = Request::parse(text.as_bytes(), &mut |found| found == error);
            let (request, size) = read.unwrap().unwrap();
            assert_eq!((request.method.as_str(), request.only("host"), size), ("GET", Some("h"), text.len()));
        }
        let endless = vec![b'a'; PARDONED_LIMIT];
        assert_eq!(Request::parse(&endless, &mut |_| true), Err(HeadError::TooLarge));
    }

    #[test]
    fn reads_a_head_and_leaves_the_rest() {
        let text = "GET /a?access_token=x%2Fy+z&b=c HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, \
                    Upgrade\r\nX: 1\r\nx: 2\r\n\r\nrest";
        let (request, size) = parse(text).unwrap().unwrap();
        assert_eq!(&text[size..], "rest");
        assert!(request.lists("connection", "upgrade"));
        assert_eq!(request.only("host"), Some("h"));
        assert_eq!(request.only("x"), None);
        assert_eq!(request.all("x").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(request.query("access_token").as_deref(), Some("x/y z"));
        assert_eq!(request.query("nothing"), None);
    }

    #[test]
    fn refuses_what_is_no_request() {
        for (text, error) in [
            ("GET / HTTP/1.0\r\n\r\n", HeadError::Version),
            ("GET / HTTP/2.0\r\n\r\n", HeadError::Version),
            ("GET  / HTTP/1.1\r\n\r\n", HeadError::Malformed),
            ("GET /\r\n\r\n", HeadError::Malformed),
            ("\x16\x03\x01\r\n\r\n", HeadError::Malformed),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", HeadError::Malformed),
            ("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", HeadError::Malformed),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", HeadError::Malformed),
            ("GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", HeadError::Malformed),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101));
        assert_eq!(parse(&many), Err(HeadError::TooLarge));
        assert_eq!(parse(&"A".repeat(HEAD_LIMIT)), Err(HeadError::TooLarge));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Request::parse(&bytes, &mut |_| true);
            let _ = percent_decode(&String::from_utf8_lossy(&bytes));
            let headed = [b"GET / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat();
            let _ = Request::parse(&headed, &mut |_| false);
            prop_assert!(Request::parse(&headed, &mut |_| true).is_ok_and(|read| read.is_some()));
        }

        #[test]
        fn a_head_that_is_cut_short_waits_for_more(at in 0usize..41) {
            let head = "GET /path HTTP/1.1\r\nHost: h\r\nA: bcdef\r\n\r\n";
            prop_assert_eq!(parse(&head[..at]), Ok(None));
        }
    }
}
