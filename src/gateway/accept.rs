//! The accept loop, and the way of one connection from there: TCP, TLS, upgrade, session.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::ending::{End, FAULT_CAP, close, hold, until_gone};
use super::error::Error;
use super::event::EventKind;
use super::fault::FaultKind;
use super::link::Link;
use super::peer::Peer;
use super::session;
use super::shared::Shared;
use super::upgrade::upgrade;

/// How many connections may wait to be accepted. The usual 1,024 would drop the SYNs of a burst.
const BACKLOG: u32 = 4096;
/// The pause after a failed accept: without descriptors the next one fails at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const FINISH: Duration = Duration::from_secs(1);

/// Listens on `address`.
///
/// # Errors
/// [`Error::Bind`].
pub fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let bind = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|source| Error::Bind { address, source })
}

/// Accepts until the gateway shuts down; each connection is a task of `tracker`.
pub async fn accept_all(listener: TcpListener, shared: Arc<Shared>, tracker: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.drain.cancelled() => return,
            () = shared.cut.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, address)) => {
                let peer = shared.enter(address);
                tracker.spawn(serve(tcp, peer));
            }
            Err(error) => {
                let error = error.kind().to_string();
                shared.record(EventKind::AcceptFailed { error });
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(mut tcp: TcpStream, peer: Arc<Peer>) {
    // Each frame is a segment of its own; an error shows again at the first read.
    let _ = tcp.set_nodelay(true);
    let end = tokio::select! {
        biased;
        () = peer.shared.cut.cancelled() => End::Reset,
        () = peer.crash.cancelled() => End::Reset,
        end = stages(&mut tcp, &peer) => end,
    };
    close(tcp, end, &peer).await;
}

async fn stages(tcp: &mut TcpStream, peer: &Peer) -> End {
    if let Some(end) = at_accept(tcp, peer).await {
        return end;
    }
    match &peer.shared.identity {
        None => talk(tcp, peer).await,
        // Boxed, so that a plain connection does not carry the size of a TLS session.
        Some(identity) => {
            let acceptor = TlsAcceptor::from(identity.config(&peer.faults));
            Box::pin(secure(tcp, acceptor, peer)).await
        }
    }
}

async fn at_accept(tcp: &mut TcpStream, peer: &Peer) -> Option<End> {
    if peer.has(FaultKind::AcceptReset) || peer.turn.refused {
        return Some(End::Reset);
    }
    if peer.has(FaultKind::AcceptClose) {
        return Some(End::Cut);
    }
    if peer.has(FaultKind::AcceptSilent) {
        return Some(hold(&mut Link::new(tcp, peer), peer).await);
    }
    let delay = peer.faults.duration(FaultKind::AcceptDelay)?;
    tokio::select! {
        () = sleep(delay.min(FAULT_CAP)) => None,
        reset = until_gone(tcp) => Some(End::PeerGone { reset }),
        () = peer.shared.drain.cancelled() => Some(End::Cut),
    }
}

async fn secure(tcp: &mut TcpStream, acceptor: TlsAcceptor, peer: &Peer) -> End {
    if let Some(end) = before_tls(tcp, peer).await {
        return end;
    }
    let limit = peer.shared.settings.handshake_timeout;
    let handshake = tokio::select! {
        () = peer.shared.drain.cancelled() => return End::Cut,
        handshake = timeout(limit, acceptor.accept(tcp)) => handshake,
    };
    match handshake {
        Ok(Ok(stream)) => {
            peer.log(EventKind::TlsDone);
            talk(stream, peer).await
        }
        Ok(Err(_)) | Err(_) => {
            peer.log(EventKind::TlsFailed);
            End::Cut
        }
    }
}

async fn before_tls(tcp: &mut TcpStream, peer: &Peer) -> Option<End> {
    let faults = [FaultKind::TlsSilent, FaultKind::TlsGarbage, FaultKind::TlsClose];
    if !faults.iter().any(|kind| peer.has(*kind)) {
        return None;
    }
    let mut link = Link::new(tcp, peer);
    if peer.has(FaultKind::TlsSilent) {
        return Some(hold(&mut link, peer).await);
    }
    // The ClientHello, or its beginning.
    let first = tokio::select! {
        first = link.turn(1) => first,
        () = peer.shared.drain.cancelled() => return Some(End::Cut),
        () = sleep(FAULT_CAP) => return Some(End::Reset),
    };
    Some(match first {
        Err(error) => End::from(error),
        Ok(_) if peer.has(FaultKind::TlsClose) => End::Cut,
        Ok(_) => {
            link.output.extend_from_slice(b"220 this is no TLS record\r\n");
            hold(&mut link, peer).await
        }
    })
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: S, peer: &Peer) -> End {
    let mut link = Link::new(stream, peer);
    let upgraded = tokio::select! {
        upgraded = upgrade(&mut link, peer) => upgraded,
        () = peer.shared.drain.cancelled() => Err(End::Fin),
        () = sleep(FAULT_CAP) => Err(End::Reset),
    };
    let end = match upgraded {
        Ok(upgraded) => session::run(&mut link, peer, upgraded).await,
        Err(end) => end,
    };
    if end == End::Fin {
        let finished: Result<io::Result<()>, _> = timeout(FINISH, link.finish()).await;
        if !matches!(finished, Ok(Ok(()))) {
            return End::Cut;
        }
    }
    end
}
