//! Many comparisons, one rate of error.
//!
//! S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6 (1979), and for tests of
//! counts R. E. Tarone, "A Modified Bonferroni Method for Discrete Data", Biometrics 46 (1990): a test that could not
//! reach its level even by its most extreme outcome needs no share of it. Stepping down with Tarone's bound keeps the
//! rate: J. J. Goeman, A. Solari, "The Sequential Rejection Principle of Familywise Error Control", Ann. Statist. 38
//! (2010). With continuous tests it is Holm's procedure.

/// A test's p-value, and the least one it could have had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The p-value.
    pub p: f64,
    /// The least it could have been, known without looking at which arm is which; 0 if there is no such bound.
    pub least: f64,
}

/// p-values made larger so that each may be held against the rate of error of all together (Holm).
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|a, b| ps[*a].total_cmp(&ps[*b]));
    let mut adjusted = vec![0.0; ps.len()];
    let mut most = 0.0_f64;
    for (step, at) in order.into_iter().enumerate() {
        most = most.max(ps[at] * (ps.len() - step) as f64).min(1.0);
        adjusted[at] = most;
    }
    adjusted
}

/// Which hypotheses are rejected so that the probability of any false one is at most `alpha`.
pub fn rejected(tests: &[Tested], alpha: f64) -> Vec<bool> {
    let mut rejected = vec![false; tests.len()];
    loop {
        let left = || tests.iter().zip(&rejected).filter(|(_, gone)| !**gone).map(|(test, _)| test.least);
        let level = level(left, alpha);
        let mut more = false;
        for (test, gone) in tests.iter().zip(&mut rejected) {
            if !*gone && test.p <= level {
                (*gone, more) = (true, true);
            }
        }
        if !more {
            return rejected;
        }
    }
}

/// Tarone's level of one test: alpha / K with the least K such that at most K tests can reach it.
pub fn level<I: Iterator<Item = f64>>(leasts: impl Fn() -> I, alpha: f64) -> f64 {
    let all = leasts().count().max(1);
    let k = (1..all).find(|k| leasts().filter(|least| *least <= alpha / *k as f64).count() <= *k);
    alpha / k.unwrap_or(all) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn continuous(ps: &[f64]) -> Vec<Tested> {
        ps.iter().map(|p| Tested { p: *p, least: 0.0 }).collect()
    }

    #[test]
    fn holm_steps_down() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(adjusted.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-15), "{adjusted:?}");
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }

    #[test]
    fn with_continuous_tests_it_is_holm() {
        for ps in
            [vec![0.01, 0.04, 0.03, 0.005], vec![0.2], vec![0.001, 0.02, 0.03], vec![0.012, 0.0251, 0.05]]
        {
            let by_holm: Vec<bool> = holm(&ps).iter().map(|p| *p <= 0.05).collect();
            assert_eq!(rejected(&continuous(&ps), 0.05), by_holm, "{ps:?}");
        }
    }

    #[test]
    fn hopeless_tests_take_no_share() {
        let mut tests = vec![Tested { p: 1.0, least: 1.0 }; 20];
        tests.push(Tested { p: 0.009, least: 0.001 });
        assert!(rejected(&tests, 0.01)[20]);
        tests.push(Tested { p: 0.5, least: 0.001 });
        assert!(!rejected(&tests, 0.01)[20], "now there are two");
    }

    #[test]
    fn nothing_to_test_rejects_nothing() {
        assert_eq!(rejected(&[], 0.01), Vec::<bool>::new());
    }
}
