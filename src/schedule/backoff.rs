//! How long a job stays away that was asked for patience: exponentially longer, in whole ticks. Pure.

use std::time::Duration;

/// Ticks that are left out in a row, at most.
const MOST_TICKS: u64 = 32;
/// And not longer than this.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What the end of a run means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Go on as planned.
    GoOn,
    /// Come back later.
    Patience,
}

/// Counts the ticks to leave out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Runs in a row that asked for patience.
    in_a_row: u32,
    left: u64,
}

impl Backoff {
    /// A run has ended; `random` is uniform from 0 to 1. Gives the ticks that will be left out: 1, 2, 4 and so on, up
    /// to 32 or an hour's worth, of which up to a half is let off, so that many jobs do not come back together.
    pub fn after(&mut self, wish: Wish, interval: Duration, random: f64) -> u64 {
        if wish == Wish::GoOn {
            *self = Self::default();
            return 0;
        }
        let an_hour = u64::try_from(LONGEST.as_nanos() / interval.as_nanos().max(1)).unwrap_or(u64::MAX);
        let most = MOST_TICKS.min(an_hour).max(1);
        let ticks = 1_u64.checked_shl(self.in_a_row).unwrap_or(most).min(most);
        let off = (random.clamp(0.0, 1.0) * (ticks / 2 + 1) as f64) as u64;
        self.in_a_row = self.in_a_row.saturating_add(1).min(MOST_TICKS.ilog2() + 1);
        self.left = ticks - off.min(ticks / 2);
        self.left
    }

    /// Whether this tick is to be left out.
    pub fn skips(&mut self) -> bool {
        let skips = self.left > 0;
        self.left = self.left.saturating_sub(1);
        skips
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticks(interval: u64, random: f64, runs: usize) -> Vec<u64> {
        let mut backoff = Backoff::default();
        (0..runs).map(|_| backoff.after(Wish::Patience, Duration::from_secs(interval), random)).collect()
    }

    #[test]
    fn each_wish_for_patience_doubles_it_up_to_32_ticks_or_an_hour() {
        assert_eq!(ticks(10, 0.0, 8), [1, 2, 4, 8, 16, 32, 32, 32]);
        assert_eq!(ticks(10, 1.0, 8), [1, 1, 2, 4, 8, 16, 16, 16]);
        assert_eq!(ticks(600, 0.0, 5), [1, 2, 4, 6, 6]);
        assert_eq!(ticks(86_400, 0.0, 3), [1, 1, 1], "one is left out all the same");
    }

    #[test]
    fn any_other_end_resets_it() {
        let (mut backoff, interval) = (Backoff::default(), Duration::from_secs(10));
        for _ in 0..3 {
            backoff.after(Wish::Patience, interval, 0.0);
        }
        assert!(backoff.skips());
        assert_eq!(backoff.after(Wish::GoOn, interval, 0.0), 0);
        assert!(!backoff.skips());
        assert_eq!(backoff.after(Wish::Patience, interval, 0.0), 1);
        assert_eq!([backoff.skips(), backoff.skips()], [true, false]);
    }

    proptest! {
        #[test]
        fn never_for_nothing_nor_for_ever(
            wishes in prop::collection::vec(any::<bool>(), 1..200), millis in 0_u64..200_000_000, random: f64,
        ) {
            let (mut backoff, interval) = (Backoff::default(), Duration::from_millis(millis));
            for patience in wishes {
                let wish = if patience { Wish::Patience } else { Wish::GoOn };
                let ticks = backoff.after(wish, interval, random);
                prop_assert_eq!(ticks > 0, patience);
                prop_assert!(ticks <= MOST_TICKS);
                prop_assert!(ticks <= 1 || interval * u32::try_from(ticks).expect("few") <= LONGEST);
            }
        }
    }
}
