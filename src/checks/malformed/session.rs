//! Vectors that are sent in an open session.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, timeout_at};

use super::course::is_crash;
use super::ear::Ear;
use super::reaction::{Reaction, Seen};
use super::scene::Scene;
use super::shot::{Burst, PING, Then, UNREAD};
use super::unasked::{Unasked, wants_deflate, window};
use super::vectors::Vector;
use crate::dialect::{Part, Variables};
use crate::model::Verdict;
use crate::session::{Ask, Heard, Manners, Talk, Word};

/// `SO_RCVBUF` of a connection that does not read, in bytes: about as small as the kernel takes.
const RECEIVE_BUFFER: u32 = 4_096;

/// What became of a shot: a reaction, or why there is none.
pub(super) type Fired = Result<Seen, Unasked>;

/// Sends frames, and listens.
///
/// # Errors
/// The verdict, where no session could be opened to send them in.
pub(super) async fn fire(scene: &Scene<'_>, vector: &'static Vector, then: Then) -> Result<Fired, Verdict> {
    let deflate = wants_deflate(vector);
    let mut talk = match scene.enter(Ask { deflate, ..Ask::default() }).await {
        Ok(talk) => talk,
        // It is the offer that it does not take.
        Err(verdict) if deflate && is_crash(&verdict) => {
            return scene.probe().await.map(|()| Err(Unasked::NoDeflate));
        }
        Err(verdict) => return Err(verdict),
    };
    if deflate && !talk.opened.dialed.deflate {
        talk.leave(scene.visit).await;
        return Ok(Err(Unasked::NoDeflate));
    }
    let bursts = vector.shot.bursts(scene.check.limit());
    let mut ear = Ear::new(vector, &scene.right(vector), then, &bursts, StdInstant::now());
    scene.shoots(vector);
    if vector.shot.ends_inside_a_frame() {
        // Not even a pong: it would be a part of the body.
        talk.manners = Manners::MUTE;
    }
    for burst in &bursts {
        match talk.fire(&burst.frames, scene.check.patience(vector)).await {
            Ok(at) => ear.sent = at,
            Err(Word::Unaffordable) => return Ok(Err(Unasked::Budget)),
            Err(word) => ear.take(word),
        }
        if burst.pause > Duration::ZERO {
            listen(&mut talk, &mut ear, Instant::now() + burst.pause, false).await;
        }
        if ear.is_over() {
            break;
        }
    }
    Ok(conclude(scene, vector, talk, ear, then, &bursts).await)
}

/// Waits for the reaction; where none comes, a ping tells whether the connection is still served.
async fn conclude(
    scene: &Scene<'_>,
    vector: &Vector,
    mut talk: Talk,
    mut ear: Ear,
    then: Then,
    bursts: &[Burst],
) -> Fired {
    let (visit, within) = (scene.visit, scene.check.within.get());
    // Nothing may be said behind a Close.
    let closes = bursts.iter().flat_map(|burst| &burst.frames).any(|frame| frame.opcode == 8);
    let may_ping = then == Then::Ping || then == Then::Release && !closes;
    let patience = if may_ping { within } else { scene.check.patience(vector) };
    listen(&mut talk, &mut ear, visit.until(Some(patience)), true).await;
    if may_ping && !ear.is_over() && !ear.is_closed() {
        match served(scene, vector, &mut talk, &mut ear).await {
            Ok(true) => {
                talk.leave(visit).await;
                return Ok(ear.served());
            }
            Ok(false) => {}
            Err(Word::Unaffordable) => return Err(Unasked::Budget),
            Err(word) => ear.take(word),
        }
    }
    if ear.is_closed() && !ear.is_over() && then == Then::Release && may_ping {
        listen(&mut talk, &mut ear, visit.until(Some(scene.check.patience(vector))), true).await;
    }
    Ok(ear.outcome().unwrap_or_else(|| ear.late()))
}

/// Listens until then; or until the reaction is known, where that is enough.
async fn listen(talk: &mut Talk, ear: &mut Ear, until: Instant, enough: bool) {
    while !(ear.is_over() || enough && ear.is_settled()) {
        match talk.next(until).await {
            Word::Nothing { .. } => return,
            word => ear.take(word),
        }
    }
}

/// Whether the connection answers a ping, or what the bystander says: some gateways have no pongs. In an unfinished
/// message there is no room for another one. What else comes before may be the reaction.
async fn served(scene: &Scene<'_>, vector: &Vector, talk: &mut Talk, ear: &mut Ear) -> Result<bool, Word> {
    let parts = if vector.shot.ends_inside_a_message() { &[] } else { scene.parts };
    let mut asked = None;
    for part in parts {
        if asked.is_none() {
            asked = talk.ask(*part, &Variables::default()).await?;
        }
    }
    let id: [u8; 8] = rand::random();
    let exchange = asked.map(|(exchange, _)| exchange);
    talk.ping(id.to_vec()).await?;
    let until = scene.visit.until(Some(scene.check.within.get()));
    loop {
        match talk.next(until).await {
            Word::Nothing { .. } => return Ok(false),
            Word::Pong { payload, .. } if *payload == id => return Ok(true),
            Word::Answer { exchange: answered, .. } if exchange == Some(answered) => return Ok(true),
            word => ear.take(word),
        }
        if ear.is_over() || ear.is_closed() {
            return Ok(false);
        }
    }
}

