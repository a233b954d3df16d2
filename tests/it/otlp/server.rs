//! A server by hand that speaks HTTP as little as it must.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server on a free port of loopback; it ends with the process.
pub struct Server {
    /// Where.
    pub address: SocketAddr,
    status: Arc<AtomicU16>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Takes connections and says nothing, ever.
    pub fn silent() -> Self {
        Self::answering(0)
    }

    /// Answers each request with this status; 0 is silence.
    pub fn answering(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = Self { address, status: Arc::new(AtomicU16::new(status)), requests: Arc::default() };
        let (status, requests) = (Arc::clone(&server.status), Arc::clone(&server.requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, status, requests) =
                    (stream.expect("a connection"), Arc::clone(&status), Arc::clone(&requests));
                // An end by the client is none of this server's concern.
                thread::spawn(move || _ = serve(stream, &status, &requests));
            }
        });
        server
    }

    /// Answers with another status from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("whole").clone()
    }
}

fn serve(stream: TcpStream, status: &AtomicU16, requests: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        std::io::copy(&mut (&mut reader).take(length.unwrap_or(0)), &mut std::io::sink())?;
        requests.lock().expect("whole").push(head);
        match status.load(Ordering::Relaxed) {
            0 => {}
            status => write!(writer, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n")?,
        }
    }
}
