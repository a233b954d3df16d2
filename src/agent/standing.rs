//! How each job stands with its schedule, for whoever looks; and the pauses that were asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::Instant;

use super::lock;
use crate::schedule::Turn;

/// Between two runs out of turn of one job, at least; its interval where that is shorter.
const APART: Duration = Duration::from_secs(10);

/// How a job stands with its schedule.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Whose turn it is.
    pub(super) turn: Turn,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    next: Option<SystemTime>,
    left_out: u64,
    asked: Option<Instant>,
}

impl Standing {
    /// The next tick comes at such a time.
    pub(super) fn due(&self, at: SystemTime) {
        lock(&self.times).next = Some(at);
    }

    /// When the next tick comes.
    pub(super) fn next(&self) -> Option<SystemTime> {
        lock(&self.times).next
    }

    /// So many ticks will be left out.
    pub(super) fn leave_out(&self, ticks: u64) {
        lock(&self.times).left_out = ticks;
    }

    /// One of them has been.
    pub(super) fn left_out_one(&self) {
        let mut times = lock(&self.times);
        times.left_out = times.left_out.saturating_sub(1);
    }

    /// Ticks to leave out yet.
    pub(super) fn left_out(&self) -> u64 {
        lock(&self.times).left_out
    }

    /// A run out of turn is asked for; if it is too soon, how long to wait.
    pub(super) fn ask(&self, interval: Duration) -> Result<(), Duration> {
        let (now, apart) = (Instant::now(), APART.min(interval));
        let mut times = lock(&self.times);
        let wait = times.asked.map_or(Duration::ZERO, |asked| (asked + apart).saturating_duration_since(now));
        if wait > Duration::ZERO {
            return Err(wait);
        }
        times.asked = Some(now);
        Ok(())
    }
}

/// The pauses that were asked for over the API, by target and check. In memory only: a restart forgets them.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<HashMap<(Arc<str>, &'static str), Timestamp>>);

impl Pauses {
    /// Pauses a job until a moment.
    pub(super) fn begin(&self, target: &Arc<str>, check: &'static str, until: Timestamp) {
        lock(&self.0).insert((Arc::clone(target), check), until);
    }

    /// Ends a pause.
    pub(super) fn end(&self, target: &Arc<str>, check: &'static str) {
        lock(&self.0).remove(&(Arc::clone(target), check));
    }

    /// Until when a job is paused, if it is.
    pub(super) fn until(&self, target: &Arc<str>, check: &'static str, now: Timestamp) -> Option<Timestamp> {
        lock(&self.0).get(&(Arc::clone(target), check)).copied().filter(|until| *until > now)
    }

    /// Forgets those that are over, and those of jobs that are gone.
    pub(super) fn retain(&self, now: Timestamp, keep: impl Fn(&str, &str) -> bool) {
        lock(&self.0).retain(|(target, check), until| *until > now && keep(target, check));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn runs_out_of_turn_are_some_time_apart() {
        let (standing, second) = (Standing::default(), Duration::from_secs(1));
        assert_eq!(standing.ask(60 * second), Ok(()));
        tokio::time::advance(4 * second).await;
        assert_eq!(standing.ask(60 * second), Err(6 * second));
        assert_eq!(standing.ask(2 * second), Ok(()), "a job that runs often may be asked as often");
        tokio::time::advance(10 * second).await;
        assert_eq!(standing.ask(60 * second), Ok(()));
    }

    #[test]
    fn a_pause_ends_by_itself() {
        let (pauses, chat): (_, Arc<str>) = (Pauses::default(), "chat".into());
        let at = |second| Timestamp::from_second(second).unwrap();
        pauses.begin(&chat, "zombie", at(100));
        assert_eq!(pauses.until(&chat, "zombie", at(99)), Some(at(100)));
        assert_eq!(pauses.until(&chat, "zombie", at(100)), None);
        assert_eq!(pauses.until(&chat, "handshake", at(99)), None);
        pauses.retain(at(99), |_, check| check != "zombie");
        assert_eq!(pauses.until(&chat, "zombie", at(99)), None);
    }
}
