//! A TCP relay that delays what passes, like a long way with jitter.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Chunks that are on their way in one direction of a connection, at most: then the sender has to wait.
const ON_THE_WAY: usize = 64;
/// The largest chunk, in bytes.
const CHUNK: usize = 4_096;

/// A relay on a free port of loopback; ends, with all of its connections, when dropped.
pub struct Relay {
    /// Where to connect instead.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// Passes every connection on to `upstream`, and delays each chunk, in either direction, by a random time from
    /// `delay` in milliseconds. The order of the bytes is kept.
    pub async fn start(upstream: SocketAddr, delay: RangeInclusive<u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                connections.spawn(pass(client, upstream, delay.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, task }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, upstream: SocketAddr, delay: RangeInclusive<u64>) {
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("an option");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(one_way(from_client, to_server, delay.clone()), one_way(from_server, to_client, delay));
}

async fn one_way(from: OwnedReadHalf, to: OwnedWriteHalf, delay: RangeInclusive<u64>) {
    let (on_the_way, arriving) = channel(ON_THE_WAY);
    tokio::join!(depart(from, on_the_way, delay), arrive(arriving, to));
}

async fn depart(mut from: OwnedReadHalf, on_the_way: Sender<(Instant, Vec<u8>)>, delay: RangeInclusive<u64>) {
    let mut last = Instant::now();
    let mut buffer = [0; CHUNK];
    loop {
        // An end is passed on like the bytes before it; a reset as an end.
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let delay = Duration::from_millis(rand::random_range(delay.clone()));
        last = last.max(Instant::now() + delay);
        if on_the_way.send((last, buffer[..read].to_vec())).await.is_err() || read == 0 {
            return;
        }
    }
}

async fn arrive(mut arriving: Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
    while let Some((at, chunk)) = arriving.recv().await {
        sleep_until(at).await;
        // Dropped, this half ends its direction.
        if chunk.is_empty() || to.write_all(&chunk).await.is_err() {
            return;
        }
    }
}
