//! The upgrade of one connection: read the request, answer it, or do it wrong on demand.

use std::io;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, answer, deflate_agreed};
use super::ending::{End, FAULT_CAP, hold, pause};
use super::event::EventKind;
use super::fault::FaultKind;
use super::http::{PARDONED_LIMIT, Request};
use super::jwt::Credential;
use super::link::{Link, Turn};
use super::offence::{Conduct, Offence, conduct};
use super::peer::Peer;

/// Where the header bomb stops by itself.
const BOMB_SIZE: usize = 64 * 1024 * 1024;

/// What a connection was upgraded with.
#[derive(Debug)]
pub struct Upgraded {
    /// Its messages may be compressed.
    pub deflate: bool,
    /// The JSON Web Token that the session belongs to.
    pub credential: Option<Credential>,
}

/// Upgrades a connection. The 101 may still be in `link.output`, so that the first frame can go out together
/// with it.
///
/// # Errors
/// How the connection must end, when it was not upgraded.
pub async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
) -> Result<Upgraded, End> {
    let request = read_request(link, peer).await?;
    peer.log(EventKind::RequestRead);
    instead_of_answer(link, peer).await?;
    let answer = judge(link, peer, &request).await?;
    link.set_pace(peer.faults.duration(FaultKind::UpgradeDrip));
    if answer.status != 101 {
        return Err(refuse(link, peer, &answer).await);
    }
    if !peer.turn.delay.is_zero() {
        pause(link, peer.turn.delay).await?;
    }
    answer.write(&mut link.output, &peer.faults);
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
    let settings = &peer.shared.settings;
    Ok(Upgraded {
        deflate: deflate_agreed(&request, settings).is_some(),
        credential: settings.jwt.as_ref().and_then(|rules| rules.credential(&request)),
    })
}

/// Reads the request, within its time.
async fn read_request<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
) -> Result<Request, End> {
    let mut pardons = Pardons::new(peer);
    let mut until = Instant::now() + peer.shared.settings.handshake_timeout.min(FAULT_CAP);
    loop {
        match Request::parse(&link.input, &mut |error| pardons.pardon(error.offence())) {
            Err(error) => {
                let answer = Answer::refusal(error.status(), &error.to_string());
                return Err(offended(link, peer, error.offence(), answer).await);
            }
            Ok(Some((request, size))) => {
                link.input.advance(size);
                return Ok(request);
            }
            Ok(None) => {}
        }
        match timeout_at(until, link.turn(PARDONED_LIMIT)).await {
            Ok(turn) => match turn? {
                Turn::Eof => return Err(End::PeerGone { reset: false }),
                Turn::Read | Turn::Wrote => {}
            },
            Err(_) if pardons.pardon(Offence::SlowHeader) => until += FAULT_CAP,
            Err(_) => {
                let answer = Answer::refusal(408, "no request came");
                return Err(offended(link, peer, Offence::SlowHeader, answer).await);
            }
        }
    }
}

async fn judge<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
    request: &Request,
) -> Result<Answer, End> {
    if peer.turn.throttled {
        return Ok(Answer::throttled());
    }
    let mut pardons = Pardons::new(peer);
    let judged = answer(request, &peer.shared.settings, &peer.faults, &mut |offence| pardons.pardon(offence));
    match judged {
        Ok(answer) => Ok(answer),
        Err((offence, answer)) => {
            link.set_pace(peer.faults.duration(FaultKind::UpgradeDrip));
            Err(offended(link, peer, offence, answer).await)
        }
    }
}

/// Which offences a fault takes as good, each noted once.
struct Pardons<'a> {
    peer: &'a Peer,
    given: Vec<Offence>,
}

impl<'a> Pardons<'a> {
    fn new(peer: &'a Peer) -> Self {
        Self { peer, given: Vec::new() }
    }

    fn pardon(&mut self, offence: Offence) -> bool {
        let faults = &self.peer.faults;
        let pardoned = conduct(faults, offence) == Conduct::Accept;
        if pardoned && !self.given.contains(&offence) {
            self.given.push(offence);
            self.peer.offend(None, offence, faults);
        }
        pardoned
    }
}

/// Refuses an offence with `answer`, or does what a fault does instead.
async fn offended<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
    offence: Offence,
    answer: Answer,
) -> End {
    peer.offend(None, offence, &peer.faults);
    match conduct(&peer.faults, offence) {
        Conduct::Crash => {
            peer.shared.crash();
            End::Reset
        }
        Conduct::Hang => hold(link, peer).await,
        Conduct::Error => {
            refuse(link, peer, &Answer::refusal(500, "failed by a fault that is switched on")).await
        }
        Conduct::WrongCode => refuse(link, peer, &Answer::refusal(200, "a fault that is switched on")).await,
        Conduct::Refuse | Conduct::Accept => refuse(link, peer, &answer).await,
    }
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
    answer: &Answer,
) -> End {
    answer.write(&mut link.output, &peer.faults);
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
