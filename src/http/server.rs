//! The accept loop: as many connections as the limit says, and a graceful end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Stop, Watch};
use super::{Parts, REFUSED, routes};
use crate::metrics::{Recorder, Sample};

/// How much clients may ask of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. One more takes the place of the one that has been idle longest, or is refused
    /// with 503.
    pub connections: usize,
    /// Bytes of a request's line and header; more is 431.
    pub header_bytes: usize,
    /// Bytes of a request's body; more is 413.
    pub body_bytes: usize,
    /// From the first byte of a request (for the first one: from the accept) to the end of its header.
    pub header_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// To answer a request other than `/probe`, and then as long again to send the response.
    pub request_timeout: Duration,
    /// To answer `/probe`: a backstop above every probe's own deadline.
    pub probe_timeout: Duration,
    /// From the order to stop to the end of the last connection.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header_bytes: 16 << 10,
            body_bytes: 64 << 10,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            request_timeout: Duration::from_secs(30),
            probe_timeout: Duration::from_secs(125),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// How long to wait after an accept that failed, which it does at once again where descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many refusals may be on their way at once, and how long one may take.
const REFUSALS: usize = 64;
const REFUSAL_TIME: Duration = Duration::from_secs(1);

const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 21\r\nRetry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n";

/// Serves `listener` until `shutdown`; then finishes the requests at hand, for at most
/// [`Limits::shutdown_grace`].
pub async fn serve(listener: TcpListener, parts: Parts, limits: Limits, shutdown: CancellationToken) {
    // Of its own: `shutdown` is somebody else's to cancel.
    let stop = Stop::default();
    let server = Server {
        metrics: Arc::clone(&parts.metrics),
        router: routes::router(parts, &limits, stop.gently.clone()),
        table: Arc::default(),
        refusals: Arc::new(Semaphore::new(REFUSALS)),
        tasks: TaskTracker::new(),
        stop,
        limits,
    };
    for result in ["refused", "evicted"] {
        server.metrics.record_agent(&Sample::labelled(&REFUSED, [result], 0.0));
    }
    server.accept(&listener, &shutdown).await;
    drop(listener);
    server.drain().await;
}

struct Server {
    metrics: Arc<Recorder>,
    router: Router,
    table: Arc<Mutex<Table>>,
    refusals: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: Stop,
    limits: Limits,
}

/// The connections that count against the limit.
#[derive(Default)]
struct Table {
    connections: HashMap<u64, Arc<Watch>>,
    accepted: u64,
}

/// Takes its connection out of the table, however its task ends.
struct Seat {
    table: Arc<Mutex<Table>>,
    number: u64,
}

impl Server {
    async fn accept(&self, listener: &TcpListener, shutdown: &CancellationToken) {
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    failing = false;
                    self.seat(stream, peer);
                }
                Err(error) => {
                    // Once, not ten times a second until it is over.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "the HTTP server can't accept connections");
                    }
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
    }

    fn seat(&self, stream: TcpStream, peer: SocketAddr) {
        let watch = Arc::new(Watch::new());
        let Some(number) = self.admit(&watch) else {
            self.count("refused");
            // Beyond so many refusals, silence is all there is to give.
            if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
                self.tasks.spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_TIME, refuse(stream)).await;
                    drop(permit);
                });
            }
            return;
        };
        // Only a socket that is already dead refuses it.
        let _ = stream.set_nodelay(true);
        let seat = Seat { table: Arc::clone(&self.table), number };
        let (router, limits, stop) = (self.router.clone(), self.limits.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            connection::serve(stream, peer, router, watch, limits, stop).await;
            drop(seat);
        });
    }

    /// The number of a new connection, if there is room, or if an idle one can be sent away.
    fn admit(&self, watch: &Arc<Watch>) -> Option<u64> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.connections.len() >= self.limits.connections {
            let idle =
                table.connections.iter().filter_map(|(&number, watch)| Some((watch.idle_since()?, number)));
            let (_, longest) = idle.min()?;
            table.connections.remove(&longest)?.evict();
            self.count("evicted");
        }
        table.accepted += 1;
        let number = table.accepted;
        table.connections.insert(number, Arc::clone(watch));
        Some(number)
    }

    fn count(&self, result: &'static str) {
        self.metrics.record_agent(&Sample::labelled(&REFUSED, [result], 1.0));
    }

    async fn drain(&self) {
        self.tasks.close();
        self.stop.gently.cancel();
        if tokio::time::timeout(self.limits.shutdown_grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "HTTP requests were cut off by the shutdown");
            self.stop.now.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.connections.remove(&self.number);
    }
}

/// Says why, and reads what the client had to say: closing over unread bytes would reset the connection,
/// and the client would never read the answer.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REFUSAL).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests;
