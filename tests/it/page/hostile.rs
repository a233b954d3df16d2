//! Gateways that put into their words what a page or a terminal might obey. They live until the tests end.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::support::raw_server::{serve, upgrade};

/// Markup, quotes, control characters and what turns the direction of text.
pub const TEXT: &str =
    "</td><script>window.executed=1</script><img src=x onerror=window.executed=1>\"'&\u{202e}\u{2066}";

/// A gateway that refuses everybody in such words: in the status line, the header and the body. Not by a 503, after
/// which a verification keeps away for a while. Gives its URL.
pub fn denying() -> String {
    let answer = format!(
        "HTTP/1.1 500 {TEXT}\r\nServer: {TEXT}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{TEXT}",
        TEXT.len()
    );
    serve(move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        stream.write_all(answer.as_bytes())
    })
}

/// A gateway that upgrades and at once ends with a Close 1008 whose reason is such words, as long as a control frame
/// holds them (RFC 6455, section 5.5). Gives its URL.
pub fn closing() -> String {
    let reason = format!("{TEXT}\u{0}\u{7}\u{1b}[2J\u{9b}\r\n\u{85}\u{feff}");
    let payload = [&1008_u16.to_be_bytes(), reason.as_bytes()].concat();
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length <= 125, "a control frame holds no more");
    let close = [&[0x88, length], payload.as_slice()].concat();
    serve(move |mut stream| {
        upgrade(&mut stream)?;
        stream.write_all(&close)?;
        stream.shutdown(Shutdown::Write)?;
        // Until the client goes, so that its own Close is no reason for a reset.
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    })
}
