//! The pongs of one heartbeat level that wait to be sent, and the faults that spoil them. No I/O, no
//! clock.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::ending::FAULT_CAP;
use crate::gateway::event::{EventKind, Level};
use crate::gateway::fault::{FaultKind, FaultSet};

/// So many bytes of pongs may wait; beyond, the oldest ones are never sent.
const WAITING_LIMIT: usize = 256 * 1024;
/// What a waiting pong costs beside its payload.
const OVERHEAD: usize = size_of::<(Instant, Pong)>();

/// A pong that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong {
    /// The payload of its frame.
    pub payload: Vec<u8>,
    /// What to log when it was sent.
    pub event: EventKind,
}

/// What is wrong with the pongs of a level at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct PongFaults {
    /// How much later they are sent.
    pub delay: Duration,
    /// How much later still every other one is sent.
    pub jitter: Duration,
    /// Every so many pings one is not answered, counted from the moment.
    pub dropped: Option<(NonZeroU32, Instant)>,
    /// They are sent twice.
    pub duplicated: bool,
    /// They answer something that nobody asked.
    pub wrong: bool,
}

impl PongFaults {
    /// Those of `level` among the faults that are on.
    pub fn of(level: Level, faults: &FaultSet) -> Self {
        use FaultKind as K;
        let (delay, dropped, duplicated, wrong) = match level {
            Level::Protocol => (K::PongDelay, K::PongDropped, K::PongDuplicated, K::PongWrongPayload),
            Level::Application => (
                K::ApplicationPongDelay,
                K::ApplicationPongDropped,
                K::ApplicationPongDuplicated,
                K::ApplicationPongWrongId,
            ),
        };
        Self {
            delay: faults.duration(delay).unwrap_or_default().min(FAULT_CAP),
            jitter: match level {
                Level::Protocol => faults.duration(K::PongJitter).unwrap_or_default().min(FAULT_CAP),
                Level::Application => Duration::ZERO,
            },
            dropped: faults.number(dropped).zip(faults.since(dropped)),
            duplicated: faults.has(duplicated),
            wrong: faults.has(wrong),
        }
    }
}

/// The pongs of one level, in the order of the pings.
#[derive(Debug, Default)]
pub struct Pongs {
    waiting: VecDeque<(Instant, Pong)>,
    size: usize,
    counting_since: Option<Instant>,
    asked: u32,
    /// Whether it is the turn of one that `pong_jitter` delays.
    odd: bool,
}

impl Pongs {
    /// From when the pong to a ping that came at `now` waits.
    pub fn waits_from(&self, faults: &PongFaults, now: Instant) -> Instant {
        if self.odd { now + faults.jitter } else { now }
    }

    /// How many times the next ping is answered.
    pub fn answers(&mut self, faults: &PongFaults) -> usize {
        self.odd = !self.odd;
        let Some((every, since)) = faults.dropped else {
            return 1 + usize::from(faults.duplicated);
        };
        if self.counting_since != Some(since) {
            (self.counting_since, self.asked) = (Some(since), 0);
        }
        self.asked = (self.asked + 1) % every;
        if self.asked == 0 { 0 } else { 1 + usize::from(faults.duplicated) }
    }

    /// Takes a pong that waits from that moment.
    pub fn push(&mut self, from: Instant, pong: Pong) {
        self.size += pong.payload.len() + OVERHEAD;
        self.waiting.push_back((from, pong));
        while self.size > WAITING_LIMIT && self.waiting.len() > 1 {
            self.take();
        }
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the first one is to be sent.
    pub fn due(&self, delay: Duration) -> Option<Instant> {
        self.waiting.front().map(|(asked, _)| *asked + delay)
    }

    /// The first one, if it is to be sent at `now`.
    pub fn pop(&mut self, delay: Duration, now: Instant) -> Option<Pong> {
        self.due(delay).filter(|due| now >= *due)?;
        self.take()
    }

    fn take(&mut self) -> Option<Pong> {
        let (_, pong) = self.waiting.pop_front()?;
        self.size -= pong.payload.len() + OVERHEAD;
        Some(pong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(payload: Vec<u8>) -> Pong {
        Pong { payload, event: EventKind::Accepted }
    }

    #[test]
    fn every_kth_is_dropped_counted_from_the_switch() {
        let now = Instant::now();
        let mut pongs = Pongs::default();
        let mut ask = |every: u32, since| {
            let dropped = NonZeroU32::new(every).map(|every| (every, since));
            pongs.answers(&PongFaults { dropped, duplicated: true, ..PongFaults::default() })
        };
        assert_eq!([(); 5].map(|()| ask(3, now)), [2, 2, 0, 2, 2]);
        let later = now + Duration::from_secs(1);
        assert_eq!([(); 4].map(|()| ask(3, later)), [2, 2, 0, 2]);
        assert_eq!([(); 2].map(|()| ask(1, now)), [0, 0]);
        assert_eq!(ask(0, now), 2);
    }

    #[test]
    fn they_stay_in_order_when_the_delay_shrinks() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut pongs = Pongs::default();
        pongs.push(now, pong(vec![1]));
        pongs.push(now + second, pong(vec![2]));
        assert_eq!(pongs.due(60 * second), Some(now + 60 * second));
        assert_eq!(pongs.pop(60 * second, now + 59 * second), None);
        assert_eq!(pongs.pop(Duration::ZERO, now + second), Some(pong(vec![1])));
        assert_eq!(pongs.pop(Duration::ZERO, now + second), Some(pong(vec![2])));
        assert!(pongs.is_empty() && pongs.size == 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        let now = Instant::now();
        let mut pongs = Pongs::default();
        for number in 0..100_000u32 {
            pongs.push(now, pong(number.to_be_bytes().to_vec()));
        }
        assert!(pongs.size <= WAITING_LIMIT);
        let first = pongs.pop(Duration::ZERO, now).unwrap();
        assert!(first.payload > 90_000u32.to_be_bytes().to_vec());
    }
}
