//! The gateway's own heartbeat: when to ping, and when a client counts as gone. No I/O, no clock.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::peer::SUSPECT;

/// The sending times of so many unanswered pings are kept: the oldest, and the newest ones.
const KEPT: usize = 64;
/// `pings_early` makes no interval shorter.
const SHORTEST: Duration = Duration::from_millis(10);
/// Longer than any gateway runs; what is added to a time is cut to it, so that nothing overflows.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A moment so much later, or in a hundred years.
pub fn later(moment: Instant, duration: Duration) -> Instant {
    moment + duration.min(FOREVER)
}

/// What faults do to a heartbeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disorder {
    /// No pings are sent, and nobody is missed.
    pub missing: bool,
    /// Each interval is so much longer than the last.
    pub drift: Option<Duration>,
    /// Each interval is so much shorter than it should be.
    pub early: Option<Duration>,
    /// A pong that comes late does not count.
    pub grudge: bool,
}

/// One heartbeat of one connection. Its pings are numbered from 1.
#[derive(Debug)]
pub struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    disorder: Disorder,
    /// When the last ping was due; before the first one, when the heartbeat began.
    previous: Instant,
    drifted: u32,
    last: u64,
    unanswered: VecDeque<(u64, Instant)>,
    grudge: Option<(u64, Instant)>,
    told: u64,
}

