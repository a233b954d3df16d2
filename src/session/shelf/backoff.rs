//! How long a held connection waits before it comes back. Pure.

use std::time::Duration;

/// One that lived so long is no sign of a gateway that throws us out again and again.
pub(super) const STABLE: Duration = Duration::from_secs(60);
/// The wait after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait after refusals: a gateway that is back must be seen to be so in good time.
const LONGEST_REFUSED: Duration = Duration::from_secs(15);
/// The longest wait after short lives: who lets us in and throws us out each time is left alone.
const LONGEST_THROWN_OUT: Duration = Duration::from_secs(120);
/// The longest wait before the first try, so that many connections do not come back as one.
const SPREAD: Duration = Duration::from_millis(100);

/// What happened to the last tries.
#[derive(Debug, Default, Clone, Copy)]
pub struct Backoff {
    refused: u32,
    short: u32,
}

impl Backoff {
    /// A try was refused.
    pub fn refused(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// A connection ended after so long.
    pub fn ended(&mut self, age: Duration) {
        self.refused = 0;
        self.short = if age < STABLE { self.short.saturating_add(1) } else { 0 };
    }

    /// How long to wait now; `random` is uniform from 0 to 1.
    pub fn wait(&self, random: f64) -> Duration {
        let doubled = |times: u32, longest: Duration| match times {
            0 => Duration::ZERO,
            times => FIRST.saturating_mul(1 << (times - 1).min(16)).min(longest),
        };
        // The first short life may be one of two restarts in a row.
        let short = doubled(self.short.saturating_sub(1), LONGEST_THROWN_OUT);
        let wait = doubled(self.refused, LONGEST_REFUSED).max(short);
        let random = random.clamp(0.0, 1.0);
        if wait.is_zero() { SPREAD.mul_f64(random) } else { wait.mul_f64(0.5 + random / 2.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: Backoff) -> [u128; 2] {
        [0.0, 1.0].map(|random| backoff.wait(random).as_millis())
    }

    #[test]
    fn it_comes_back_at_once_and_then_ever_more_slowly() {
        let mut backoff = Backoff::default();
        backoff.ended(STABLE);
        assert_eq!(waits(backoff), [0, 100]);
        let mut longest = Vec::new();
        for _ in 0..7 {
            backoff.refused();
            longest.push(backoff.wait(1.0).as_millis());
        }
        assert_eq!(longest, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
        assert_eq!(waits(backoff), [7_500, 15_000]);
        for _ in 0..100 {
            backoff.refused();
        }
        assert_eq!(waits(backoff), [7_500, 15_000]);
    }

    #[test]
    fn a_gateway_that_lets_in_and_throws_out_is_left_alone_for_longer_and_longer() {
        let mut backoff = Backoff::default();
        let mut spent = Duration::ZERO;
        let mut lives = 0;
        while spent < Duration::from_secs(3_600) {
            backoff.ended(Duration::ZERO);
            spent += backoff.wait(0.0);
            lives += 1;
        }
        assert!((60..=70).contains(&lives), "{lives} in an hour");
        backoff.ended(STABLE);
        assert_eq!(waits(backoff), [0, 100]);
    }
}
