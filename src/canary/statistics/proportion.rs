//! Intervals of shares.
//!
//! One share: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", J. Am. Stat. Assoc.
//! 22 (1927). A difference of two: R. G. Newcombe, "Interval Estimation for the Difference Between Independent
//! Proportions", Stat. Med. 17 (1998), method 10, which is made of Wilson's.

use super::normal;

/// Wilson's interval of a share of `hits` in `runs`; `None` without runs.
pub fn wilson(hits: usize, runs: usize, confidence: f64) -> Option<(f64, f64)> {
    if runs == 0 {
        return None;
    }
    let z = normal::inverse_survival((1.0 - confidence) / 2.0);
    let (n, p) = (runs as f64, hits as f64 / runs as f64);
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    let low = if hits == 0 { 0.0 } else { (centre - half) / scale };
    let high = if hits == runs { 1.0 } else { (centre + half) / scale };
    Some((low, high))
}

/// Newcombe's interval of the first share less the second; each is (hits, runs).
pub fn difference(one: (usize, usize), other: (usize, usize), confidence: f64) -> Option<(f64, f64)> {
    let (low, high) = wilson(one.0, one.1, confidence)?;
    let (other_low, other_high) = wilson(other.0, other.1, confidence)?;
    let (p, q) = (one.0 as f64 / one.1 as f64, other.0 as f64 / other.1 as f64);
    Some((p - q - (p - low).hypot(other_high - q), p - q + (high - p).hypot(q - other_low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcombe_gives_his_own_example() {
        // His table II, (a): 56/70 against 48/80, method 10.
        let (low, high) = difference((56, 70), (48, 80), 0.95).expect("data");
        assert!((low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5, "{low} {high}");
        assert_eq!(difference((0, 0), (1, 2), 0.95), None);
    }
}
