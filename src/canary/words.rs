//! Numbers of a decision as people read them, the same in every output.

use super::Row;

/// A value with its unit, with three digits that count.
pub fn quantity(value: Option<f64>, unit: &str) -> String {
    match (value, unit) {
        (None, _) => "-".to_owned(),
        (Some(value), "seconds") if value.abs() < 1.0 => format!("{} ms", short(value * 1e3)),
        (Some(value), "seconds") => format!("{} s", short(value)),
        (Some(value), "ratio") => format!("{} %", short(value * 100.0)),
        (Some(value), "bytes") => format!("{value:.0} B"),
        (Some(value), unit) => format!("{} {unit}", short(value)),
    }
}

/// The shift with its sign and its interval.
pub fn shift(row: &Row) -> String {
    let Some(shift) = row.shift else { return "-".to_owned() };
    let signed = |value: f64| {
        let sign = if value >= 0.0 { "+" } else { "" };
        format!("{sign}{}", quantity(Some(value), &row.unit))
    };
    match row.interval {
        Some((low, high)) => format!("{} ({} to {})", signed(shift), signed(low), signed(high)),
        None => signed(shift),
    }
}

/// The metric without what all of ours begin with.
pub fn metric(row: &Row) -> &str {
    row.metric.strip_prefix("gateprobe_").unwrap_or(&row.metric)
}

/// Three digits that count, and no more than three behind the point: nobody reads nanoseconds.
fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 3) };
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_their_unit() {
        assert_eq!(quantity(Some(0.012_345), "seconds"), "12.3 ms");
        assert_eq!(quantity(Some(20.04), "seconds"), "20 s");
        assert_eq!(quantity(Some(0.1), "ratio"), "10 %");
        assert_eq!(quantity(Some(-0.000_25), "seconds"), "-0.25 ms");
        assert_eq!(quantity(Some(0.000_004_88), "seconds"), "0.005 ms");
        assert_eq!(quantity(None, "seconds"), "-");
    }
}