/// Asks for more than a small receive window takes, does not read until silent clients should be gone, and then
/// looks whether this one is.
///
/// # Errors
/// The verdict, where no session could be opened.
pub(super) async fn unread(scene: &Scene<'_>, vector: &'static Vector) -> Result<Fired, Verdict> {
    let ask = Ask { receive_buffer: Some(RECEIVE_BUFFER), ..Ask::default() };
    let mut talk = scene.enter(ask).await?;
    let Some(patience) = window(&scene.visit.target().dialect, talk.variables()) else {
        talk.leave(scene.visit).await;
        return Ok(Err(Unasked::NoWindow));
    };
    talk.deaf = true;
    scene.shoots(vector);
    let sent = StdInstant::now();
    let mut ear = Ear::new(vector, &scene.right(vector), Then::Ping, &[], sent);
    let until = scene.visit.until(Some(patience));
    // A gateway that takes nothing while it can't send is not to hold us here.
    match timeout_at(until, ask_for_bytes(&mut talk)).await {
        Ok(Err(Word::Unaffordable)) => return Ok(Err(Unasked::Budget)),
        Ok(Err(word)) => ear.take(word),
        Ok(Ok(())) | Err(_) => {}
    }
    if !ear.is_over() {
        // A RST shows at once; a FIN or a Close wait behind what was not read.
        let _ = timeout_at(until, talk.opened.dialed.socket.peer_gone()).await;
        talk.deaf = false;
        return Ok(drained(scene, vector, talk, ear).await);
    }
    Ok(Ok(ear.outcome().unwrap_or_else(|| ear.late())))
}

/// Reads what has been waiting.
async fn drained(scene: &Scene<'_>, vector: &Vector, mut talk: Talk, mut ear: Ear) -> Fired {
    let (visit, within) = (scene.visit, scene.check.within.get());
    listen(&mut talk, &mut ear, visit.until(Some(within)), false).await;
    let seen = if let Some(seen) = ear.outcome() {
        seen
    } else {
        match served(scene, vector, &mut talk, &mut ear).await {
            Ok(true) => {
                talk.leave(visit).await;
                Seen::plain(Reaction::Ignored)
            }
            Ok(false) => ear.outcome().unwrap_or_else(|| ear.late()),
            Err(Word::Unaffordable) => return Err(Unasked::Budget),
            Err(word) => {
                ear.take(word);
                ear.outcome().unwrap_or_else(|| ear.late())
            }
        }
    };
    // When it came, behind the shut window, nobody knows.
    Ok(Seen { took: None, ..seen })
}

async fn ask_for_bytes(talk: &mut Talk) -> Result<(), Word> {
    let mut asked = 0;
    while asked < UNREAD {
        asked += match talk.ask(Part::Echo, &Variables::default()).await? {
            Some(_) => 64,
            None => {
                talk.ping(vec![b'p'; PING]).await?;
                PING as u64
            }
        };
    }
    Ok(())
}

/// Whether the gateway let us stay, after it had let us in: by a session that opens and answers.
pub(super) async fn let_in(
    scene: &Scene<'_>,
    vector: &'static Vector,
    mut talk: Talk,
    sent: StdInstant,
) -> Fired {
    use crate::session::Goodbye;
    let mut ear = Ear::new(vector, &scene.right(vector), Then::Ping, &[], sent);
    let (visit, within) = (scene.visit, scene.check.within.get());
    let opened = talk.open(visit, Some(within)).await;
    let mut refused_by_error = false;
    let until = visit.until(Some(within));
    while talk.goodbye().is_none() {
        match talk.next(until).await {
            Word::Error { .. } => refused_by_error = true,
            Word::Over(Heard::Illegal(_) | Heard::TooLarge { .. }, _) => {
                return Ok(Seen::plain(Reaction::Nonsense));
            }
            Word::Over(Heard::Broken(_), _) => return Ok(Seen::plain(Reaction::Unclean)),
            Word::Nothing { .. } | Word::Over(..) => break,
            _ => {}
        }
    }
    match talk.goodbye() {
        Some(Goodbye::Close { code, class, at }) => {
            let seen = Seen { class, ..Seen::plain(Reaction::Close(code)) };
            return Ok(seen.after(at.saturating_duration_since(sent)));
        }
        Some(Goodbye::Ended { at }) => {
            let took = at.saturating_duration_since(sent);
            return Ok(Seen::plain(Reaction::Unclean).after(took));
        }
        None => {}
    }
    let reaction = match (refused_by_error, opened) {
        (true, _) => Reaction::ErrorReply,
        (false, Ok(())) => match served(scene, vector, &mut talk, &mut ear).await {
            Ok(true) => Reaction::Upgraded,
            Err(Word::Unaffordable) => return Err(Unasked::Budget),
            // Open, but not served: it may still wait for a token.
            Ok(false) | Err(_) => match ear.outcome() {
                Some(seen) => return Ok(seen),
                None if scene.visit.target().credential.is_some() => return Err(Unasked::NotServed),
                None => Reaction::Ignored,
            },
        },
        (false, Err(_)) => Reaction::Ignored,
    };
    talk.leave(visit).await;
    Ok(Seen::plain(reaction))
}
