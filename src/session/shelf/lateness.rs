//! How late the agent was of late, as a held connection felt it. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// For how long, at least, lateness is remembered: what a gateway does may come long after what caused it.
pub const REMEMBERED: Duration = Duration::from_secs(60);

/// The worst lateness of the current minute, and of the one before.
#[derive(Debug, Clone, Copy)]
pub struct Lateness {
    since: Instant,
    now: Duration,
    before: Duration,
}

impl Lateness {
    /// None so far.
    pub fn new(now: Instant) -> Self {
        Self { since: now, now: Duration::ZERO, before: Duration::ZERO }
    }

    /// What was due at a time was woken at another.
    pub fn woken(&mut self, due: Instant, at: Instant) {
        self.turn(at);
        self.now = self.now.max(at.saturating_duration_since(due));
    }

    /// The worst of the last minute or two.
    pub fn worst(&mut self, at: Instant) -> Duration {
        self.turn(at);
        self.now.max(self.before)
    }

    fn turn(&mut self, at: Instant) {
        let passed = at.saturating_duration_since(self.since);
        if passed >= REMEMBERED {
            self.before = if passed < 2 * REMEMBERED { self.now } else { Duration::ZERO };
            self.now = Duration::ZERO;
            self.since = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lateness_is_remembered_for_a_while() {
        let began = Instant::now();
        let mut lateness = Lateness::new(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        lateness.woken(at(10), at(13));
        assert_eq!(lateness.worst(at(13)), Duration::from_secs(3));
        assert_eq!(lateness.worst(at(73)), Duration::from_secs(3), "a minute later");
        assert_eq!(lateness.worst(at(140)), Duration::ZERO);
        lateness.woken(at(150), at(155));
        assert_eq!(lateness.worst(at(500)), Duration::ZERO, "nothing was watched in between");
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_is_seen_however_long_it_was() {
        let began = Instant::now();
        let mut lateness = Lateness::new(began);
        let after = began + Duration::from_secs(600);
        lateness.woken(began + Duration::from_secs(1), after);
        assert_eq!(lateness.worst(after), Duration::from_secs(599));
    }
}
