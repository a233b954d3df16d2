//! How a connection ends, and the waits that no fault may stretch without bound.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::http::HEAD_LIMIT;
use super::link::{Link, Turn};
use super::log::EventKind;
use super::shared::Peer;

/// The longest that a fault keeps a connection waiting.
pub const FAULT_CAP: Duration = Duration::from_secs(600);
/// How long the gateway waits for the client's FIN after its own. Without the wait, bytes that the
/// client sent meanwhile would turn the end into a RST, which can destroy what was sent before.
const LINGER: Duration = Duration::from_secs(1);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Politely: TLS close_notify where there is TLS, then FIN.
    Fin,
    /// FIN without a word before it.
    Cut,
    /// RST.
    Reset,
    /// The client was faster.
    PeerGone {
        /// It reset the connection.
        reset: bool,
    },
}

/// A connection that can't be read or written any more.
impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::PeerGone { reset: true }
    }
}

/// Says nothing until the client leaves, the gateway shuts down, or the cap is reached.
pub async fn hold<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<'_, S>, peer: &Peer) -> End {
    tokio::select! {
        reset = link.discard() => End::PeerGone { reset },
        () = peer.shared.drain.cancelled() => End::Cut,
        () = sleep(FAULT_CAP) => End::Reset,
    }
}

/// Waits, keeping what the client sends meanwhile.
///
/// # Errors
/// The client left.
pub async fn pause<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    duration: Duration,
) -> Result<(), End> {
    let until = Instant::now() + duration.min(FAULT_CAP);
    loop {
        tokio::select! {
            biased;
            turn = link.turn(HEAD_LIMIT) => match turn? {
                Turn::Eof => return Err(End::PeerGone { reset: false }),
                Turn::Read | Turn::Wrote => {}
            },
            () = sleep_until(until) => return Ok(()),
        }
    }
}

/// Ends the TCP connection in this way, and writes it down.
pub async fn close(mut tcp: TcpStream, end: End, peer: &Peer) {
    match end {
        End::Reset => {
            // An error means that the client has reset it already.
            let _ = tcp.set_zero_linger();
        }
        End::PeerGone { reset } => peer.log(EventKind::PeerGone { reset }),
        End::Fin | End::Cut => {
            if tcp.shutdown().await.is_ok() {
                peer.log(EventKind::FinSent);
                linger(&mut tcp, peer).await;
            }
        }
    }
    drop(tcp);
    peer.shared.leave(peer, end == End::Reset);
}

async fn linger(tcp: &mut TcpStream, peer: &Peer) {
    let drained = async {
        let mut waste = [0; 1024];
        while tcp.read(&mut waste).await.is_ok_and(|count| count > 0) {}
    };
    tokio::select! {
        _ = timeout(LINGER, drained) => {}
        () = peer.shared.cut.cancelled() => {}
    }
}