impl Heartbeat {
    /// A heartbeat whose first ping is due one interval after `now`.
    pub fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self {
            interval,
            timeout,
            disorder: Disorder::default(),
            previous: now,
            drifted: 0,
            last: 0,
            unanswered: VecDeque::new(),
            grudge: None,
            told: 0,
        }
    }

    /// Takes over the faults that are on now.
    pub fn follow(&mut self, disorder: Disorder, now: Instant) {
        if disorder.missing {
            self.unanswered.clear();
            self.grudge = None;
        } else if self.disorder.missing {
            self.previous = now;
        }
        if disorder.drift.is_none() {
            self.drifted = 0;
        }
        if !disorder.grudge {
            self.grudge = None;
        }
        self.disorder = disorder;
    }

    /// When the next ping is due.
    pub fn next_ping(&self) -> Option<Instant> {
        (!self.disorder.missing).then(|| later(self.previous, self.current_interval()))
    }

    /// The number of the ping that is due at `now`. Pings keep to their times: one that is sent late
    /// does not put off the next, unless it is late by a whole interval. For a client that does not
    /// take what it is sent (`stuck`), no more are counted than are kept.
    pub fn ping(&mut self, now: Instant, stuck: bool) -> Option<u64> {
        let due = self.next_ping().filter(|due| now >= *due)?;
        let missed_one = now >= later(due, self.current_interval());
        self.previous = if missed_one { now } else { due };
        if self.disorder.drift.is_some() {
            self.drifted = self.drifted.saturating_add(1);
        }
        if self.unanswered.len() == KEPT {
            if stuck {
                return None;
            }
            self.unanswered.remove(1);
        }
        self.last += 1;
        self.unanswered.push_back((self.last, now));
        Some(self.last)
    }

    /// Notes that the kernel took a ping at `at`: only from then on the client could answer. The time
    /// of one that never gets so far, because the client does not read, counts from [`Self::ping`].
    pub fn sent(&mut self, number: u64, at: Instant) {
        if let Some((_, sent)) = self.unanswered.iter_mut().find(|(unanswered, _)| *unanswered == number) {
            *sent = at;
        }
    }

    /// The newest ping, 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// When the oldest unanswered ping was sent.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.unanswered.front().map(|(_, sent)| *sent)
    }

    /// When the client counts as gone, unless it answers.
    pub fn deadline(&self) -> Option<Instant> {
        self.overdue().map(|(_, sent)| later(sent, self.timeout))
    }

    /// When there is a miss that was not told yet.
    pub fn next_miss(&self) -> Option<Instant> {
        self.deadline().filter(|_| self.overdue().is_some_and(|(number, _)| number > self.told))
    }

    /// Tells once that a ping has been unanswered for too long, and which.
    pub fn miss(&mut self, now: Instant) -> Option<u64> {
        self.next_miss().filter(|miss| now >= *miss)?;
        self.told = self.overdue()?.0;
        Some(self.told)
    }

    /// Takes the pong that answers a ping; `false` when that one is not unanswered. It answers all
    /// earlier pings too (RFC 6455 section 5.5.3).
    pub fn pong(&mut self, number: u64, now: Instant) -> bool {
        let Some((oldest, sent)) = self.unanswered.front().copied() else {
            return false;
        };
        if !(oldest..=self.last).contains(&number) {
            return false;
        }
        let late = now.saturating_duration_since(sent) >= self.timeout.mul_f64(SUSPECT);
        if self.disorder.grudge && late {
            self.grudge.get_or_insert((oldest, sent));
        }
        self.unanswered.retain(|(sent, _)| *sent > number);
        true
    }

    fn overdue(&self) -> Option<(u64, Instant)> {
        self.grudge.or(self.unanswered.front().copied())
    }

    fn current_interval(&self) -> Duration {
        let early = self.disorder.early.unwrap_or_default();
        let base = self.interval.saturating_sub(early).max(SHORTEST.min(self.interval));
        let drift = self.disorder.drift.unwrap_or_default().min(FOREVER);
        base.saturating_add(drift.saturating_mul(self.drifted.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sent(beat: &mut Heartbeat, count: usize) -> Vec<Instant> {
        let mut next = || {
            let due = beat.next_ping().unwrap();
            beat.ping(due, false).unwrap();
            due
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn pings_on_time_and_misses_after_the_timeout() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(10 * SECOND, 10 * SECOND, start);
        assert_eq!(beat.ping(start + 9 * SECOND, false), None);
        assert_eq!(beat.ping(start + 10 * SECOND, false), Some(1));
        assert!(beat.pong(1, start + 11 * SECOND));
        assert_eq!(beat.deadline(), None);
        assert_eq!(beat.ping(start + 20 * SECOND, false), Some(2));
        assert_eq!(beat.deadline(), Some(start + 30 * SECOND));
        beat.sent(2, start + 21 * SECOND);
        assert_eq!(beat.miss(start + 30 * SECOND), None);
        assert_eq!(beat.miss(start + 31 * SECOND), Some(2));
        assert_eq!(beat.miss(start + 32 * SECOND), None);
    }

    #[test]
    fn a_late_ping_does_not_put_off_the_next() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(10 * SECOND, 10 * SECOND, start);
        beat.ping(start + 14 * SECOND, false).unwrap();
        assert_eq!(beat.next_ping(), Some(start + 20 * SECOND));
        beat.ping(start + 35 * SECOND, false).unwrap();
        assert_eq!(beat.next_ping(), Some(start + 45 * SECOND));
    }

    #[test]
    fn a_pong_answers_earlier_pings_and_strangers_answer_none() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(SECOND, 10 * SECOND, start);
        let times = sent(&mut beat, 3);
        for stranger in [0, 9] {
            assert!(!beat.pong(stranger, start));
        }
        assert!(beat.pong(2, times[2]));
        assert!(!beat.pong(1, times[2]));
        assert_eq!(beat.waiting_since(), Some(times[2]));
    }

    #[test]
    fn the_oldest_unanswered_ping_is_kept_whatever_follows() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(SECOND, 10 * SECOND, start);
        let times = sent(&mut beat, 1000);
        assert_eq!(beat.waiting_since(), Some(times[0]));
        assert_eq!(beat.unanswered.len(), KEPT);
        let due = beat.next_ping().unwrap();
        assert_eq!(beat.ping(due, true), None);
        assert!(beat.next_ping().unwrap() > due);
        assert!(beat.pong(500, times[999]));
        assert!(beat.pong(1000, times[999]));
        assert_eq!(beat.waiting_since(), None);
    }

    #[test]
    fn intervals_drift_or_are_short_only_while_the_fault_is_on() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(10 * SECOND, 10 * SECOND, start);
        beat.follow(Disorder { drift: Some(SECOND), ..Disorder::default() }, start);
        let times = sent(&mut beat, 3);
        assert_eq!(times, [11, 23, 36].map(|second| start + second * SECOND));
        beat.follow(Disorder { early: Some(SECOND), ..Disorder::default() }, start);
        assert_eq!(beat.next_ping(), Some(times[2] + 9 * SECOND));
        beat.follow(Disorder { early: Some(99 * SECOND), ..Disorder::default() }, start);
        assert_eq!(beat.next_ping(), Some(times[2] + SHORTEST));
        beat.follow(Disorder::default(), start);
        assert_eq!(beat.next_ping(), Some(times[2] + 10 * SECOND));
    }

    #[test]
    fn without_pings_nobody_is_missed() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(SECOND, SECOND, start);
        sent(&mut beat, 1);
        beat.follow(Disorder { missing: true, ..Disorder::default() }, start + SECOND);
        assert_eq!((beat.next_ping(), beat.deadline()), (None, None));
        beat.follow(Disorder::default(), start + 60 * SECOND);
        assert_eq!(beat.next_ping(), Some(start + 61 * SECOND));
    }

    #[test]
    fn a_grudge_is_borne_for_late_pongs_while_the_fault_is_on() {
        let start = Instant::now();
        let grudge = Disorder { grudge: true, ..Disorder::default() };
        let mut beat = Heartbeat::new(10 * SECOND, 10 * SECOND, start);
        beat.follow(grudge, start);
        beat.ping(start + 10 * SECOND, false).unwrap();
        beat.pong(1, start + 13 * SECOND);
        assert_eq!(beat.deadline(), None);
        beat.ping(start + 20 * SECOND, false).unwrap();
        beat.pong(2, start + 24 * SECOND);
        assert_eq!(beat.deadline(), Some(start + 30 * SECOND));
        beat.follow(Disorder::default(), start);
        assert_eq!(beat.deadline(), None);
    }

    #[test]
    fn nothing_overflows() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(Duration::MAX, Duration::MAX, start);
        let worst =
            Disorder { drift: Some(Duration::MAX), early: Some(Duration::MAX), ..Disorder::default() };
        beat.follow(worst, start);
        let due = beat.next_ping().unwrap();
        beat.ping(due, false).unwrap();
        assert!(beat.deadline().unwrap() > due && beat.next_ping().unwrap() > due);
    }
}
