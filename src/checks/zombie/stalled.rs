//! A connection that does not read, with its receive window shut.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Scene;
use super::clock::{By, Eviction, Observation};
use super::config::Mode;
use super::silent::later;
use crate::dialect::{Part, Variables};
use crate::model::End;
use crate::session::{Heard, Talk};

/// `SO_RCVBUF` of a connection that will stall, in bytes: about as small as the kernel takes.
pub(super) const RECEIVE_BUFFER: u32 = 4_096;
/// How much is asked for before it is looked whether more still arrives, in bytes.
const BURST: usize = 2_048;
/// How long bytes that are on their way get to arrive.
const SETTLE: Duration = Duration::from_millis(200);
/// How long it may take to shut the window.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it takes to see what is there already.
const A_LOOK: Duration = Duration::from_millis(2);
/// A legal ping's largest payload (RFC 6455, section 5.5).
const PING: usize = 125;

/// Stops reading, and watches what becomes of the connection; none where its window could not be shut.
///
/// While the window is shut a RST can arrive, a FIN or a Close can not. So when the time is over the connection is
/// read on: what is found then came in time, nobody knows when.
pub(super) async fn watch(scene: &Scene<'_>, mut talk: Talk) -> Option<Observation> {
    let began = StdInstant::now();
    // A gateway that takes nothing while it can't send is not to hold us here.
    let shut = timeout_at(scene.visit.until(Some(PATIENCE)), shut(scene, &mut talk)).await;
    if !shut.unwrap_or(false) {
        return None;
    }
    let watched = StdInstant::now();
    let mut seen = Observation {
        mode: Mode::Stalled,
        began,
        origin: None,
        uncertainty: Duration::ZERO,
        evicted: None,
        released: None,
        until: began,
        broken: None,
    };
    let over = match scene.window() {
        None => scene.check.watch.get(),
        // We can't see the heartbeat that we leave unanswered.
        Some(window) => scene.limits.latest(window, false),
    };
    let over = later(began + over).min(scene.visit.until(None));
    let gone = tokio::select! {
        biased;
        () = scene.stop.cancelled() => return Some(seen),
        gone = timeout_at(over, talk.opened.dialed.socket.peer_gone()) => gone,
    };
    match gone {
        Ok(Ok((at, how))) => {
            // What was there when we began to look came before, nobody knows when.
            let censored = at.saturating_duration_since(watched) < A_LOOK;
            seen.evicted = Some(Eviction { at, by: By::Tcp(how), censored });
            seen.released = Some(at);
        }
        Ok(Err(_)) => sleep_until(over).await,
        Err(_) => {}
    }
    if !matches!(seen.evicted, Some(Eviction { by: By::Tcp(End::Rst), .. })) {
        drain(scene, &mut talk, &mut seen).await;
    }
    seen.until = StdInstant::now();
    Some(seen)
}

/// Reads what had been waiting behind the window: frames, and perhaps a Close or a FIN behind them.
async fn drain(scene: &Scene<'_>, talk: &mut Talk, seen: &mut Observation) {
    let began = StdInstant::now();
    let read_on = |evicted: bool| if evicted { scene.limits.release } else { 2 * SETTLE + scene.rtt };
    loop {
        let until = later(began + read_on(seen.evicted.is_some())).min(scene.visit.until(None));
        match talk.opened.hear(until).await {
            Heard::Close { code, at } => {
                // A FIN that was seen before tells when; the Close before it tells how.
                let censored = seen.released.is_none();
                let at = seen.evicted.map_or(at, |eviction| eviction.at);
                seen.evicted = Some(Eviction { at, by: By::Close(code), censored });
            }
            Heard::Ended { how, at } => {
                seen.evicted.get_or_insert(Eviction { at, by: By::Tcp(how), censored: true });
                seen.released.get_or_insert(at);
                return;
            }
            Heard::Message { .. } | Heard::Ping { .. } | Heard::Pong { .. } => {}
            Heard::Nothing { .. } => return,
            over => {
                let word = crate::session::Word::Over(over, None);
                seen.broken = Some(word.unexpected("to a connection that did not read"));
                return;
            }
        }
    }
}

/// Asks for bytes, without reading, until no more arrive: the window is shut then, and some wait before it.
async fn shut(scene: &Scene<'_>, talk: &mut Talk) -> bool {
    let (mut asked, mut arrived) = (0, 0);
    while asked < scene.check.stall_bytes as usize {
        let burst = asked + BURST;
        while asked < burst {
            match ask_for_bytes(talk).await {
                Some(bytes) => asked += bytes,
                None => return false,
            }
        }
        sleep_until(Instant::now() + SETTLE + scene.rtt).await;
        let now = talk.opened.dialed.socket.unread();
        if now == arrived && now > 0 {
            return true;
        }
        arrived = now;
    }
    false
}

/// Sends what the gateway will answer by as many bytes; none when the connection takes no more.
async fn ask_for_bytes(talk: &mut Talk) -> Option<usize> {
    match talk.ask(Part::Echo, &Variables::default()).await {
        Ok(Some(_)) => Some(64),
        Ok(None) => talk.ping(vec![0x67; PING]).await.ok().map(|_| PING),
        Err(_) => None,
    }
}
