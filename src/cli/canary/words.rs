//! Texts as all outputs show them.

/// A text in one line, without anything that a terminal or a reader would obey: it may hold what a gateway said.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| if is_harmful(c) { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}

/// Control characters, those that turn the direction of text (Unicode, UAX #9), and those that are not seen.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gateway_said_obeys_nothing() {
        assert_eq!(plain("a\x1b[31mb\nc\u{202e}d"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
    }
}
