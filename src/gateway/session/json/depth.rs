//! How deep a JSON text is nested.

/// The most levels of arrays and objects that are read; it is also the most that the parser takes.
pub const DEPTH_LIMIT: usize = 127;

/// Whether a text is nested deeper than the limit, valid JSON or not.
pub fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn what_is_not_too_deep_can_be_parsed() {
        assert!(!is_too_deep(&nested(DEPTH_LIMIT)) && is_too_deep(&nested(DEPTH_LIMIT + 1)));
        assert!(serde_json::from_str::<Value>(&nested(DEPTH_LIMIT)).is_ok());
        assert!(serde_json::from_str::<Value>(&nested(DEPTH_LIMIT + 1)).is_err());
        assert!(is_too_deep(&"{\"a\":".repeat(DEPTH_LIMIT + 1)));
    }

    #[test]
    fn brackets_in_strings_and_beside_each_other_do_not_count() {
        assert!(!is_too_deep(&format!(r#"["{}"]"#, "[".repeat(500))));
        assert!(!is_too_deep(&format!(r#"["\"{}"]"#, "{".repeat(500))));
        assert!(!is_too_deep(&"[]".repeat(500)));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in r#"[\[\]{}"\\a]{0,300}"#) {
            let _ = is_too_deep(&text);
        }
    }
}
