//! By how much is one sample greater than another?
//!
//! The median of all differences between a value of one and a value of the other: J. L. Hodges, E. L. Lehmann,
//! "Estimates of Location Based on Rank Tests", Ann. Math. Statist. 34 (1963). The interval is Moses's, from the k-th
//! least to the k-th greatest difference: M. Hollander, D. A. Wolfe, E. Chicken, *Nonparametric Statistical Methods*,
//! 3rd ed., 4.3. k is the largest with P(U < k) <= (1 - confidence) / 2; where the distribution of U is not counted out,
//! k = floor(nm/2 - z sqrt(nm(n + m + 1)/12)).

use super::mann_whitney::{countable, counts};
use super::normal;

/// A shift between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The estimate: by how much the first sample is greater.
    pub estimate: f64,
    /// Its confidence interval; `None` where the samples are too small to have one.
    pub interval: Option<(f64, f64)>,
}

/// The shift of `sample` against `other`, of finite numbers; `None` if one is empty. `confidence` is in (0, 1).
pub fn shift(sample: &[f64], other: &[f64], confidence: f64) -> Option<Shift> {
    if sample.is_empty() || other.is_empty() {
        return None;
    }
    let differences = Differences::of(sample, other);
    let all = sample.len() * other.len();
    let estimate = f64::midpoint(differences.ranked(all.div_ceil(2)), differences.ranked(all / 2 + 1));
    let interval = rank(sample.len(), other.len(), confidence)
        .map(|k| (differences.ranked(k), differences.ranked(all + 1 - k)));
    Some(Shift { estimate, interval })
}

/// All differences between values of two samples, never written out: thousands of runs make millions.
struct Differences {
    sample: Vec<f64>,
    other: Vec<f64>,
}

impl Differences {
    fn of(sample: &[f64], other: &[f64]) -> Self {
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        Self { sample: sorted(sample), other: sorted(other) }
    }

    /// The k-th least, counted from 1: the least number that k differences do not exceed, by halving all numbers.
    fn ranked(&self, k: usize) -> f64 {
        let (mut low, mut high) = (ordered(f64::NEG_INFINITY), ordered(f64::INFINITY));
        while low < high {
            let middle = ((i128::from(low) + i128::from(high)) >> 1) as i64;
            if self.up_to(number(middle)) >= k { high = middle } else { low = middle + 1 }
        }
        number(low) + 0.0 // never -0
    }

    /// How many are `limit` at most. Of each value the others from some place on are near enough; the place only moves
    /// up.
    fn up_to(&self, limit: f64) -> usize {
        let (mut from, mut count) = (0, 0);
        for x in &self.sample {
            while from < self.other.len() && x - self.other[from] > limit {
                from += 1;
            }
            count += self.other.len() - from;
        }
        count
    }
}

/// Whole numbers in the order of the floating-point numbers they stand for (as `f64::total_cmp` does it).
fn ordered(number: f64) -> i64 {
    flipped(number.to_bits().cast_signed())
}

fn number(ordered: i64) -> f64 {
    f64::from_bits(flipped(ordered).cast_unsigned())
}

fn flipped(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// The median, by partly ordering the values; `None` of nothing.
pub fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let half = values.len() / 2;
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    if odd {
        return Some(upper);
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(f64::midpoint(lower, upper))
}

/// Which of the ordered differences, counted from 1, bounds the interval.
fn rank(n: usize, m: usize, confidence: f64) -> Option<usize> {
    let tail = (1.0 - confidence) / 2.0;
    if countable(n, m) {
        let counts = counts(n, m);
        let all = counts.iter().sum::<u128>() as f64;
        let mut below = 0_u128;
        let k = counts.iter().take_while(|count| {
            below += **count;
            below as f64 / all <= tail
        });
        return Some(k.count()).filter(|k| *k > 0);
    }
    let (n, m) = (n as f64, m as f64);
    let k = (n * m / 2.0 - normal::inverse_survival(tail) * (n * m * (n + m + 1.0) / 12.0).sqrt()).floor();
    (k >= 1.0).then_some(k as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_found_whatever_the_outlier() {
        let before: Vec<f64> = (0..20).map(f64::from).collect();
        let mut after: Vec<f64> = before.iter().map(|x| x + 5.0).collect();
        after[3] = 1e9;
        let shift = shift(&after, &before, 0.95).expect("data");
        assert!((shift.estimate - 5.5).abs() <= 0.5, "{shift:?}");
        let (low, high) = shift.interval.expect("enough data");
        assert!(low < 5.0 && 5.0 < high);
    }

    #[test]
    fn tiny_samples_have_no_interval() {
        assert_eq!(shift(&[2.0], &[1.0], 0.95), Some(Shift { estimate: 1.0, interval: None }));
        assert_eq!(shift(&[], &[1.0], 0.95), None);
        // 1 of 70 orders is more than 1 % and less than 2.5 %.
        let (a, b) = ([5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(shift(&a, &b, 0.95).expect("data").interval, Some((1.0, 7.0)));
        assert_eq!(shift(&a, &b, 0.98).expect("data").interval, None);
    }

    #[test]
    fn thousands_of_runs_take_no_table_of_millions() {
        let before: Vec<f64> = (0..20_000).map(f64::from).collect();
        let after: Vec<f64> = before.iter().map(|x| x - 3.0).collect();
        assert_eq!(shift(&after, &before, 0.95).expect("data").estimate, -3.0);
        assert_eq!(shift(&before, &before, 0.95).expect("data").estimate.to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }
}
