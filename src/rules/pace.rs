//! Lengths of time in rules: `%1h%` in an expression becomes `1h`, or `1m` where all goes 60 times as fast. `%/speed%`
//! divides a value in the same way. In a description it is `@1h@`: there Prometheus has a meaning for the percent sign.

use crate::model::Span;

/// An expression with its lengths of time written out, divided by the speed.
pub(super) fn expression(text: &str, speed: u32) -> String {
    written_out(text, '%', speed)
}

/// The same of a description.
pub(super) fn description(text: &str, speed: u32) -> String {
    written_out(text, '@', speed)
}

fn written_out(text: &str, sign: char, speed: u32) -> String {
    let parts = text.split(sign).enumerate();
    // What stands between two signs has an odd number.
    let length = |(index, part): (usize, &str)| match part {
        "/speed" if index % 2 == 1 => {
            if speed == 1 {
                String::new()
            } else {
                format!(" / {speed}")
            }
        }
        part if index % 2 == 1 => span(part, speed),
        part => part.to_owned(),
    };
    parts.map(length).collect()
}

/// A length of time divided by the speed, to the millisecond, which is as fine as PromQL goes.
pub(super) fn span(text: &str, speed: u32) -> String {
    // The texts are those of this module's rules; a test parses each.
    let seconds = text.parse::<Span>().unwrap_or_default().as_secs_f64() / f64::from(speed.max(1));
    let milliseconds = (seconds * 1_000.0).round().max(1.0) as u64;
    // PromQL knows no decimals in a length of time.
    match milliseconds % 1_000 {
        0 => Span::millis(milliseconds).to_string(),
        _ => format!("{milliseconds}ms"),
    }
}

/// Without the first and last line break, and without the indentation of the source.
pub(super) fn unindented(text: &str) -> String {
    let lines = || text.lines().skip_while(|line| line.trim().is_empty());
    let indent = |line: &str| line.len() - line.trim_start().len();
    let least = lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or_default();
    let lines: Vec<&str> = lines().map(|line| line.get(least..).unwrap_or_default().trim_end()).collect();
    lines.join("\n").trim_end().to_owned()
}
