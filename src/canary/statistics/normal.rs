//! The standard normal distribution.

/// Beyond this, [`survival`] is 0 in 64 bits.
const FAR: f64 = 40.0;

/// The probability of more than `z`.
pub fn survival(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// The `z` that is exceeded with probability `p`, of (0, 1): halving until two neighbours are left.
pub fn inverse_survival(p: f64) -> f64 {
    let (mut low, mut high) = (-FAR, FAR);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if survival(middle) > p { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        for (p, z) in [(0.5, 0.0), (0.025, 1.959_963_984_540_054), (0.005, 2.575_829_303_548_901)] {
            assert!((inverse_survival(p) - z).abs() < 1e-14);
            assert!((survival(z) - p).abs() < 1e-15);
            assert!((inverse_survival(1.0 - p) + z).abs() < 1e-12);
        }
    }
}
