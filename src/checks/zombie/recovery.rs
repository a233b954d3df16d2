//! A connection that was silent, and answers again in time.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::Instant;

use super::Scene;
use super::config::Mode;
use super::silent::{begin, give_up, note, say_something};
use crate::dialect::Origin;
use crate::model::Verdict;
use crate::session::{Manners, Talk, Word};

/// What became of a connection that was silent for half of the time and then answered again.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// How the gateway ended it, and whether that was before we answered.
    pub ended: Option<(bool, Verdict)>,
    /// It outlived the time at which a silent one is cleaned up.
    pub kept: bool,
    /// Nothing was ever left unanswered, so that there was nothing to recover from.
    pub unasked: bool,
}

/// Is silent for half of the time, answers what it owes, and behaves from then on.
pub(super) async fn watch(scene: &Scene<'_>, mut talk: Talk, earliest: Duration) -> Recovery {
    let Some(window) = scene.window().cloned() else { return Recovery::default() };
    let mut seen = begin(scene, &mut talk, Mode::Mute).await;
    talk.manners = Manners::MUTE;
    let mut recovery = Recovery::default();
    let mut answers = false;
    let mut says_next = None;
    // To the gateway, the silence began when it sent its heartbeat, and ends when it has our answer.
    let on_the_way = if window.origin == Origin::UnansweredBeat { scene.rtt } else { Duration::ZERO };
    let silence = (earliest / 2).saturating_sub(on_the_way);
    loop {
        // Everything is answered at once when half of the time is over for the first.
        let first = seen.first_unanswered().or(seen.origin).map(later_or_now);
        let origin = seen.origin.map(later_or_now);
        if let Some(verdict) = seen.broken.take() {
            recovery.ended = Some((!answers, verdict));
            return recovery;
        }
        let awake = first.map(|first| first + silence);
        let safe = origin.map(|origin| origin + scene.limits.latest(&window, true));
        let now = Instant::now();
        if !answers && awake.is_some_and(|awake| awake <= now) {
            answers = true;
            talk.manners = Manners::ATTENTIVE;
            talk.make_up().await;
            says_next = Some(now);
        }
        if safe.is_some_and(|safe| safe <= now) {
            recovery.kept = true;
            talk.leave(scene.visit).await;
            return recovery;
        }
        if says_next.is_some_and(|at| at <= now) && window.origin == Origin::LastClientData {
            says_next = Some(now + scene.check.keep_alive());
            if let Err(verdict) = say_something(scene, &mut talk).await {
                recovery.ended = Some((false, verdict));
                return recovery;
            }
        }
        let last = scene.visit.until(None);
        let next = [awake.filter(|_| !answers), says_next.filter(|at| *at > now), safe];
        let until = next.into_iter().flatten().min().unwrap_or(last).min(give_up(scene, &seen)).min(last);
        match talk.next_unless(&scene.stop, until).await {
            None => return recovery,
            // Nobody asked it anything: there was nothing to recover from.
            Some(Word::Nothing { .. } | Word::Over(..)) if origin.is_none() => {
                return Recovery { unasked: true, ..recovery };
            }
            Some(Word::Nothing { .. }) if Instant::now() >= last => return recovery,
            Some(word @ Word::Over(..)) => {
                recovery.ended = Some((!answers, word.unexpected("although it had answered again")));
                return recovery;
            }
            Some(word) => note(&mut seen, Some(&window), word),
        }
    }
}

/// A moment in the past or the future of the socket's clock on the timer's.
fn later_or_now(at: StdInstant) -> Instant {
    let now = StdInstant::now();
    match at.checked_duration_since(now) {
        Some(ahead) => Instant::now() + ahead,
        None => Instant::now().checked_sub(now - at).unwrap_or_else(Instant::now),
    }
}
