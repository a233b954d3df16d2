//! The gateway's own heartbeat: when to ping, and when a client counts as gone. No I/O, no clock.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// So many pings may be unanswered at once before no more are sent.
const OUTSTANDING_LIMIT: usize = 64;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Send the ping with this number.
    Ping(u64),
    /// The ping with this number has been unanswered for too long.
    Missed(u64),
}

/// The heartbeat of one connection.
#[derive(Debug)]
pub struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    next: Instant,
    last: u64,
    unanswered: VecDeque<(u64, Instant)>,
}

impl Heartbeat {
    /// A heartbeat whose first ping is due one interval after `now`.
    pub fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self { interval, timeout, next: now + interval, last: 0, unanswered: VecDeque::new() }
    }

    /// When [`Heartbeat::tick`] has something to say.
    pub fn due(&self) -> Instant {
        match self.unanswered.front() {
            Some((_, sent)) => self.next.min(*sent + self.timeout),
            None => self.next,
        }
    }

    /// What is due at `now`. A miss comes before a ping that is due at the same moment.
    pub fn tick(&mut self, now: Instant) -> Option<Beat> {
        if let Some((number, sent)) = self.unanswered.front()
            && now >= *sent + self.timeout
        {
            return Some(Beat::Missed(*number));
        }
        if now < self.next {
            return None;
        }
        self.next = now + self.interval;
        if self.unanswered.len() == OUTSTANDING_LIMIT {
            return None;
        }
        self.last += 1;
        self.unanswered.push_back((self.last, now));
        Some(Beat::Ping(self.last))
    }

    /// The payload of a ping.
    pub fn payload(number: u64) -> [u8; 8] {
        number.to_be_bytes()
    }

    /// Takes a pong; gives the number of the ping that it answers. It answers all earlier pings too
    /// (RFC 6455 section 5.5.3); one that answers none is ignored.
    pub fn pong(&mut self, payload: &[u8]) -> Option<u64> {
        let number = u64::from_be_bytes(payload.try_into().ok()?);
        let index = self.unanswered.iter().position(|(sent, _)| *sent == number)?;
        self.unanswered.drain(..=index);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pings_on_time_and_misses_after_the_timeout() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(10 * SECOND, 10 * SECOND, start);
        assert_eq!(beat.due(), start + 10 * SECOND);
        assert_eq!(beat.tick(start + 9 * SECOND), None);
        assert_eq!(beat.tick(start + 10 * SECOND), Some(Beat::Ping(1)));
        assert_eq!(beat.pong(&Heartbeat::payload(1)), Some(1));
        assert_eq!(beat.tick(start + 20 * SECOND), Some(Beat::Ping(2)));
        assert_eq!(beat.due(), start + 30 * SECOND);
        assert_eq!(beat.tick(start + 30 * SECOND), Some(Beat::Missed(2)));
    }

    #[test]
    fn a_pong_answers_earlier_pings_and_strangers_answer_none() {
        let start = Instant::now();
        let mut beat = Heartbeat::new(SECOND, 10 * SECOND, start);
        for number in 1..=3 {
            assert_eq!(beat.tick(start + SECOND * number), Some(Beat::Ping(number.into())));
        }
        assert_eq!(beat.pong(b"hello"), None);
        assert_eq!(beat.pong(&Heartbeat::payload(9)), None);
        assert_eq!(beat.pong(&Heartbeat::payload(2)), Some(2));
        assert_eq!(beat.pong(&Heartbeat::payload(1)), None);
        assert_eq!(beat.unanswered.len(), 1);
    }
}
