//! A TCP relay that delays what passes, like a long way with jitter.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until};

/// Chunks that are on their way in one direction of a connection, at most: then the sender has to wait.
const ON_THE_WAY: usize = 64;
/// The largest chunk, in bytes.
const CHUNK: usize = 4_096;

/// A relay on a free port of loopback; ends, with all of its connections, when dropped.
pub struct Relay {
    /// Where to connect instead.
    pub address: SocketAddr,
    upstreams: Arc<Mutex<Vec<SocketAddr>>>,
    passing: Arc<Mutex<Vec<AbortHandle>>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Passes every connection on to `upstream`, and delays each chunk, in either direction, by a random time from
    /// `delay` in milliseconds. The order of the bytes is kept.
    pub async fn start(upstream: SocketAddr, delay: RangeInclusive<u64>) -> Self {
        Self::balancing(&[upstream], delay).await
    }

    /// The same towards several, which take turns.
    pub async fn balancing(upstreams: &[SocketAddr], delay: RangeInclusive<u64>) -> Self {
        let upstreams = Arc::new(Mutex::new(upstreams.to_vec()));
        let passing: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let (turns, begun) = (Arc::clone(&upstreams), Arc::clone(&passing));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for turn in 0.. {
                let (client, _) = listener.accept().await.expect("a connection");
                let upstream = {
                    let upstreams = turns.lock().expect("whole");
                    upstreams[turn % upstreams.len()]
                };
                let passing = connections.spawn(pass(client, upstream, delay.clone()));
                begun.lock().expect("whole").push(passing);
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, upstreams, passing, task }
    }

    /// Passes new connections on to these from now on.
    pub fn send_to(&self, upstreams: &[SocketAddr]) {
        *self.upstreams.lock().expect("whole") = upstreams.to_vec();
    }

    /// Cuts the oldest connection that is left.
    pub fn cut_one(&self) {
        let mut passing = self.passing.lock().expect("whole");
        let oldest = passing.iter().position(|connection| !connection.is_finished()).expect("a connection");
        passing.remove(oldest).abort();
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
