//! How many runs of a job failed over the last months, by the hour: what an error budget is counted against.

use std::collections::VecDeque;

use jiff::Timestamp;

const HOUR: i64 = 3_600;
/// As long as the longest period of an objective, 90 days, and the hour at hand.
const HOURS: usize = 90 * 24 + 1;

/// Failed runs by the hour; hours without any take no room.
#[derive(Debug, Default, Clone)]
pub(super) struct Failures(VecDeque<(i64, u32)>);

impl Failures {
    /// Counts a failed run that began at a moment.
    pub(super) fn count(&mut self, at: Timestamp) {
        let hour = at.as_second().div_euclid(HOUR);
        match self.0.iter_mut().rev().find(|(of, _)| *of == hour) {
            Some((_, failed)) => *failed = failed.saturating_add(1),
            None => self.0.push_back((hour, 1)),
        }
        while self.0.len() > HOURS {
            self.0.pop_front();
        }
    }

    /// Those since a moment, from the beginning of its hour on.
    pub(super) fn since(&self, moment: Timestamp) -> u64 {
        let hour = moment.as_second().div_euclid(HOUR);
        self.0.iter().filter(|(of, _)| *of >= hour).map(|(_, failed)| u64::from(*failed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn failures_are_counted_by_the_hour_and_bounded() {
        let mut failures = Failures::default();
        for second in [0, 10, 3_599, 3_600, 7_200, 7_201] {
            failures.count(at(second));
        }
        assert_eq!(
            [0, 3_600, 7_200, 7_300, 10_800].map(|second| failures.since(at(second))),
            [6, 3, 2, 2, 0]
        );
        (0..5_000).for_each(|hour| failures.count(at(hour * HOUR)));
        assert!(failures.0.len() <= HOURS, "{}", failures.0.len());
    }
}
