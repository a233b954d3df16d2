//! Texts as all outputs show them.

use crate::model::harmless;

/// A text in one line, without anything that a terminal or a reader would obey: it may hold what a gateway said.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gateway_said_obeys_nothing() {
        assert_eq!(plain("a\x1b[31mb\nc\u{202e}d"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
    }
}
