//! Exact tests of counts: is the share of failed runs higher in one arm?
//!
//! R. A. Fisher, *The Design of Experiments* (1935), II. Given all margins of the 2x2 table, the failures of one arm
//! are hypergeometric. Over several tables (checks) the sum of those failures is the convolution of their
//! distributions: the exact form of Cochran's and Mantel's and Haenszel's test (A. Agresti, *Categorical Data Analysis*,
//! 3rd ed., 7.3.5).

/// Passes and fails of two arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Table {
    /// Failed runs of the arm in question.
    pub failed: usize,
    /// All its runs.
    pub runs: usize,
    /// Failed runs of the other arm.
    pub other_failed: usize,
    /// All the other's runs.
    pub other_runs: usize,
}

/// Equal probabilities may differ by rounding: what is this close counts as equal, relatively.
const EQUAL: f64 = 1e-11;

impl Table {
    /// The probability of as many failures in the arm in question, or more, if the arms are alike.
    pub fn greater(&self) -> f64 {
        greater(&[*self])
    }

    /// The probability of a table that is no more likely than this one.
    pub fn two_sided(&self) -> f64 {
        let distribution = self.distribution();
        let Some(seen) = distribution.mass.get(self.failed - distribution.least) else { return 1.0 };
        let limit = seen * (1.0 + EQUAL);
        distribution.mass.iter().filter(|p| **p <= limit).sum::<f64>().min(1.0)
    }

    /// The same with the arms exchanged.
    #[must_use]
    pub fn turned(&self) -> Self {
        Self {
            failed: self.other_failed,
            runs: self.other_runs,
            other_failed: self.failed,
            other_runs: self.runs,
        }
    }

    /// The hypergeometric distribution of `failed`, given the margins.
    fn distribution(&self) -> Distribution {
        let failures = self.failed + self.other_failed;
        let least = failures.saturating_sub(self.other_runs);
        let most = failures.min(self.runs);
        let (runs, other_runs) = (self.runs as f64, self.other_runs as f64);
        // Each from the one before, as the ratio of binomial coefficients; scaled when the greatest is known, so that
        // nothing overflows.
        let mut logs = vec![0.0_f64];
        for x in least..most {
            let (k, x) = (failures as f64, x as f64);
            let ratio = (runs - x) * (k - x) / ((x + 1.0) * (other_runs - k + x + 1.0));
            logs.push(logs[logs.len() - 1] + ratio.ln());
        }
        let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut mass: Vec<f64> = logs.iter().map(|log| (log - greatest).exp()).collect();
        let total: f64 = mass.iter().sum();
        mass.iter_mut().for_each(|p| *p /= total);
        Distribution { least, mass }
    }
}

/// The probability of as many failures in the arm in question over all tables, or more, if the arms are alike within
/// each table. For one table this is Fisher's one-sided test.
pub fn greater(tables: &[Table]) -> f64 {
    let failed: usize = tables.iter().map(|t| t.failed).sum();
    let sum = sum_of(tables);
    sum.mass.iter().skip(failed.saturating_sub(sum.least)).sum::<f64>().min(1.0)
}

/// The least [`greater`] that any split of the same failures over the arms could have: a test that can't reach its
/// level needs no share of it.
pub fn least_greater(tables: &[Table]) -> f64 {
    sum_of(tables).mass.last().copied().unwrap_or(1.0)
}

/// The probabilities of `least`, `least + 1`, and so on.
struct Distribution {
    least: usize,
    mass: Vec<f64>,
}

fn sum_of(tables: &[Table]) -> Distribution {
    let start = Distribution { least: 0, mass: vec![1.0] };
    tables.iter().map(Table::distribution).fold(start, |sum, next| {
        let mut mass = vec![0.0; sum.mass.len() + next.mass.len() - 1];
        for (i, p) in sum.mass.iter().enumerate() {
            for (j, q) in next.mass.iter().enumerate() {
                mass[i + j] += p * q;
            }
        }
        Distribution { least: sum.least + next.least, mass }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(failed: usize, runs: usize, other_failed: usize, other_runs: usize) -> Table {
        Table { failed, runs, other_failed, other_runs }
    }

    #[test]
    fn the_lady_tastes_tea() {
        // Fisher's own: 3 of 4 right gives 17/70, all right 1/70.
        assert!((table(3, 4, 1, 4).greater() - 17.0 / 70.0).abs() < 1e-15);
        assert!((table(4, 4, 0, 4).greater() - 1.0 / 70.0).abs() < 1e-15);
        assert!((table(4, 4, 0, 4).two_sided() - 2.0 / 70.0).abs() < 1e-15);
    }

    #[test]
    fn nothing_that_failed_says_nothing() {
        assert_eq!(table(0, 30, 0, 30).greater(), 1.0);
        assert_eq!(table(30, 30, 30, 30).two_sided(), 1.0);
        assert_eq!(table(0, 0, 0, 0).greater(), 1.0);
        assert_eq!(least_greater(&[table(0, 30, 0, 30)]), 1.0);
        assert_eq!(greater(&[]), 1.0);
    }

    #[test]
    fn tables_add_up() {
        let one = table(3, 10, 0, 10);
        let none = table(0, 500, 0, 500);
        assert_eq!(greater(&[one, none]), one.greater());
        assert!(greater(&[one, one]) < one.greater());
        // Two tables by hand: (1 of 1, 0 of 1) twice, each 1/2.
        let coin = table(1, 1, 0, 1);
        assert!((greater(&[coin, coin]) - 0.25).abs() < 1e-15);
        assert!((least_greater(&[coin, coin]) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn large_tables_do_not_overflow() {
        let p = table(2_600, 5_000, 2_500, 5_000).greater();
        assert!((0.0..0.05).contains(&p), "{p}");
    }
}
