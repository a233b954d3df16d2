//! A connection that does not read, with its receive window shut.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Scene;
use super::clock::{By, Eviction, Observation};
use super::config::Mode;
use super::silent::later;
use crate::dialect::{Origin, Part, Variables};
use crate::model::{End, EventKind, Side};
use crate::session::{Heard, Talk, Word};

/// `SO_RCVBUF` of a connection that will stall, in bytes: about as small as the kernel takes.
pub(super) const RECEIVE_BUFFER: u32 = 4_096;
/// How much is asked for before it is looked whether more still arrives, in bytes.
const BURST: usize = 2_048;
/// By how much it grows where that was too small for what had been allowed to come, in bytes.
const ROOM: usize = 1_024;
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
    talk.deaf = true;
    // A gateway that takes nothing while it can't send is not to hold us here.
    let shut = timeout_at(scene.visit.until(Some(PATIENCE)), shut(scene, &mut talk)).await;
    let began = shut.ok().flatten()?;
    let window = scene.window();
    let from_us = window.is_some_and(|window| window.origin == Origin::LastClientData);
    let mut seen = Observation {
        mode: Mode::Stalled,
        began,
        deaf_since: talk.opened.upgraded_at,
        unanswered: [None; 2],
        // We can't see the heartbeat that we leave unanswered.
        origin: from_us.then_some(began),
        uncertainty: if from_us { scene.rtt } else { Duration::ZERO },
        evicted: None,
        released: None,
        until: began,
        broken: None,
    };
    let over = match window {
        None => scene.check.watch.get(),
        Some(window) => scene.limits.latest(window, from_us) + seen.uncertainty,
    };
    let over = later(began + over).min(scene.visit.until(None));
    let watched = StdInstant::now();
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
            if how == End::Rst {
                talk.opened.evidence.note_at(at, EventKind::Ended { by: Side::Gateway, how });
            }
        }
        Ok(Err(_)) => sleep_until(over).await,
        Err(_) => {}
    }
    let reset = matches!(seen.evicted, Some(Eviction { by: By::Tcp(End::Rst), .. }));
    // Where that does not help, nothing is known of the time since the window was shut.
    if reset || drain(scene, &mut talk, &mut seen).await {
        seen.until = StdInstant::now();
    }
    Some(seen)
}

/// Reads what had been waiting behind the window: frames, and perhaps a Close or a FIN behind them. Gives whether all
/// that can come is known to have come.
///
/// The gateway's kernel may not notice at once that the window is open again: it looks at intervals that double
/// (RFC 9293, section 3.8.6.1). So where nothing comes, a ping asks for an answer behind all the rest.
async fn drain(scene: &Scene<'_>, talk: &mut Talk, seen: &mut Observation) -> bool {
    talk.deaf = false;
    let began = StdInstant::now();
    let shut_for = began.saturating_duration_since(seen.began);
    let probe: [u8; 8] = rand::random();
    let mut probed = false;
    loop {
        let read_on = match seen.evicted {
            Some(_) => scene.limits.release,
            None if probed => shut_for + 2 * SETTLE,
            None => 2 * SETTLE + scene.rtt,
        };
        let (enough, last) = (later(began + read_on), scene.visit.until(None));
        let more = match talk.opened.hear(enough.min(last)).await {
            Heard::Nothing { .. } if seen.evicted.is_some() => false,
            Heard::Nothing { .. } if enough > last => return false,
            Heard::Nothing { .. } if probed => false,
            Heard::Nothing { .. } => {
                probed = true;
                match talk.ping(probe.to_vec()).await {
                    Err(Word::Over(instead, _)) => go_on(seen, instead),
                    _ => true,
                }
            }
            Heard::Pong { payload, .. } if *payload == probe => false,
            heard => go_on(seen, heard),
        };
        if !more {
            return true;
        }
    }
}

/// Takes down what was found by reading on; whether more may come.
fn go_on(seen: &mut Observation, heard: Heard) -> bool {
    match heard {
        Heard::Message { .. } | Heard::Ping { .. } | Heard::Pong { .. } => return true,
        Heard::Close { code, at } => {
            // A FIN that was seen before tells when; the Close before it tells how.
            let censored = seen.released.is_none();
            let at = seen.evicted.map_or(at, |eviction| eviction.at);
            seen.evicted = Some(Eviction { at, by: By::Close(code), censored });
            return true;
        }
        Heard::Ended { how, at } => {
            seen.evicted.get_or_insert(Eviction { at, by: By::Tcp(how), censored: true });
            seen.released.get_or_insert(at);
        }
        over => seen.broken = Some(Word::Over(over, None).unexpected("to a connection that did not read")),
    }
    false
}

/// Asks for bytes, without reading, until no more arrive: the window is shut then, and some wait before it. Gives
/// the time of the last frame that asked.
async fn shut(scene: &Scene<'_>, talk: &mut Talk) -> Option<StdInstant> {
    let (mut asked, mut burst, mut arrived, mut last) = (0, BURST, 0, None);
    let mut room = RECEIVE_BUFFER as usize;
    while burst <= scene.check.stall_bytes as usize {
        while asked < burst {
            let (at, bytes) = ask_for_bytes(talk).await?;
            (asked, last) = (asked + bytes, Some(at));
        }
        sleep_until(Instant::now() + SETTLE + scene.rtt).await;
        let socket = &talk.opened.dialed.socket;
        let before = std::mem::replace(&mut arrived, socket.unread());
        if arrived == 0 || arrived != before {
            burst = asked + BURST;
        } else if socket.unacknowledged() == 0 {
            return last;
        } else {
            // What comes inside the window, but finds no memory, is dropped. Its sender goes on behind it, where all
            // that it says, be it a RST, is beyond the window and dropped too: a little more room lets it come again.
            room += ROOM;
            socket.set_receive_buffer(room);
        }
    }
    None
}

/// Sends what the gateway will answer by as many bytes; none when the connection takes no more.
async fn ask_for_bytes(talk: &mut Talk) -> Option<(StdInstant, usize)> {
    match talk.ask(Part::Echo, &Variables::default()).await {
        Ok(Some((_, at))) => Some((at, 64)),
        Ok(None) => talk.ping(vec![0x67; PING]).await.ok().map(|at| (at, PING)),
        Err(_) => None,
    }
}
