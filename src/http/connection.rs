//! One connection: hyper under a watchdog, so that no client can hold it by doing nothing, or too little.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::server::Limits;

/// hyper takes no smaller buffer.
const MIN_BUFFER: usize = 8192;

/// Where a connection is, and since when.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Accepted, and nothing has come yet.
    Fresh,
    /// Between two requests.
    Idle,
    /// A request's header has begun.
    Header,
    /// A request is being answered; its handler has its own time-out.
    Serving,
    /// The response is on its way to the client.
    Sending,
    /// The same of one that goes on and on; each time that all of it so far is with the client, time begins anew.
    Streaming,
}

/// Marks a response that goes on until one side ends it, with a sign of life at least each [`STREAM_BEAT`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Streaming;

/// Between two signs of life of a response that goes on.
pub(super) const STREAM_BEAT: Duration = Duration::from_secs(15);
/// A client that has taken none for so long is gone, or does not read.
const STREAM_STALL: Duration = Duration::from_secs(40);

/// What the connection, its watchdog and the table of connections share.
pub(super) struct Watch {
    stage: watch::Sender<(Stage, Instant)>,
    evicted: CancellationToken,
}

impl Watch {
    pub(super) fn new() -> Self {
        let stage = watch::Sender::new((Stage::Fresh, Instant::now()));
        Self { stage, evicted: CancellationToken::new() }
    }

    /// Since when nothing has been going on; `None` while something is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let (stage, since) = *self.stage.borrow();
        matches!(stage, Stage::Fresh | Stage::Idle).then_some(since)
    }

    /// Ends the connection to make room for another.
    pub(super) fn evict(&self) {
        self.evicted.cancel();
    }

    fn step(&self, from: &[Stage], to: Stage) {
        self.stage.send_if_modified(|(stage, since)| {
            let changes = from.contains(stage);
            if changes {
                (*stage, *since) = (to, Instant::now());
            }
            changes
        });
    }

    /// Returns when a stage has lasted too long.
    async fn overdue(&self, limits: &Limits) {
        let mut stages = self.stage.subscribe();
        loop {
            let (stage, since) = *stages.borrow_and_update();
            let limit = match stage {
                Stage::Fresh | Stage::Header => Some(limits.header_timeout),
                Stage::Idle => Some(limits.idle_timeout),
                Stage::Serving => None,
                Stage::Sending => Some(limits.request_timeout),
                Stage::Streaming => Some(STREAM_STALL),
            };
            let too_long = async {
                match limit {
                    Some(limit) => tokio::time::sleep_until(since + limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = too_long => return,
                // The sender is `self`.
                _ = stages.changed() => {}
            }
        }
    }
}

/// How connections are asked to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    /// Finish the request at hand.
    pub(super) gently: CancellationToken,
    /// At once.
    pub(super) now: CancellationToken,
}

/// Serves a connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watch: Arc<Watch>,
    limits: Limits,
    stop: Stop,
) {
    let io = TokioIo::new(Watched { stream, watch: Arc::clone(&watch), wrote: false });
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let before = [Stage::Fresh, Stage::Idle, Stage::Header, Stage::Sending, Stage::Streaming];
        watch.step(&before, Stage::Serving);
        let response = answer(router.clone(), request, peer);
        let watch = &watch;
        async move {
            let Ok(response) = response.await;
            let goes_on = response.extensions().get::<Streaming>().is_some();
            watch.step(&[Stage::Serving], if goes_on { Stage::Streaming } else { Stage::Sending });
            Ok::<_, Infallible>(response)
        }
    });
    let mut server = http1::Builder::new();
    // The watchdog tells an idle connection from a slow header; hyper's own time-out does not.
    server.header_read_timeout(None::<Duration>);
    server.max_header_size(limits.header_bytes).max_buf_size(limits.header_bytes.max(MIN_BUFFER));
    let mut connection = pin!(server.serve_connection(io, service));
    let mut overdue = pin!(watch.overdue(&limits));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                // A client that goes away or speaks no HTTP is its own affair.
                if let Err(error) = ended {
                    tracing::debug!(%error, "HTTP connection ended");
                }
                return;
            }
            () = overdue.as_mut() => return,
            () = watch.evicted.cancelled() => return,
            () = stop.now.cancelled() => return,
            () = stop.gently.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    router: Router,
    mut request: hyper::Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request.map(Body::new)).await
}

/// A socket that tells the watchdog of the first byte of a request and of the last one of a response.
struct Watched {
    stream: TcpStream,
    watch: Arc<Watch>,
    /// Something was to be written since the last flush.
    wrote: bool,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.watch.step(&[Stage::Fresh, Stage::Idle], Stage::Header);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.wrote = true;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when all that it had has been written.
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.watch.step(&[Stage::Sending], Stage::Idle);
        if std::mem::take(&mut self.wrote) {
            self.watch.step(&[Stage::Streaming], Stage::Streaming);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wrote = true;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
