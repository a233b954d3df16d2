//! The trip wire of a well-behaved connection beside a check that mistreats a gateway. Pure.

use std::time::Duration;

/// Samples in a row beyond the limit that trip it.
const IN_A_ROW: u32 = 3;
/// How far beyond its usual time a round trip may be, whatever its factor: small baselines vary most.
const SLACK: Duration = Duration::from_millis(250);

/// Judges round-trip times against those of the time before the mistreatment began.
#[derive(Debug, Default, Clone)]
pub struct Bystander {
    baseline: Vec<Duration>,
    in_a_row: u32,
}

impl Bystander {
    /// Takes a sample from the time before.
    pub fn learn(&mut self, rtt: Duration) {
        let place = self.baseline.partition_point(|known| *known <= rtt);
        self.baseline.insert(place, rtt);
    }

    /// The larger of three times the baseline's p95 and its median + 250 ms; none without a baseline.
    pub fn limit(&self) -> Option<Duration> {
        let rank = |share: f64| (self.baseline.len() as f64 * share).ceil() as usize;
        let nearest = |share: f64| self.baseline.get(rank(share).saturating_sub(1)).copied();
        Some((nearest(0.95)? * 3).max(nearest(0.5)? + SLACK))
    }

    /// The slowest round trip of the time before; none without a baseline.
    pub fn slowest(&self) -> Option<Duration> {
        self.baseline.last().copied()
    }

    /// Whether the last sample was beyond the limit.
    pub fn is_slow(&self) -> bool {
        self.in_a_row > 0
    }

    /// Takes a sample, or the age of a ping that still waits; true when it is the third in a row beyond the
    /// limit.
    pub fn trips(&mut self, rtt: Duration) -> bool {
        let beyond = self.limit().is_some_and(|limit| rtt > limit);
        self.in_a_row = if beyond { self.in_a_row + 1 } else { 0 };
        self.in_a_row >= IN_A_ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn three_in_a_row_beyond_the_limit_trip_it() {
        let mut bystander = Bystander::default();
        assert!(!bystander.trips(ms(9_000)), "nothing to compare with");
        for rtt in [22, 20, 21, 25, 20] {
            bystander.learn(ms(rtt));
        }
        assert_eq!((bystander.limit(), bystander.slowest()), (Some(ms(271)), Some(ms(25))));
        let mut bystander = Bystander { in_a_row: 0, ..bystander };
        let trips: Vec<bool> =
            [325, 325, 216, 325, 325, 325].map(|rtt| bystander.trips(ms(rtt))).into_iter().collect();
        assert_eq!(trips, [false, false, false, false, false, true]);
    }

    #[test]
    fn a_slow_path_has_a_wide_limit() {
        let mut bystander = Bystander::default();
        for rtt in [200, 210, 220, 400, 205] {
            bystander.learn(ms(rtt));
        }
        assert_eq!(bystander.limit(), Some(ms(1_200)));
    }
}
