//! Whether connections take longer and longer. Pure.

use std::time::Duration;

use super::config::Drift;

/// Connect times that can be compared, at least.
const LEAST: usize = 8;
/// The normal score that chance alone passes once in 2,000 times (one-sided): a run has two loads at most, so that
/// fewer than one in 1,000 runs show a trend where there is none.
const SIGNIFICANT: f64 = 3.2905;

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
    /// How sure it is that they rise at all: the normal score of the Mann-Kendall test.
    pub score: f64,
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
            score: score(&seconds),
        })
    }

    /// The trend of a run that comes right after another one, held against the first times of that: what has grown
    /// slow goes on from where it was.
    #[must_use]
    pub fn since(self, first: Option<Duration>) -> Self {
        let Some(first) = first.filter(|first| *first < self.first) else { return self };
        Self { first, ratio: self.last.as_secs_f64() / first.as_secs_f64().max(1e-6), ..self }
    }

    /// Whether all bounds are passed: the ratio alone would accuse a fast gateway of a hiccup, the rise alone a slow
    /// one of its noise, and both together a jittery way of its chance.
    pub fn is_beyond(&self, drift: &Drift) -> bool {
        self.ratio > drift.ratio && self.rise > drift.least.as_secs_f64() && self.score > SIGNIFICANT
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

/// The normal score of the Mann-Kendall test for a trend (H. B. Mann 1945, M. G. Kendall 1975), with the corrections for
/// ties and continuity; positive where values rise, 0 where all are alike.
fn score(values: &[f64]) -> f64 {
    let pairs = values.iter().enumerate().flat_map(|(i, a)| values[i + 1..].iter().map(move |b| (a, b)));
    let rises: i64 = pairs.map(|(a, b)| i64::from(b > a) - i64::from(b < a)).sum();
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let weight = |n: usize| (n * n.saturating_sub(1) * (2 * n + 5)) as f64;
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|alike| weight(alike.len())).sum();
    let variance = (weight(values.len()) - ties) / 18.0;
    if rises == 0 || variance <= 0.0 {
        return 0.0;
    }
    (rises - rises.signum()) as f64 / variance.sqrt()
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
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

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

    #[test]
    fn the_score_is_that_of_mann_and_kendall() {
        let rising: Vec<f64> = (0..10).map(f64::from).collect();
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        // S = 45 of n = 10: 44 / sqrt(125).
        assert!((score(&rising) - 3.935_48).abs() < 1e-4, "{}", score(&rising));
        assert!((score(&falling) + 3.935_48).abs() < 1e-4);
        // Two ties of two and one of three: S = 23, and 22 / sqrt((8 * 7 * 21 - 2 * 18 - 66) / 18).
        let tied = [1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 4.0, 4.0];
        assert!((score(&tied) - 22.0 / 59.666_67_f64.sqrt()).abs() < 1e-4, "{}", score(&tied));
        assert!(score(&[5.0; 9]).abs() < 1e-9 && score(&[]).abs() < 1e-9);
        // The fewest that are a trend can still be sure.
        assert!(score(&rising[..LEAST]) > SIGNIFICANT);
    }

    /// A normal value, by the sum of uniform ones (Irwin-Hall).
    fn normal(random: &mut StdRng) -> f64 {
        (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
    }

    /// How many of so many runs are red.
    fn reds(runs: u32, count: u32, mut took: impl FnMut(u32, &mut StdRng) -> f64) -> u32 {
        let mut random = StdRng::seed_from_u64(7);
        let red = (0..runs).filter(|_| {
            let times: Vec<f64> = (0..count).map(|i| took(i, &mut random)).collect();
            beyond(trend(times), 2.0, 50)
        });
        u32::try_from(red.count()).expect("few")
    }

    #[test]
    fn jitter_alone_is_red_in_fewer_than_one_in_a_thousand_runs() {
        type Noise = fn(u32, &mut StdRng) -> f64;
        let ways: [(&str, Noise); 3] = [
            ("uniform", |_, random| random.random_range(20.0..200.0)),
            ("lognormal", |_, random| 100.0 * (0.7 * normal(random)).exp()),
            ("heavy", |_, random| 50.0 * normal(random).exp()),
        ];
        for (name, took) in ways {
            for count in [10, 20] {
                let red = reds(4_000, count, took);
                assert!(red < 4, "{name}, {count} times: {red} of 4,000");
            }
        }
    }

    #[test]
    fn a_drift_is_found_through_noise() {
        for count in [10, 20] {
            let rising = |i: u32, random: &mut StdRng| {
                20.0 + 200.0 * f64::from(i) / f64::from(count) + random.random_range(0.0..30.0)
            };
            assert_eq!(reds(500, count, rising), 500, "{count}");
        }
    }

    #[test]
    fn a_second_run_goes_on_from_where_the_first_was() {
        let rise = |from: f64| trend((0..10).map(|i| from + 12.0 * f64::from(i)));
        let (first, second) = (rise(12.0), rise(150.0));
        assert!(beyond(first, 2.0, 50) && !beyond(second, 2.0, 50));
        assert!(beyond(second.since(Some(first.first)), 2.0, 50));
        assert_eq!(first.since(None), first);
        assert_eq!(first.since(Some(second.first)), first, "a slower one before excuses nothing");
        let steady = trend((0..10).map(|i| 150.0 + f64::from(i % 3)));
        assert!(!beyond(steady.since(Some(first.first)), 2.0, 50), "it grows slower no more");
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
