//! How large is a difference, whatever its unit?
//!
//! N. Cliff, "Dominance Statistics: Ordinal Analyses to Answer Ordinal Questions", Psychol. Bull. 114 (1993): the share
//! of pairs in which the first sample's value is greater, less the share in which it is less.

use super::mann_whitney::MannWhitney;

/// Cliff's delta, from -1 (all are less) to 1 (all are greater): 2U / nm - 1.
pub fn cliffs_delta(test: &MannWhitney) -> f64 {
    2.0 * common_language(test) - 1.0
}

/// The common-language effect size: the probability that a value of the first sample is greater than one of the other,
/// equal ones counted half (K. O. McGraw, S. P. Wong, Psychol. Bull. 111 (1992)): U / nm.
pub fn common_language(test: &MannWhitney) -> f64 {
    test.u / (test.n as f64 * test.other_n as f64)
}

#[cfg(test)]
mod tests {
    use super::super::mann_whitney::mann_whitney;
    use super::*;

    #[test]
    fn from_all_less_to_all_greater() {
        let delta = |a: &[f64], b: &[f64]| cliffs_delta(&mann_whitney(a, b).expect("data"));
        assert_eq!(delta(&[3.0, 4.0], &[1.0, 2.0]), 1.0);
        assert_eq!(delta(&[1.0, 2.0], &[3.0, 4.0]), -1.0);
        assert_eq!(delta(&[1.0, 1.0], &[1.0]), 0.0);
    }
}
