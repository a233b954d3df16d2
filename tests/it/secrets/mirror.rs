//! A gateway, and a proxy, that gives away all that it was told, wherever a protocol leaves room for it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::ISSUED;

/// What it does, by the path of the request.
pub const MODES: [&str; 15] = [
    "status",
    "unauthorized",
    "redirect",
    "redirect-away",
    "redirect-scheme",
    "cookie",
    "garbage",
    "bad-accept",
    "subprotocol",
    "extension",
    "message",
    "close",
    "illegal-code",
    "illegal-frame",
    "header-bomb",
];

/// The mirror. Its thread ends when this is dropped.
pub struct Mirror {
    /// Where it listens.
    pub address: SocketAddr,
    heard: Arc<Mutex<String>>,
}

impl Mirror {
    /// A mirror that tells these secrets.
    pub fn start(secrets: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let heard = Arc::new(Mutex::new(String::new()));
        let (tells, hears) = (secrets.join("."), Arc::clone(&heard));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tells, hears) = (tells.clone(), Arc::clone(&hears));
                // Whoever holds no other end of the memory any more has been dropped.
                if Arc::strong_count(&hears) < 3 {
                    return;
                }
                std::thread::spawn(move || serve(stream, &tells, &hears));
            }
        });
        Self { address, heard }
    }

    /// The URL of a mode.
    pub fn url(&self, mode: &str) -> String {
        format!("ws://{}/{mode}", self.address)
    }

    /// All that clients said, unmasked.
    pub fn heard(&self) -> String {
        self.heard.lock().expect("no panic").clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // Wakes the thread, which then sees that it is alone.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

/// One connection, to its end. A client that goes away is no matter.
fn serve(mut stream: TcpStream, tells: &str, hears: &Mutex<String>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut head = read_head(&mut stream)?;
    hears.lock().expect("no panic").push_str(&head);
    if head.starts_with("CONNECT refuse") {
        let answer = format!("HTTP/1.1 407 {tells}\r\nProxy-Authenticate: Basic realm={tells:?}\r\n\r\n");
        return stream.write_all(answer.as_bytes()).ok();
    }
    if head.starts_with("CONNECT") {
        stream.write_all(format!("HTTP/1.1 200 {tells}\r\nX-Echo: {tells}\r\n\r\n").as_bytes()).ok()?;
        head = read_head(&mut stream)?;
        hears.lock().expect("no panic").push_str(&head);
    }
    let path = head.split(' ').nth(1)?.to_owned();
    let mode = path.trim_start_matches('/').split('?').next()?;
    stream.write_all(answer(mode, &head, tells).as_bytes()).ok()?;
    if let Some(frame) = frame(mode, tells) {
        // The token by first message comes right after the 101.
        stream.set_read_timeout(Some(Duration::from_millis(40))).ok()?;
        let mut first = [0; 4096];
        let count = stream.read(&mut first).unwrap_or_default();
        hears.lock().expect("no panic").push_str(&unmasked(&first[..count]));
        stream.write_all(&frame).ok()?;
    }
    stream.shutdown(Shutdown::Write).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).ok()?;
    hears.lock().expect("no panic").push_str(&unmasked(&rest));
    Some(())
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn answer(mode: &str, head: &str, tells: &str) -> String {
    let echo = format!("X-Echo: {tells}\r\nSet-Cookie: echo={tells}; Path=/\r\nServer: {tells}\r\n");
    let body = format!("Content-Length: {}\r\n\r\n{head}", head.len());
    let upgrade = format!("HTTP/1.1 101 {tells}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{echo}");
    let accept = format!("Sec-WebSocket-Accept: {}\r\n", accept(head));
    match mode {
        "unauthorized" => format!("HTTP/1.1 401 {tells}\r\nWWW-Authenticate: Bearer {tells}\r\n{echo}{body}"),
        "redirect" => format!("HTTP/1.1 302 {tells}\r\nLocation: /status?echo={tells}\r\n{echo}{body}"),
        "redirect-away" => {
            format!("HTTP/1.1 302 Found\r\nLocation: ws://{tells}.example/?echo={tells}\r\n{echo}{body}")
        }
        "redirect-scheme" => {
            format!("HTTP/1.1 302 Found\r\nLocation: ftp://me:{tells}@x.example/{tells}\r\n{echo}{body}")
        }
        "cookie" => format!("HTTP/1.1 200 {tells}\r\n{echo}{body}"),
        "token" => {
            let issued = format!(r#"{{"access_token":"{ISSUED}","token_type":"Bearer","scope":"{tells}"}}"#);
            format!("HTTP/1.1 200 {tells}\r\n{echo}Content-Length: {}\r\n\r\n{issued}", issued.len())
        }
        "garbage" => format!("{tells}\r\n{head}"),
        "bad-accept" => format!("{upgrade}Sec-WebSocket-Accept: {tells}\r\n\r\n"),
        "subprotocol" => format!("{upgrade}{accept}Sec-WebSocket-Protocol: {tells}\r\n\r\n"),
        "extension" => format!("{upgrade}{accept}Sec-WebSocket-Extensions: {tells}; key={tells}\r\n\r\n"),
        "header-bomb" => format!("{upgrade}{}{accept}\r\n", echo.repeat(100)),
        "message" | "close" | "illegal-code" | "illegal-frame" => format!("{upgrade}{accept}\r\n"),
        _ => format!("HTTP/1.1 503 {tells}\r\n{echo}{body}"),
    }
}

/// RFC 6455, section 4.2.2.
fn accept(head: &str) -> String {
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let text = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.unwrap_or_default());
    STANDARD.encode(Sha1::digest(text))
}

/// The frame that follows the 101, where one does.
fn frame(mode: &str, tells: &str) -> Option<Vec<u8>> {
    let (first, code) = match mode {
        "message" => (0x81, None),
        "close" => (0x88, Some(1008_u16)),
        "illegal-code" => (0x88, Some(999)),
        // An opcode that does not exist, with all reserved bits.
        "illegal-frame" => (0xfb, None),
        _ => return None,
    };
    let code = code.map(u16::to_be_bytes);
    // The most that a control frame holds.
    let payload: Vec<u8> = code.into_iter().flatten().chain(tells.bytes()).take(125).collect();
    Some([&[first, payload.len() as u8][..], &payload].concat())
}

/// The text of a client's frame: a short one, which the first message is.
fn unmasked(bytes: &[u8]) -> String {
    let Some((header, rest)) = bytes.split_at_checked(2) else { return String::new() };
    let extended = if header[1] & 0x7f == 126 { 2 } else { 0 };
    let Some((key, payload)) = rest.get(extended..).and_then(|rest| rest.split_at_checked(4)) else {
        return String::new();
    };
    let text: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    String::from_utf8_lossy(&text).into_owned()
}
