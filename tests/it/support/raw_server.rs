//! A WebSocket server by hand, with blocking sockets, that treats a client which has stopped reading as it is told.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha1::{Digest, Sha1};
use socket2::SockRef;

/// What becomes of a client that has asked for much and takes none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It is reset, without a word.
    Reset,
    /// It is sent a Close 1011 and a FIN, which wait behind its shut window.
    CloseAndFin,
    /// It is sent a FIN without a Close.
    Fin,
    /// It is served as before.
    Keep,
    /// It is not answered any more, and kept.
    Ignore,
}

/// A client that sends a ping of this size does it to be answered by as many bytes.
const LARGE: usize = 125;
/// Who asks no more for so long waits for what becomes of it.
const QUIET: Duration = Duration::from_millis(1_500);
/// Stalled clients in a test, at most.
const MOST: usize = 100;

/// A server on a free port; answers pings and Close, and never pings. It ends with the process.
pub struct RawServer {
    address: SocketAddr,
    secured: bool,
    treated: Receiver<Treated>,
}

/// What a stalled client underwent.
#[derive(Debug, Clone, Copy)]
pub struct Treated {
    /// When.
    pub at: Instant,
    /// How long after its last frame had been read.
    pub silent_for: Duration,
}

impl RawServer {
    /// Plain TCP, or TLS with this config. A stalled client is treated so long after its last frame.
    pub fn start(treatment: Treatment, after: Duration, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (secured, (told, treated)) = (tls.is_some(), sync_channel(MOST));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, told, tls) = (stream.expect("a connection"), told.clone(), tls.clone());
                thread::spawn(move || {
                    // An end by the client is none of this server's concern.
                    let _ = match tls {
                        None => Client::plain(stream).serve(treatment, after, &told),
                        Some(config) => Client::secured(stream, config).serve(treatment, after, &told),
                    };
                });
            }
        });
        Self { address, secured, treated }
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}/", if self.secured { "wss" } else { "ws" }, self.address)
    }

    /// The last stalled client, if there was one since this was asked.
    pub fn treated(&self) -> Option<Treated> {
        self.treated.try_iter().last()
    }
}

struct Client<S> {
    stream: S,
    /// The same socket.
    tcp: TcpStream,
}

impl Client<TcpStream> {
    fn plain(stream: TcpStream) -> Self {
        let tcp = stream.try_clone().expect("a descriptor");
        Self { stream, tcp }
    }
}

impl Client<StreamOwned<ServerConnection, TcpStream>> {
    fn secured(stream: TcpStream, config: Arc<ServerConfig>) -> Self {
        let tcp = stream.try_clone().expect("a descriptor");
        let connection = ServerConnection::new(config).expect("a TLS server");
        Self { stream: StreamOwned::new(connection, stream), tcp }
    }
}

impl<S: Read + Write> Client<S> {
    fn serve(
        mut self,
        treatment: Treatment,
        after: Duration,
        told: &SyncSender<Treated>,
    ) -> std::io::Result<()> {
        self.tcp.set_nodelay(true)?;
        upgrade(&mut self.stream)?;
        let mut heard_at = Instant::now();
        loop {
            match frame(&mut self.stream) {
                Ok((9, payload)) => {
                    heard_at = Instant::now();
                    if payload.len() == LARGE {
                        self.tcp.set_read_timeout(Some(after.max(QUIET)))?;
                    }
                    self.send(0x8A, &payload)?;
                }
                Ok((8, payload)) => {
                    self.send(0x88, &payload)?;
                    return self.tcp.shutdown(Shutdown::Both);
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.tcp.set_read_timeout(None)?;
        let treated = Treated { at: Instant::now(), silent_for: heard_at.elapsed() };
        told.send(treated).map_err(std::io::Error::other)?;
        match treatment {
            Treatment::Reset => SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO))?,
            Treatment::CloseAndFin => {
                self.send(0x88, &1011_u16.to_be_bytes())?;
                self.tcp.shutdown(Shutdown::Write)?;
            }
            Treatment::Fin => self.tcp.shutdown(Shutdown::Write)?,
            Treatment::Keep | Treatment::Ignore => {}
        }
        if treatment == Treatment::Reset {
            // Dropped, a socket with that setting is reset.
            return Ok(());
        }
        // Until the client goes.
        loop {
            let (opcode, payload) = frame(&mut self.stream)?;
            if treatment == Treatment::Keep && opcode == 9 {
                self.send(0x8A, &payload)?;
            }
        }
    }

    fn send(&mut self, first: u8, payload: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&small(first, payload))?;
        self.stream.flush()
    }
}

/// Meets each client on a free port in a thread of its own, until the process ends; gives the URL.
pub fn serve(meet: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let meet = meet.clone();
            // A client that goes away is its own affair.
            thread::spawn(move || drop(meet(stream)));
        }
    });
    url
}

/// Reads an upgrade request, answers it with a 101 (RFC 6455, section 4.2), and gives its head.
///
/// # Errors
/// Those of the stream, and `InvalidData` where the request asks for no upgrade.
pub fn upgrade(stream: &mut (impl Read + Write)) -> std::io::Result<String> {
    let head = head(stream)?;
    stream.write_all(accepted(&head)?.as_bytes())?;
    stream.flush()?;
    Ok(head)
}

/// Reads the head of a request.
///
/// # Errors
/// Those of the stream.
pub fn head(stream: &mut impl Read) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The 101 that answers an upgrade request.
///
/// # Errors
/// `InvalidData` where the request asks for no upgrade.
pub fn accepted(head: &str) -> std::io::Result<String> {
    let key = value(head, "sec-websocket-key").ok_or(ErrorKind::InvalidData)?;
    let hash = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(hash)
    ))
}

/// A header's value in the head of a request.
pub fn value<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

/// Reads a masked frame of less than 126 bytes; gives its opcode and its payload.
///
/// # Errors
/// Those of the stream.
pub fn frame(stream: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 6];
    stream.read_exact(&mut head)?;
    let mut payload = vec![0; usize::from(head[1] & 0x7F)];
    stream.read_exact(&mut payload)?;
    payload.iter_mut().zip(head[2..].iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok((head[0] & 0x0F, payload))
}

/// Answers pings, up to the client's Close.
///
/// # Errors
/// Those of the stream.
pub fn until_close(stream: &mut (impl Read + Write)) -> std::io::Result<()> {
    loop {
        let (opcode, payload) = frame(stream)?;
        match opcode {
            8 => return Ok(()),
            9 => stream.write_all(&small(0x8A, &payload))?,
            _ => {}
        }
    }
}

/// A frame of less than 126 bytes, by its first byte.
pub fn small(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a small frame");
    [&[first, length], payload].concat()
}

/// A Close frame with this code.
pub fn close(code: u16) -> Vec<u8> {
    small(0x88, &code.to_be_bytes())
}
