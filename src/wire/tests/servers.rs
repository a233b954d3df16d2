//! What the tests share: servers of one behaviour, and a dialer for them.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::request::accept_for;
use super::super::*;
use crate::model::{Evidence, Outcome};

/// Longer than any test takes, so that one that hangs ends.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Accepts on loopback and lets each connection be treated by `behave`.
pub async fn serve<F, B>(behave: F) -> SocketAddr
where
    F: Fn(TcpStream) -> B + Send + 'static,
    B: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Or the kernel may hold back an answer until the end, which a reset then destroys.
            stream.set_nodelay(true).unwrap();
            tokio::spawn(behave(stream));
        }
    });
    address
}

/// Answers every request with the same bytes, then waits for the client to end the connection.
pub async fn answering(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    serve(move |mut stream| {
        let answer = answer.clone();
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(&answer).await;
            drain(&mut stream).await;
        }
    })
    .await
}

/// Reads up to the empty line.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The value of a header in a request.
pub fn value<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = request.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The correct 101 for a request.
pub fn switching(request: &str) -> String {
    let accept = accept_for(value(request, "sec-websocket-key").unwrap_or_default());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Upgrades as a good server does.
pub async fn upgrade(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    let request = read_request(stream).await;
    stream.write_all(switching(&request).as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    request
}

/// Reads until the client ends the connection.
pub async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> usize {
    let mut bytes = 0;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(1..) => bytes += 1,
            _ => return bytes,
        }
    }
}

/// A dialer that asks a name server nobody runs: for URLs with addresses.
pub fn dialer() -> Dialer {
    Dialer::new(&ResolverSettings::Servers(vec!["127.0.0.1:9".parse().unwrap()])).unwrap()
}

pub fn endpoint(url: &str) -> Endpoint {
    let tls = TlsClient::new(TlsSettings::default()).unwrap();
    Endpoint::new(url.parse().unwrap(), Arc::new(tls)).unwrap()
}

pub fn ws(address: SocketAddr) -> Endpoint {
    endpoint(&format!("ws://{address}/path"))
}

pub async fn dial(endpoint: &Endpoint) -> Result<Dialed, Box<DialFailure>> {
    let (dialer, evidence) = (dialer(), Evidence::new());
    let offer = Offer::default();
    let dial = dialer.dial(endpoint, &offer, &evidence);
    tokio::time::timeout(LIMIT, dial).await.expect("the dial hangs")
}

pub async fn failure(endpoint: &Endpoint) -> Box<DialFailure> {
    dial(endpoint).await.expect_err("the dial should have failed")
}

/// The error, and that it means the reason.
pub async fn expect(endpoint: &Endpoint, reason: &str) -> DialError {
    let failure = failure(endpoint).await;
    assert_eq!(failure.outcome().reason(), Some(reason), "{}", failure.error);
    assert!(!matches!(failure.outcome(), Outcome::Pass));
    failure.error
}

pub async fn socket(address: SocketAddr) -> Socket {
    dial(&ws(address)).await.unwrap().socket
}
