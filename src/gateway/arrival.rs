//! Which connection of how many it is: what counting faults make of each new one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::ending::FAULT_CAP;
use super::fault::{FaultKind, FaultSet};

/// The span that `rate_limit` counts in.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// What counting faults have in store for one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// It is the K-th one of `refuse_every`.
    pub refused: bool,
    /// It is beyond `rate_limit`.
    pub throttled: bool,
    /// How much later it gets its 101, by `connect_slower`.
    pub delay: Duration,
    /// It is one of those that `unstable_after` leaves unanswered.
    pub unstable: bool,
}

/// Counts new connections, for each fault from its switch on.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    refused: Count,
    slower: Count,
    unstable: Count,
    /// When those came that were let in within the last second.
    recent: VecDeque<Instant>,
}

#[derive(Debug, Default)]
struct Count {
    since: Option<Instant>,
    number: u64,
}

impl Arrivals {
    /// The turn of a connection that comes at `now`, with the faults that are on.
    pub fn next(&self, faults: &FaultSet, now: Instant) -> Turn {
        use FaultKind as K;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = |kind| faults.number(kind).map_or(u64::MAX, |number| u64::from(number.get()));
        let refused = counts.refused.next(K::RefuseEvery, faults);
        let slower = counts.slower.next(K::ConnectSlower, faults);
        let unstable = counts.unstable.next(K::UnstableAfter, faults);
        Turn {
            refused: refused.is_some_and(|number| number.is_multiple_of(limit(K::RefuseEvery))),
            throttled: counts.is_throttled(faults, now),
            delay: slower.map_or(Duration::ZERO, |number| {
                let each = faults.duration(K::ConnectSlower).unwrap_or_default();
                let times = u32::try_from(number - 1).unwrap_or(u32::MAX);
                each.saturating_mul(times).min(FAULT_CAP)
            }),
            unstable: unstable.is_some_and(|number| number >= limit(K::UnstableAfter)),
        }
    }
}

impl Counts {
    fn is_throttled(&mut self, faults: &FaultSet, now: Instant) -> bool {
        let kind = FaultKind::RateLimit;
        let (Some(limit), Some(since)) = (faults.number(kind), faults.since(kind)) else {
            self.recent = VecDeque::new();
            return false;
        };
        self.recent.retain(|at| *at >= since && now.saturating_duration_since(*at) < RATE_SPAN);
        let full = self.recent.len() as u64 >= u64::from(limit.get());
        if !full {
            self.recent.push_back(now);
        }
        full
    }
}

impl Count {
    /// The number of the next connection since the switch, from 1; `None` while the fault is off.
    fn next(&mut self, kind: FaultKind, faults: &FaultSet) -> Option<u64> {
        let since = faults.since(kind)?;
        if self.since != Some(since) {
            *self = Self { since: Some(since), number: 0 };
        }
        self.number += 1;
        Some(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(texts: &[&str], now: Instant) -> FaultSet {
        let mut set = FaultSet::default();
        texts.iter().for_each(|text| set.insert(text.parse().unwrap(), now));
        set
    }

    #[test]
    fn each_fault_counts_from_its_switch() {
        let (now, arrivals) = (Instant::now(), Arrivals::default());
        let on = faults(&["refuse_every=3", "connect_slower=2s", "unstable_after=2"], now);
        assert_eq!(arrivals.next(&FaultSet::default(), now), Turn::default());
        let turns = [(); 3].map(|()| arrivals.next(&on, now));
        assert_eq!(turns.map(|turn| turn.refused), [false, false, true]);
        assert_eq!(turns.map(|turn| turn.delay.as_secs()), [0, 2, 4]);
        assert_eq!(turns.map(|turn| turn.unstable), [false, true, true]);
        let again = faults(&["connect_slower=1h"], now + RATE_SPAN);
        let delays = [(); 3].map(|()| arrivals.next(&again, now).delay);
        assert_eq!(delays, [Duration::ZERO, FAULT_CAP, FAULT_CAP]);
    }

    #[test]
    fn a_rate_counts_those_that_were_let_in_within_a_second() {
        let (now, arrivals) = (Instant::now(), Arrivals::default());
        let on = faults(&["rate_limit=2"], now);
        let at = |millis| arrivals.next(&on, now + Duration::from_millis(millis)).throttled;
        assert_eq!([0, 400, 500, 999].map(at), [false, false, true, true]);
        assert_eq!([1000, 1399, 1400].map(at), [false, true, false]);
    }
}
