//! The upgrade of one connection: read the request, answer it, or do it wrong on demand.

use std::io;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::answer::{Answer, answer};
use super::ending::{End, hold, pause};
use super::event::EventKind;
use super::fault::FaultKind;
use super::http::{HEAD_LIMIT, HeadError, Request};
use super::link::{Link, Turn};
use super::peer::Peer;

/// Where the header bomb stops by itself.
const BOMB_SIZE: usize = 64 * 1024 * 1024;

/// Upgrades a connection. The 101 may still be in `link.output`, so that the first frame can go out
/// together with it.
///
/// # Errors
/// How the connection must end, when it was not upgraded.
pub async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
) -> Result<(), End> {
    let limit = peer.shared.settings.handshake_timeout;
    let request = match timeout(limit, read_request(link)).await {
        Err(_) => return Err(refuse(link, &Answer::refusal(408, "no request came")).await),
        Ok(Err(end)) => return Err(end),
        Ok(Ok(Err(error))) => {
            let refusal = Answer::refusal(error.status(), &error.to_string());
            return Err(refuse(link, &refusal).await);
        }
        Ok(Ok(Ok(request))) => request,
    };
    peer.log(EventKind::RequestRead);
    instead_of_answer(link, peer).await?;
    let answer = match peer.turn.throttled {
        true => Answer::throttled(),
        false => answer(&request, &peer.shared.settings, &peer.faults),
    };
    link.set_pace(peer.faults.duration(FaultKind::UpgradeDrip));
    if answer.status != 101 {
        return Err(refuse(link, &answer).await);
    }
    if !peer.turn.delay.is_zero() {
        pause(link, peer.turn.delay).await?;
    }
    answer.write(&mut link.output);
    if peer.has(FaultKind::UpgradeCut) {
        link.output.truncate(link.output.len() / 2);
        link.send().await?;
        return Err(End::Cut);
    }
    link.mark(EventKind::Upgraded);
    if !peer.has(FaultKind::BytesAfterUpgrade) {
        link.send().await?;
    }
    link.set_pace(None);
    Ok(())
}

async fn read_request<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
) -> Result<Result<Request, HeadError>, End> {
    loop {
        match Request::parse(&link.input) {
            Err(error) => return Ok(Err(error)),
            Ok(Some((request, size))) => {
                link.input.advance(size);
                return Ok(Ok(request));
            }
            Ok(None) => {}
        }
        if link.turn(HEAD_LIMIT).await? == Turn::Eof {
            return Err(End::PeerGone { reset: false });
        }
    }
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<'_, S>, answer: &Answer) -> End {
    answer.write(&mut link.output);
    link.mark(EventKind::Rejected { status: answer.status });
    match link.send().await {
        Ok(()) => End::Fin,
        Err(error) => error.into(),
    }
}

async fn instead_of_answer<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
) -> Result<(), End> {
    if peer.has(FaultKind::UpgradeReset) {
        return Err(End::Reset);
    }
    if peer.has(FaultKind::UpgradeSilent) {
        return Err(hold(link, peer).await);
    }
    if let Some(delay) = peer.faults.duration(FaultKind::UpgradeDelay) {
        pause(link, delay).await?;
    }
    if peer.has(FaultKind::UpgradeGarbage) {
        link.output.extend_from_slice(b"\x00\x01\xFE\xFF this is no HTTP\r\n\r\n");
        return Err(hold(link, peer).await);
    }
    if peer.has(FaultKind::UpgradeHeaderBomb) {
        header_bomb(link).await?;
        return Err(End::Cut);
    }
    Ok(())
}

async fn header_bomb<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<'_, S>) -> io::Result<()> {
    let filler = format!("X-Filler: {}\r\n", "f".repeat(1000)).repeat(8);
    let mut sent = 0;
    link.output.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    while sent < BOMB_SIZE {
        link.output.extend_from_slice(filler.as_bytes());
        sent += filler.len();
        link.send().await?;
    }
    Ok(())
}
