//! What is written down of held connections between two runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::end::{Drains, End};
use crate::model::Verdict;
use crate::session::control::Control;

/// Ends that are kept until a run reads them, at most; the others are counted.
const MOST: usize = 256;

/// How one held connection stands.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It is open.
    Up {
        /// Since when.
        since: Instant,
        /// When the gateway last answered a ping on it.
        answered: Option<Instant>,
        /// The target's budget has left out a ping since.
        starved: bool,
    },
    /// It is not.
    Down {
        /// Since when.
        since: Instant,
        /// How long after that the gateway wanted us to stay away.
        asked_away: Duration,
        /// Why the last try failed, if one did since then.
        refusal: Option<Verdict>,
        /// It was open before, and no run has read yet how that ended.
        unread: bool,
    },
    /// Whoever held it is gone, which is our own fault.
    Abandoned,
}

/// What a run sees.
#[derive(Debug, Clone)]
pub struct Glance {
    /// How each connection stands.
    pub standings: Vec<Standing>,
    /// How connections ended since the last run, in the order of time.
    pub ends: Vec<End>,
    /// How many more there were.
    pub dropped: u64,
    /// How long those that came back since the last run were away.
    pub backs: Vec<Duration>,
}

/// What is written down of the connections to one address.
#[derive(Debug)]
pub struct Ledger {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    slots: Vec<Slot>,
    /// Ends whose connections are open again.
    ends: VecDeque<End>,
    dropped: u64,
    backs: Vec<Duration>,
    control: Option<Arc<Control>>,
}

#[derive(Debug)]
struct Slot {
    standing: Standing,
    /// How it ended, until it is open again or a run has read it.
    end: Option<End>,
    /// When it ended, where it was open before.
    ended: Option<Instant>,
    /// How often it was drained in a row.
    drains: Option<Drains>,
}

impl Ledger {
    pub(super) fn new(slots: usize) -> Self {
        let slot = || Slot {
            standing: Standing::Down {
                since: Instant::now(),
                asked_away: Duration::ZERO,
                refusal: None,
                unread: false,
            },
            end: None,
            ended: None,
            drains: None,
        };
        let inner = Inner {
            slots: (0..slots).map(|_| slot()).collect(),
            ends: VecDeque::new(),
            dropped: 0,
            backs: Vec::new(),
            control: None,
        };
        Self { inner: Mutex::new(inner), changed: Notify::new() }
    }

    /// How each connection stands.
    pub fn standings(&self) -> Vec<Standing> {
        self.lock().slots.iter().map(|slot| slot.standing.clone()).collect()
    }

    /// What was written down since the last run; it is read once.
    pub fn read(&self) -> Glance {
        let mut inner = self.lock();
        let standings = inner.slots.iter().map(|slot| slot.standing.clone()).collect();
        let mut ends: Vec<End> = inner.ends.drain(..).collect();
        ends.extend(inner.slots.iter_mut().filter_map(|slot| slot.end.take()));
        ends.sort_by_key(|end| end.at);
        for slot in &mut inner.slots {
            if let Standing::Down { unread, .. } = &mut slot.standing {
                *unread = false;
            }
        }
        let dropped = std::mem::take(&mut inner.dropped);
        Glance { standings, ends, dropped, backs: std::mem::take(&mut inner.backs) }
    }

    /// Waits until something is written down.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whom to ask whether our own way out works.
    pub(super) fn ask(&self, control: Option<Arc<Control>>) {
        self.lock().control = control;
    }

    pub(super) fn control(&self) -> Option<Arc<Control>> {
        self.lock().control.clone()
    }

    /// A connection is open.
    pub(super) fn opened(&self, slot: usize, at: Instant) {
        let mut inner = self.lock();
        let of = &mut inner.slots[slot];
        of.standing = Standing::Up { since: at, answered: None, starved: false };
        let away = of.ended.take().map(|ended| at.saturating_duration_since(ended));
        let end = of.end.take().map(|end| End { back: away, ..end });
        if inner.backs.len() < MOST {
            inner.backs.extend(away);
        }
        if let Some(end) = end {
            inner.keep(end);
        }
        self.write(inner);
    }

    /// A ping was answered.
    pub(super) fn answered(&self, slot: usize, at: Instant) {
        let mut inner = self.lock();
        let mut first = false;
        if let Standing::Up { answered, starved, .. } = &mut inner.slots[slot].standing {
            first = answered.is_none();
            (*answered, *starved) = (Some(at), false);
        }
        if first {
            self.write(inner);
        }
    }

