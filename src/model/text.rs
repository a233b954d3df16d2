//! Text for people: what is ours, and what may come from anywhere.

use std::fmt::Display;

/// `1 run`, `2 runs`.
pub fn count<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// The character, or the replacement character where a terminal, a browser or a reader would obey it instead of showing
/// it: control characters, those that turn the direction of text (Unicode, UAX #9), and those that are not seen.
pub fn harmless(c: char) -> char {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let unseen = matches!(c, '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{feff}')
        || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}');
    if c.is_control() || turns || unseen { char::REPLACEMENT_CHARACTER } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0_u64, 1, 2].map(|number| count(number, "job")), ["0 jobs", "1 job", "2 jobs"]);
    }
}
