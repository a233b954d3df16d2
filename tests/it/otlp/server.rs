//! A server by hand that speaks HTTP as little as it must.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::certificate::Certificate;

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
        Self::start(status, None)
    }

    /// The same by TLS, HTTP/1.1 only.
    pub fn secured(status: u16, certificate: &Certificate) -> Self {
        let chain = CertificateDer::pem_file_iter(&certificate.cert).expect("PEM");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("TLS").with_no_client_auth().with_single_cert(chain, key).expect("a pair");
        Self::start(status, Some(Arc::new(config)))
    }

    fn start(status: u16, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = Self { address, status: Arc::new(AtomicU16::new(status)), requests: Arc::default() };
        let (status, requests) = (Arc::clone(&server.status), Arc::clone(&server.requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, status, requests, tls) =
                    (stream.expect("a connection"), Arc::clone(&status), Arc::clone(&requests), tls.clone());
                // An end by the client is none of this server's concern.
                thread::spawn(move || match tls {
                    None => _ = serve(stream, &status, &requests),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a TLS server");
                        _ = serve(StreamOwned::new(connection, stream), &status, &requests);
                    }
                });
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

fn serve(
    stream: impl Read + Write,
    status: &AtomicU16,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
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
            status => {
                // In one write, or the rest would wait for an acknowledgement.
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
                reader.get_mut().write_all(answer.as_bytes())?;
                reader.get_mut().flush()?;
            }
        }
    }
}
