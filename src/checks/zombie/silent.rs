//! A connection that goes silent, and reads on.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::Instant;

use super::Scene;
use super::clock::{By, Eviction, Observation};
use super::config::{Mode, Window};
use crate::dialect::{CloseClass, Origin};
use crate::model::Verdict;
use crate::session::{Heard, Level, Talk, Word};

/// Says nothing any more, and watches what becomes of the connection.
pub(super) async fn watch(scene: &Scene<'_>, mut talk: Talk, mode: Mode) -> Observation {
    let mut seen = begin(scene, &mut talk, mode).await;
    talk.manners = mode.manners();
    while seen.broken.is_none() && seen.released.is_none() {
        let until = give_up(scene, &seen);
        match talk.next_unless(&scene.stop, until).await {
            None | Some(Word::Nothing { .. }) => break,
            Some(word) => note(&mut seen, scene.window(), word),
        }
    }
    seen.until = StdInstant::now();
    if let Some(window) = scene.window() {
        seen.settle(window, &scene.limits);
    }
    seen
}

/// The last word of a client, where the clock counts from it.
pub(super) async fn begin(scene: &Scene<'_>, talk: &mut Talk, mode: Mode) -> Observation {
    let began = talk.opened.upgraded_at;
    let mut seen = Observation {
        mode,
        began,
        deaf_since: began,
        unanswered: [None; 2],
        origin: None,
        uncertainty: Duration::ZERO,
        evicted: None,
        released: None,
        until: began,
        broken: None,
    };
    let from_us = scene.window().is_some_and(|window| window.origin == Origin::LastClientData);
    if from_us {
        match say_something(scene, talk).await {
            Ok((at, rtt)) => (seen.began, seen.origin, seen.uncertainty) = (at, Some(at), rtt),
            Err(verdict) => seen.broken = Some(verdict),
        }
    }
    seen
}

/// Takes down what was said to a silent connection.
pub(super) fn note(seen: &mut Observation, window: Option<&Window>, word: Word) {
    match word {
        Word::Beat { .. } if seen.evicted.is_some() => {}
        Word::Beat { level, at } => {
            let from_us = window.is_some_and(|window| window.origin == Origin::LastClientData);
            match (from_us, seen.mode, level) {
                // A half-dead client answers pings, and owes none; where its own frames count, that was one.
                (true, Mode::HalfDead, Level::Protocol) => seen.origin = Some(at),
                (true, ..) | (false, Mode::HalfDead, Level::Protocol) => {}
                (false, ..) => seen.left_unanswered(level, at),
            }
        }
        // Whoever restarts, or has no capacity, closes everybody; 1001 is said to the idle too.
        word @ Word::Over(Heard::Close { code: Some(1012 | 1013), .. }, _)
        | word @ Word::Over(_, Some(CloseClass::Throttled | CloseClass::Unavailable)) => {
            seen.broken = Some(word.unexpected("to a connection that was silent"));
        }
        Word::Over(Heard::Close { code, at }, _) => {
            seen.evicted.get_or_insert(Eviction { at, by: By::Close(code), censored: false });
        }
        Word::Over(Heard::Ended { how, at }, _) => {
            seen.evicted.get_or_insert(Eviction { at, by: By::Tcp(how), censored: false });
            seen.released = Some(at);
        }
        word @ Word::Over(..) => seen.broken = Some(word.unexpected("to a connection that was silent")),
        _ => {}
    }
}

/// When all is known, if nothing more happens.
pub(super) fn give_up(scene: &Scene<'_>, seen: &Observation) -> Instant {
    let limits = &scene.limits;
    let end = match (&seen.evicted, scene.window()) {
        (Some(eviction), _) => eviction.at + limits.release,
        (None, None) => seen.began + scene.check.watch.get(),
        (None, Some(window)) => {
            let latest = limits.latest(window, seen.origin.is_some());
            seen.origin.unwrap_or(seen.began) + latest + seen.uncertainty
        }
    };
    later(end).min(scene.visit.until(None))
}

/// A moment of the socket's clock on the timer's.
pub(super) fn later(at: StdInstant) -> Instant {
    Instant::now() + at.saturating_duration_since(StdInstant::now())
}

/// Says what a client of this dialect says to be taken for alive, and waits for the answer; gives the time right
/// before the write, and the round trip.
pub(super) async fn say_something(
    scene: &Scene<'_>,
    talk: &mut Talk,
) -> Result<(StdInstant, Duration), Verdict> {
    talk.say_something(scene.visit, scene.words(), scene.check.pong_timeout.get()).await
}
