//! Looking before the end without raising the rate of error.
//!
//! K. K. G. Lan, D. L. DeMets, "Discrete Sequential Boundaries for Clinical Trials", Biometrika 70 (1983): what may be
//! spent until a share `t` of the data is seen. This is their function that is like O'Brien and Fleming's boundaries:
//! next to nothing early, nearly all at the end. The level of a look is what it adds, by the union bound over looks:
//! a little less power than with the joint distribution of looks, but right for any test.

use super::normal;

/// How much of `alpha` may be spent by the time that a share `t` of the data is seen.
pub fn spent(alpha: f64, t: f64) -> f64 {
    if t <= 0.0 {
        return 0.0;
    }
    (2.0 * normal::survival(normal::inverse_survival(alpha / 2.0) / t.min(1.0).sqrt())).min(alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_early_and_all_at_the_end() {
        assert_eq!(spent(0.01, 0.0), 0.0);
        assert!((spent(0.01, 1.0) - 0.01).abs() < 1e-12);
        // 2 (1 - Phi(2.5758 / sqrt(1/2)))
        assert!((spent(0.01, 0.5) - 2.698e-4).abs() < 1e-6, "{}", spent(0.01, 0.5));
        assert!(spent(0.01, 1.0 / 3.0) < 1e-5);
        assert!(spent(0.01, 2.0) <= 0.01);
    }
}
