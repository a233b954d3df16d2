//! Does one sample tend to be greater than another?
//!
//! H. B. Mann, D. R. Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger than the
//! Other", Ann. Math. Statist. 18 (1947). Normal approximation with corrections for ties and continuity: M. Hollander,
//! D. A. Wolfe, E. Chicken, *Nonparametric Statistical Methods*, 3rd ed., 4.1. Exact where one sample has at most
//! [`EXACT`] values and no two are equal, as SciPy's `method="auto"` does it.

use super::normal;

/// The largest smaller sample whose distribution is counted out.
pub const EXACT: usize = 8;

/// The largest other sample for it: the counts stay below 2^128.
const EXACT_OTHER: usize = 4096;

/// The test of two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the first sample's value is greater; equal ones count half.
    pub u: f64,
    /// Values of the first sample.
    pub n: usize,
    /// Values of the second.
    pub other_n: usize,
    /// Sum of t^3 - t over groups of t equal values.
    ties: f64,
}

/// Compares two samples of finite numbers; `None` if one is empty.
pub fn mann_whitney(sample: &[f64], other: &[f64]) -> Option<MannWhitney> {
    let (n, other_n) = (sample.len(), other.len());
    if n == 0 || other_n == 0 {
        return None;
    }
    let mut all: Vec<(f64, bool)> = sample.iter().map(|x| (*x, true)).collect();
    all.extend(other.iter().map(|x| (*x, false)));
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut ties, mut before) = (0.0, 0.0, 0_usize);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let t = group.len() as f64;
        let rank = before as f64 + (t + 1.0) / 2.0;
        rank_sum += rank * group.iter().filter(|(_, first)| *first).count() as f64;
        ties += t * t * t - t;
        before += group.len();
    }
    let n_f = n as f64;
    Some(MannWhitney { u: rank_sum - n_f * (n_f + 1.0) / 2.0, n, other_n, ties })
}

impl MannWhitney {
    /// One-sided p-value of "the first sample does not tend to be greater".
    pub fn greater(&self) -> f64 {
        self.p(self.u)
    }

    /// One-sided p-value of "the first sample does not tend to be less".
    pub fn less(&self) -> f64 {
        self.p(self.pairs() - self.u)
    }

    /// Two-sided p-value of "neither tends to be greater".
    pub fn two_sided(&self) -> f64 {
        (2.0 * self.p(self.u.max(self.pairs() - self.u))).min(1.0)
    }

    /// The least p-value that any order of these values could have: of (n + m)! / (n! m!) orders, one.
    pub fn least(&self) -> f64 {
        let few = self.n.min(self.other_n);
        let all = (self.n + self.other_n) as f64;
        (0..few).map(|i| (few - i) as f64 / (all - i as f64)).product()
    }

    fn pairs(&self) -> f64 {
        self.n as f64 * self.other_n as f64
    }

    fn p(&self, u: f64) -> f64 {
        if self.ties == 0.0 && countable(self.n, self.other_n) { self.exact(u) } else { self.asymptotic(u) }
    }

    /// The probability of `u` or more.
    fn exact(&self, u: f64) -> f64 {
        let counts = counts(self.n, self.other_n);
        // Without ties `u` is a whole number.
        let (below, above) = counts.split_at(u.round() as usize);
        let tail: u128 = above.iter().sum();
        tail as f64 / (tail + below.iter().sum::<u128>()) as f64
    }

    fn asymptotic(&self, u: f64) -> f64 {
        let all = (self.n + self.other_n) as f64;
        let variance = self.pairs() / 12.0 * ((all + 1.0) - self.ties / (all * (all - 1.0)));
        if variance <= 0.0 {
            return 1.0; // all values are equal
        }
        normal::survival((u - self.pairs() / 2.0 - 0.5) / variance.sqrt())
    }
}

/// Whether [`counts`] may be asked for samples of these sizes.
pub(super) fn countable(n: usize, m: usize) -> bool {
    n.min(m) <= EXACT && n.max(m) <= EXACT_OTHER
}

/// In how many of all orders U is 0, 1, ... nm: the coefficients of the Gaussian binomial (Mann and Whitney's
/// recursion in the form of a product of (1 - q^(m+i)) / (1 - q^i), i = 1 ... n).
pub(super) fn counts(n: usize, m: usize) -> Vec<u128> {
    let (few, many) = (n.min(m), n.max(m));
    let top = few * many;
    let mut counts = vec![0_u128; top + 1];
    counts[0] = 1;
    for i in 1..=few {
        // Up to here the degree is (i - 1) * many. First the division, which leaves a power series whose terms only
        // grow; the multiplication takes back what is too much.
        for u in i..=top {
            counts[u] += counts[u - i];
        }
        for u in (many + i..=top).rev() {
            counts[u] -= counts[u - many - i];
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_small_samples() {
        assert_eq!(counts(2, 2), [1, 1, 2, 1, 1]);
        assert_eq!(counts(1, 3), [1, 1, 1, 1]);
        assert_eq!(counts(3, 3), [1, 1, 2, 3, 3, 3, 3, 2, 1, 1]);
        assert_eq!(counts(8, 100).iter().sum::<u128>(), 352_025_629_371);
    }

    #[test]
    fn separated_samples_have_the_least_p() {
        let test = mann_whitney(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]).expect("data");
        assert_eq!(test.u, 9.0);
        assert!((test.greater() - 0.05).abs() < 1e-15);
        assert!((test.least() - 0.05).abs() < 1e-15);
        assert!((test.two_sided() - 0.1).abs() < 1e-15);
        assert_eq!(test.less(), 1.0);
    }

    #[test]
    fn constants_differ_in_nothing() {
        let test = mann_whitney(&[1.0; 20], &[1.0; 20]).expect("data");
        assert_eq!((test.greater(), test.less(), test.two_sided()), (1.0, 1.0, 1.0));
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[1.0], &[]), None);
    }
}
