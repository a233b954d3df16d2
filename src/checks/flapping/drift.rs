//! Whether connections take longer and longer. Pure.

use std::time::Duration;

use super::config::Drift;

/// Connect times that can be compared, at least.
const LEAST: usize = 8;

/// How the last of several times compare with the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The median of the first quarter.
    pub first: Duration,
    /// The median of the last quarter.
    pub last: Duration,
    /// `last` divided by `first`.
    pub ratio: f64,
    /// The rise from the first to the last, in seconds, by the robust slope; negative where they fall.
    pub rise: f64,
}

impl Trend {
    /// The trend of times in the order in which they were taken; none where there are too few.
    pub fn of(times: &[Duration]) -> Option<Self> {
        if times.len() < LEAST {
            return None;
        }
        let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        let quarter = seconds.len() / 4;
        let first = median(seconds[..quarter].to_vec());
        let last = median(seconds[seconds.len() - quarter..].to_vec());
        Some(Self {
            first: Duration::from_secs_f64(first),
            last: Duration::from_secs_f64(last),
            // A time of nothing does not come from a socket; a microsecond is less than any clock tells.
            ratio: last / first.max(1e-6),
            rise: slope(&seconds) * (seconds.len() - 1) as f64,
        })
    }

    /// Whether both bounds are passed: the ratio alone would accuse a fast gateway of a hiccup, the rise alone a slow
    /// one of its noise.
    pub fn is_beyond(&self, drift: &Drift) -> bool {
        self.ratio > drift.ratio && self.rise > drift.least.as_secs_f64()
    }
}

/// The median of the slopes between each two values (H. Theil 1950, P. K. Sen 1968): up to 29 % of the values may be
/// anything at all.
fn slope(values: &[f64]) -> f64 {
    let pairs = values
        .iter()
        .enumerate()
        .flat_map(|(i, a)| values.iter().enumerate().skip(i + 1).map(move |(j, b)| (b - a) / (j - i) as f64));
    median(pairs.collect())
}

/// The median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (_, None) => 0.0,
        (1, Some(value)) => *value,
        (_, Some(value)) => f64::midpoint(values[middle - 1], *value),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Span;

    fn trend(millis: impl IntoIterator<Item = f64>) -> Trend {
        let times: Vec<Duration> =
            millis.into_iter().map(|ms| Duration::from_secs_f64(ms / 1_000.0)).collect();
        Trend::of(&times).expect("enough")
    }

    fn beyond(trend: Trend, ratio: f64, least: u64) -> bool {
        trend.is_beyond(&Drift { ratio, least: Span::millis(least) })
    }

    #[test]
    fn a_steady_rise_has_its_slope_and_ratio() {
        let rising = trend((0..20).map(|i| 100.0 + 10.0 * f64::from(i)));
        assert!((rising.rise - 0.190).abs() < 1e-9, "{rising:?}");
        assert!((rising.ratio - 270.0 / 120.0).abs() < 1e-9, "{rising:?}");
        assert_eq!((rising.first.as_millis(), rising.last.as_millis()), (120, 270));
    }

    #[test]
    fn each_bound_counts() {
        let rising = trend((0..20).map(|i| 100.0 + 10.0 * f64::from(i)));
        for (ratio, least, red) in
            [(2.25 / 1.2, 190 * 10 / 12, true), (2.25 / 0.8, 10, false), (1.0, 190 * 10 / 8, false)]
        {
            assert_eq!(beyond(rising, ratio, least), red, "{ratio} {least}");
        }
    }

    #[test]
    fn outliers_are_no_trend() {
        let hiccups = trend((0..20).map(|i| if i % 5 == 4 { 900.0 } else { 10.0 }));
        assert!(!beyond(hiccups, 2.0, 50), "{hiccups:?}");
        let late_hiccups = trend((0..20).map(|i| if i >= 17 { 900.0 } else { 10.0 }));
        assert!(late_hiccups.ratio > 2.0 && !beyond(late_hiccups, 2.0, 50), "{late_hiccups:?}");
        let falling = trend((0..20).map(|i| 900.0 - 40.0 * f64::from(i)));
        assert!(falling.rise < 0.0 && !beyond(falling, 1.0, 1), "{falling:?}");
    }

    #[test]
    fn too_few_are_no_trend() {
        assert_eq!(Trend::of(&[Duration::from_secs(1); 7]), None);
        assert!(Trend::of(&[Duration::ZERO; 8]).is_some_and(|trend| trend.ratio == 0.0));
    }

    proptest! {
        #[test]
        fn a_shift_changes_no_slope_and_noise_no_verdict(
            noise in prop::collection::vec(0.0_f64..20.0, 8..60), shift in 0.0_f64..500.0,
        ) {
            let (plain, shifted) = (trend(noise.clone()), trend(noise.iter().map(|ms| ms + shift)));
            prop_assert!((plain.rise - shifted.rise).abs() < 1e-6);
            prop_assert!(!beyond(plain, 2.0, 50));
        }
    }
}
