//! When a job runs: a phase of its own within the interval, the same after every restart, and a little
//! jitter at each tick. Pure: the caller has the clock.

use std::time::Duration;

use sha1::{Digest, Sha1};

/// The jitter's share of the interval, and its upper bound: enough not to march in step with cron jobs,
/// little enough that a rate over a few intervals stays what it should be.
const JITTER_SHARE: u32 = 20;
const JITTER_MAX: Duration = Duration::from_secs(2);

/// The times at which one job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    interval: Duration,
    phase: Duration,
}

impl Cadence {
    /// The cadence of a job on a replica. Jobs spread over the interval, and so do the replicas of one job.
    pub fn new(interval: Duration, target: &str, check: &str, replica: &str) -> Self {
        let mut hash = Sha1::new();
        for part in [target, check, replica] {
            hash.update(part.as_bytes());
            // A byte that no UTF-8 has keeps ("ab", "c") apart from ("a", "bc").
            hash.update([0xff]);
        }
        let digest = hash.finalize();
        let seed = digest.iter().take(8).fold(0_u64, |seed, byte| seed << 8 | u64::from(*byte));
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { interval, phase: Duration::from_nanos(seed % nanos) }
    }

    /// The time between two ticks.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The first tick after `now`, both counted from 1970, without jitter.
    pub fn next(&self, now: Duration) -> Duration {
        let interval = self.interval.as_nanos().max(1);
        let since = now.as_nanos().checked_sub(self.phase.as_nanos());
        let ticks = since.map_or(0, |since| since / interval + 1);
        let nanos = self.phase.as_nanos() + ticks * interval;
        Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32)
    }

    /// Ticks that passed from just after `tick` up to `now`.
    pub fn missed(&self, tick: Duration, now: Duration) -> u64 {
        let late = now.saturating_sub(tick).as_nanos() / self.interval.as_nanos().max(1);
        u64::try_from(late).unwrap_or(u64::MAX)
    }

    /// A tick's jitter; `random` is uniform from 0 to 1.
    pub fn jitter(&self, random: f64) -> Duration {
        (self.interval / JITTER_SHARE).min(JITTER_MAX).mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[test]
    fn a_restart_does_not_change_when_a_job_is_due() {
        let before = Cadence::new(INTERVAL, "chat", "handshake", "pod-0");
        let after = Cadence::new(INTERVAL, "chat", "handshake", "pod-0");
        let now = Duration::from_millis(1_700_000_000_123);
        assert_eq!(before.next(now), after.next(now));
        assert_ne!(before, Cadence::new(INTERVAL, "chat", "handshake", "pod-1"));
    }

    #[test]
    fn a_thousand_jobs_do_not_stampede() {
        let mut buckets = [0_u32; 30];
        for i in 0..1_000 {
            let cadence = Cadence::new(INTERVAL, &format!("target-{i}"), "handshake", "");
            buckets[usize::try_from(cadence.phase.as_secs()).expect("small")] += 1;
        }
        // 33 a second on average; the standard deviation is below 6.
        assert!(buckets.iter().all(|n| (10..=65).contains(n)), "{buckets:?}");
    }

    proptest! {
        #[test]
        fn the_next_tick_is_after_now_and_at_most_one_interval_away(
            now in 0_u64..4_000_000_000_000, interval in 1_000_u64..86_400_000, name in "[a-z]{1,8}",
        ) {
            let (now, interval) = (Duration::from_millis(now), Duration::from_millis(interval));
            let cadence = Cadence::new(interval, &name, "handshake", "");
            let next = cadence.next(now);
            prop_assert!(next > now || now < cadence.phase);
            prop_assert!(next <= now + interval);
            prop_assert_eq!(cadence.next(next), next + interval);
            prop_assert_eq!(cadence.missed(next, next + interval * 3 + interval / 2), 3);
            prop_assert!(cadence.jitter(1.0) <= interval / 20);
        }
    }
}
