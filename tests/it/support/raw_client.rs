//! A WebSocket client by hand, with a blocking socket: what a machine lets anybody measure.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// A connection that answers nothing.
pub struct RawClient(TcpStream);

impl RawClient {
    /// Connects from an address of this machine, and upgrades.
    pub fn connect(from: IpAddr, to: SocketAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        socket.connect(&to.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {to}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(Self(stream))
    }

    /// The time between the first ping that comes and the Close.
    pub fn ping_to_close(mut self) -> std::io::Result<Duration> {
        let mut pinged = None;
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head)?;
            let at = Instant::now();
            // Control frames: less than 126 bytes (RFC 6455, section 5.5).
            self.0.read_exact(&mut vec![0; usize::from(head[1])])?;
            match (head[0], pinged) {
                (0x89, None) => pinged = Some(at),
                (0x88, Some(pinged)) => return Ok(at - pinged),
                _ => {}
            }
        }
    }
}
