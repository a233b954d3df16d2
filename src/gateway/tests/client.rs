//! A raw client that knows nothing of the gateway's code: it reads and writes bytes.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gateway::{Event, EventKind, Fault, Handle, Settings, start};

pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// No test waits that long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the gateway ended a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Fin,
    Reset,
}

/// A frame as it came, header bits and all.
#[derive(Debug, PartialEq, Eq)]
pub struct Got {
    pub first: u8,
    pub masked: bool,
    pub payload: Vec<u8>,
}

impl Got {
    pub fn opcode(&self) -> u8 {
        assert_eq!(self.first & 0xF0, 0x80, "FIN and no reserved bit");
        self.first & 0x0F
    }

    pub fn text(&self) -> &str {
        assert_eq!(self.opcode(), TEXT);
        std::str::from_utf8(&self.payload).unwrap()
    }

    pub fn close_code(&self) -> Option<u16> {
        assert_eq!(self.opcode(), CLOSE);
        self.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }
}

pub struct Client<S = TcpStream> {
    pub stream: S,
    buffer: Vec<u8>,
}

pub async fn gateway(settings: Settings) -> Handle {
    start(settings).await.unwrap()
}

pub async fn with_fault(fault: &str) -> Handle {
    let faults: Vec<Fault> = vec![fault.parse().unwrap()];
    gateway(Settings {
        faults,
        hello: Some("hello".to_owned()),
        subprotocols: vec!["v1".to_owned()],
        ..Settings::default()
    })
    .await
}

pub async fn connect(gateway: &Handle) -> Client {
    Client::new(TcpStream::connect(gateway.address()).await.unwrap())
}

/// Connects and upgrades; the head of the 101 is checked.
pub async fn open(gateway: &Handle) -> Client {
    let mut client = connect(gateway).await;
    let head = client.upgrade("").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}

pub fn request(extra: &str) -> String {
    format!(
        "GET /x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
    )
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends a whole masked frame.
    pub async fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.send(&frame(0x80 | opcode, payload)).await;
    }

    pub async fn close(&mut self, code: u16) {
        self.send_frame(CLOSE, &code.to_be_bytes()).await;
    }

    pub async fn upgrade(&mut self, extra: &str) -> String {
        self.send(request(extra).as_bytes()).await;
        self.head().await
    }

    /// Reads to the empty line.
    pub async fn head(&mut self) -> String {
        loop {
            let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            self.more().await.expect("the head is not complete");
        }
    }

    pub async fn frame(&mut self) -> Got {
        loop {
            if let Some(got) = self.take_frame() {
                return got;
            }
            self.more().await.expect("the frame is not complete");
        }
    }

    /// The next frame that is no ping; pings are answered on the way.
    pub async fn frame_answering(&mut self) -> Got {
        loop {
            let got = self.frame().await;
            if got.opcode() != PING {
                return got;
            }
            self.send_frame(PONG, &got.payload).await;
        }
    }

    /// The next frame that is no ping; pings are left unanswered.
    pub async fn frame_mute(&mut self) -> Got {
        loop {
            let got = self.frame().await;
            if got.opcode() != PING {
                return got;
            }
        }
    }

    /// Reads pings, and nothing else, up to this number, answering none.
    pub async fn pings_until(&mut self, number: u64) {
        loop {
            let got = self.frame().await;
            assert_eq!(got.opcode(), PING, "{got:?}");
            if got.payload == number.to_be_bytes() {
                return;
            }
        }
    }

    /// Reads what is left until the gateway ends the connection.
    pub async fn rest(&mut self) -> (Vec<u8>, Ended) {
        loop {
            if let Err(ended) = self.more().await {
                return (std::mem::take(&mut self.buffer), ended);
            }
        }
    }

    /// Asserts that not a byte comes until `done`.
    pub async fn silent_until(&mut self, done: impl Future<Output = ()>) {
        assert!(self.buffer.is_empty(), "{:?}", self.buffer);
        tokio::select! {
            more = self.more() => panic!("{more:?}: {:?}", self.buffer),
            () = done => {}
        }
    }

    /// Waits for the next bytes and says how many are there.
    pub async fn more(&mut self) -> Result<usize, Ended> {
        let mut chunk = [0; 4096];
        match timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("silence") {
            Ok(0) => Err(Ended::Fin),
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(self.buffer.len())
            }
            Err(_) => Err(Ended::Reset),
        }
    }

    fn take_frame(&mut self) -> Option<Got> {
        let [first, second, ref rest @ ..] = self.buffer[..] else {
            return None;
        };
        let (length, extra) = match second & 0x7F {
            126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, 8),
            short => (usize::from(short), 0),
        };
        let masked = second & 0x80 != 0;
        let header = 2 + extra + if masked { 4 } else { 0 };
        if self.buffer.len() < header + length {
            return None;
        }
        let mut bytes: Vec<u8> = self.buffer.drain(..header + length).collect();
        let mut payload = bytes.split_off(header);
        if masked {
            let key = bytes.split_off(header - 4);
            payload.iter_mut().enumerate().for_each(|(i, byte)| *byte ^= key[i % 4]);
        }
        Some(Got { first, masked, payload })
    }
}

/// A masked frame with any first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&key);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
    bytes
}

/// A gateway that pings each 20 ms, and has nobody wait for long.
pub fn lively(timeout_ms: u64) -> Settings {
    Settings {
        heartbeat_interval: Some(Duration::from_millis(20)),
        heartbeat_timeout: Duration::from_millis(timeout_ms),
        close_timeout: Duration::from_millis(200),
        ..Settings::default()
    }
}

/// A healthy gateway with these settings, whose faults are switched on then.
pub async fn gateway_with(settings: Settings, faults: &[&str]) -> Handle {
    let gateway = gateway(settings).await;
    faults.iter().for_each(|fault| set(&gateway, fault));
    gateway
}

pub fn set(gateway: &Handle, fault: &str) {
    gateway.set_fault(fault.parse().unwrap()).unwrap();
}

/// When the gateway logged the first such event of a connection, in nanoseconds.
pub fn at(gateway: &Handle, connection: u64, wanted: &EventKind) -> u64 {
    let events = gateway.events(0);
    let found = events.iter().find(|event| event.connection == Some(connection) && event.kind == *wanted);
    found.unwrap_or_else(|| panic!("no {wanted:?} of {connection}: {events:#?}")).monotonic_ns
}

/// Waits for the first event from number `since` on that `wanted` accepts.
pub async fn event(gateway: &Handle, since: u64, wanted: impl Fn(&EventKind) -> bool) -> Event {
    let found = timeout(PATIENCE, gateway.wait_event(since, wanted)).await;
    found.unwrap_or_else(|_| panic!("no such event: {:#?}", gateway.events(since)))
}

/// Waits until the gateway has no connection left.
pub async fn all_closed(gateway: &Handle) {
    let mut since = 0;
    let wait = async {
        while gateway.open_connections() > 0 {
            since = gateway.wait_events(since).await.last().map_or(since, |event| event.seq + 1);
        }
    };
    timeout(PATIENCE, wait).await.expect("a connection stays open");
}