    /// A ping was left out.
    pub(super) fn starved(&self, slot: usize) {
        let mut inner = self.lock();
        if let Standing::Up { starved, .. } = &mut inner.slots[slot].standing {
            *starved = true;
        }
        self.write(inner);
    }

    /// A connection has ended.
    pub(super) fn ended(&self, end: End) {
        let mut inner = self.lock();
        let slot = end.slot;
        let of = &mut inner.slots[slot];
        let end = end.behind(of.drains);
        of.drains = end.drains;
        of.standing =
            Standing::Down { since: end.at, asked_away: end.asked_away(), refusal: None, unread: true };
        of.ended = Some(end.at);
        let before = of.end.replace(end);
        if let Some(before) = before {
            inner.keep(before);
        }
        self.write(inner);
    }

    /// A try to open a connection came to nothing.
    pub(super) fn refused(&self, slot: usize, verdict: Verdict) {
        let mut inner = self.lock();
        let of = &mut inner.slots[slot];
        if let Standing::Down { refusal, .. } = &mut of.standing {
            *refusal = Some(verdict.clone());
        }
        if let Some(end) = &mut of.end {
            end.refusal = Some(verdict);
        }
        self.write(inner);
    }

    /// Nobody holds the connection any more.
    pub(super) fn abandoned(&self, slot: usize) {
        let mut inner = self.lock();
        inner.slots[slot].standing = Standing::Abandoned;
        self.write(inner);
    }

    fn write(&self, inner: MutexGuard<'_, Inner>) {
        drop(inner);
        // One run at a time reads along; a permit is kept for the one that looks next.
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves each entry whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self, end: End) {
        if self.ends.len() >= MOST {
            self.ends.pop_front();
            self.dropped += 1;
        }
        self.ends.push_back(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::opened::Heard;
    use crate::session::word::Word;

    fn end(slot: usize, opened: Instant, at: Instant) -> End {
        End::of(slot, opened, Word::Over(Heard::Close { code: Some(1001), at }, None), true, false)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_end_is_read_once_with_what_became_of_it() {
        let (ledger, began) = (Ledger::new(2), Instant::now());
        ledger.opened(0, began);
        ledger.ended(end(0, began, began + SECOND));
        ledger.opened(0, began + 3 * SECOND);
        let glance = ledger.read();
        assert_eq!((glance.ends.len(), glance.ends[0].back), (1, Some(2 * SECOND)));
        assert_eq!(glance.backs, [2 * SECOND]);
        assert!(matches!(glance.standings[1], Standing::Down { refusal: None, unread: false, .. }));
        let glance = ledger.read();
        assert!(glance.ends.is_empty() && glance.backs.is_empty());
    }

    #[test]
    fn who_is_drained_again_and_again_is_counted_until_it_could_stay() {
        let (ledger, began) = (Ledger::new(2), Instant::now());
        let mut at = began;
        let mut drained = |slot, age| {
            ledger.opened(slot, at);
            at += age;
            ledger.ended(end(slot, at - age, at));
            let ends = ledger.read().ends;
            ends[0].drains.map(|drains| (drains.times, drains.since.duration_since(began)))
        };
        assert_eq!(drained(0, 3 * SECOND), Some((1, 3 * SECOND)));
        assert_eq!(drained(1, SECOND), Some((1, 4 * SECOND)), "each for itself");
        assert_eq!(drained(0, 59 * SECOND), Some((2, 3 * SECOND)));
        assert_eq!(drained(0, 60 * SECOND), None, "long enough");
        assert_eq!(drained(0, SECOND), Some((1, 124 * SECOND)));
    }

    #[test]
    fn one_that_comes_back_after_it_was_read_is_no_further_end() {
        let (ledger, began) = (Ledger::new(1), Instant::now());
        ledger.opened(0, began);
        ledger.ended(end(0, began, began + SECOND));
        ledger.refused(0, Verdict::new(crate::model::Outcome::Pass, "x"));
        let glance = ledger.read();
        assert!(glance.ends[0].back.is_none() && glance.ends[0].refusal.is_some());
        ledger.opened(0, began + 5 * SECOND);
        let glance = ledger.read();
        assert!(glance.ends.is_empty());
        assert_eq!(glance.backs, [4 * SECOND]);
    }

    #[test]
    fn a_gateway_that_ends_without_end_fills_no_memory() {
        let (ledger, began) = (Ledger::new(1), Instant::now());
        for _ in 0..MOST + 7 {
            ledger.opened(0, began);
            ledger.ended(end(0, began, began));
        }
        let glance = ledger.read();
        assert_eq!((glance.ends.len(), glance.dropped), (MOST + 1, 6));
        assert_eq!(glance.backs.len(), MOST);
    }
}
