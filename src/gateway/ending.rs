//! How a connection ends, and the waits that no fault may stretch without bound.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use super::event::EventKind;
use super::fault::FaultKind;
use super::http::HEAD_LIMIT;
use super::kernel::unacknowledged;
use super::link::{Link, Turn};
use super::peer::Peer;
use super::traffic::Quantity;

/// The longest that a fault keeps a connection waiting.
pub const FAULT_CAP: Duration = Duration::from_secs(600);
/// How long the gateway waits for the client's FIN after its own. Without the wait, bytes that the
/// client sent meanwhile would turn the end into a RST, which can destroy what was sent before.
const LINGER: Duration = Duration::from_secs(1);

/// How often is looked whether a client takes what was sent to it.
const LOOK: Duration = Duration::from_millis(20);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Politely: TLS close_notify where there is TLS, then FIN.
    Fin,
    /// FIN without a word before it.
    Cut,
    /// RST.
    Reset,
    /// Not at all: TCP stays open and unread, as long as the fault is on that does so.
    Abandoned,
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

/// Waits for the client to leave without reading what it sends; `true` when it left by a
/// reset.
pub async fn until_gone(tcp: &TcpStream) -> bool {
    loop {
        match tcp.ready(Interest::READABLE | Interest::ERROR).await {
            Err(_) => return true,
            Ok(ready) if ready.is_error() => return true,
            Ok(ready) if ready.is_read_closed() => return false,
            // Unread bytes keep the socket ready: look again now and then.
            Ok(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Ends the TCP connection in this way, and writes it down.
pub async fn close(mut tcp: TcpStream, mut end: End, peer: &Peer) {
    if end == End::Abandoned {
        end = abandoned(&tcp, peer).await;
    }
    let mut reset = end == End::Reset;
    if let End::PeerGone { reset } = end {
        peer.log(EventKind::PeerGone { reset });
    } else if !reset && tcp.shutdown().await.is_ok() {
        peer.log(EventKind::FinSent);
        reset = linger(&mut tcp, peer).await;
    }
    if reset {
        // An error means that the client has reset it already.
        let _ = tcp.set_zero_linger();
    }
    drop(tcp);
    peer.shared.leave(peer, reset);
}

/// Leaves the connection as it is until the client leaves or the fault ends.
async fn abandoned(tcp: &TcpStream, peer: &Peer) -> End {
    let mut faults = peer.shared.follow_faults();
    tokio::select! {
        reset = until_gone(tcp) => End::PeerGone { reset },
        _ = faults.wait_for(|faults| !faults.has(FaultKind::ZombiesHalfClosed)) => End::Cut,
        () = peer.shared.drain.cancelled() => End::Cut,
        () = peer.shared.cut.cancelled() => End::Reset,
        () = sleep(FAULT_CAP) => End::Reset,
    }
}

/// Waits after the FIN for the client's own. `true` when the client does not take what was sent, so
/// that only a RST gets past its closed window.
async fn linger(tcp: &mut TcpStream, peer: &Peer) -> bool {
    let sent = Instant::now();
    let close_timeout = peer.shared.settings.close_timeout;
    let mut follow = peer.shared.follow_faults();
    loop {
        let patient = follow.borrow_and_update().has(FaultKind::StalledFin);
        let stuck = unacknowledged(tcp) > 0;
        let until = sent
            + match (stuck, patient) {
                (false, _) => LINGER,
                (true, false) => close_timeout.min(FAULT_CAP),
                (true, true) => FAULT_CAP,
            };
        let now = Instant::now();
        if now >= until {
            return stuck && !patient;
        }
        // Nobody tells when the client has taken the rest: look again now and then.
        let look = if stuck { until.min(now + LOOK) } else { until };
        tokio::select! {
            () = peer.shared.cut.cancelled() => return false,
            () = until_ended(tcp, peer) => return false,
            _ = follow.changed() => {}
            () = sleep_until(look) => {}
        }
    }
}

/// Reads and throws away until the client has ended its side.
async fn until_ended(tcp: &mut TcpStream, peer: &Peer) {
    let mut waste = [0; 1024];
    while let Ok(count) = tcp.read(&mut waste).await
        && count > 0
    {
        // What is read here of a TLS connection is its records, not what they hold.
        if peer.shared.identity.is_none() {
            peer.count(Quantity::BytesReceived, count as u64);
        }
    }
}
