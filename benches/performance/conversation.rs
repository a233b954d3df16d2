//! What the peer says on one connection: no I/O, no allocation a ping.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A masked ping with a payload of eight bytes, as the agent sends it.
pub const PING: [u8; 14] = [0x89, 0x88, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// The length of the pong: the same without the mask.
pub const PONG: usize = PING.len() - MASK;

const MASK: usize = 4;
/// The longest upgrade request.
const SPACE: usize = 1024;

/// One connection.
pub struct Conversation {
    buffer: [u8; SPACE],
    filled: usize,
    kind: Kind,
    answer: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Kind {
    Unknown,
    Echo,
    WebSocket,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { buffer: [0; SPACE], filled: 0, kind: Kind::Unknown, answer: Vec::new() }
    }
}

impl Conversation {
    /// Where to read the next bytes to.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.filled..]
    }

    /// So many bytes came.
    pub fn came(&mut self, bytes: usize) {
        self.filled += bytes;
    }

    /// What is to be answered to the next whole request, ping or echo.
    pub fn answer(&mut self) -> Option<&[u8]> {
        self.answer.clear();
        let used = match self.kind {
            Kind::Unknown if self.buffer.starts_with(b"GET ") => self.upgrade(),
            Kind::Unknown | Kind::Echo => self.echo(),
            Kind::WebSocket => self.pong(),
        }?;
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
        Some(&self.answer)
    }

    fn upgrade(&mut self) -> Option<usize> {
        let request = std::str::from_utf8(&self.buffer[..self.filled]).ok()?;
        let end = request.find("\r\n\r\n")? + 4;
        let key = request.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim())
        })?;
        let accept = derive_accept_key(key.as_bytes());
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        self.answer.extend_from_slice(format!("{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes());
        self.kind = Kind::WebSocket;
        Some(end)
    }

    fn echo(&mut self) -> Option<usize> {
        self.kind = Kind::Echo;
        let bytes = self.buffer[..self.filled].first_chunk::<{ PING.len() }>()?;
        self.answer.extend_from_slice(&bytes[..PONG]);
        Some(PING.len())
    }

    /// Other frames than pings are passed over.
    fn pong(&mut self) -> Option<usize> {
        let (first, size) = (self.buffer[0], usize::from(self.buffer[1] & 0x7f));
        let end = 2 + MASK + size;
        if self.filled < end.max(2) {
            return None;
        }
        if first == 0x89 {
            let (key, payload) = self.buffer[2..end].split_at(MASK);
            self.answer.extend_from_slice(&[0x8a, size as u8]);
            self.answer.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        Some(end)
    }
}
