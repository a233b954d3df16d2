//! What is taken out of the gateway's messages.

use serde_json::Value;

use super::Variables;

/// Variables by where their values stand: JSON Pointers (RFC 6901).
#[derive(Debug, Clone, Default)]
pub struct Capture(Vec<(String, String)>);

impl Capture {
    /// Names with their pointers.
    pub fn new(pointers: Vec<(String, String)>) -> Self {
        Self(pointers)
    }

    /// Whether it takes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names that it gives values to.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// All values, or the name of the first that is not there.
    pub fn all(&self, json: &Value) -> Result<Variables, &str> {
        let mut variables = Variables::new();
        for (name, pointer) in &self.0 {
            variables.set(name, json.pointer(pointer).ok_or(name.as_str())?.clone());
        }
        Ok(variables)
    }

    /// The values that are there.
    pub fn some(&self, json: &Value) -> Variables {
        let mut variables = Variables::new();
        for (name, pointer) in &self.0 {
            if let Some(value) = json.pointer(pointer) {
                variables.set(name, value.clone());
            }
        }
        variables
    }
}

/// Whether a text is a JSON Pointer.
pub fn is_pointer(text: &str) -> bool {
    let escapes_end = |step: &str| {
        let mut rest = step.chars();
        while let Some(c) = rest.next() {
            if c == '~' && !matches!(rest.next(), Some('0' | '1')) {
                return false;
            }
        }
        true
    };
    (text.is_empty() || text.starts_with('/')) && escapes_end(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn captures_follow_pointers() {
        let capture = Capture::new(vec![("a".into(), "/x/0".into()), ("b".into(), "/y~1z".into())]);
        let both = json!({"x": [7], "y/z": {"deep": true}});
        let variables = capture.all(&both).expect("both are there");
        assert_eq!(variables.get("a"), Some(&json!(7)));
        assert_eq!(variables.get("b"), Some(&json!({"deep": true})));
        assert_eq!(capture.all(&json!({"x": [7]})), Err("b"));
        assert_eq!(capture.some(&json!({"x": [7]})).names().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn pointers_are_those_of_rfc_6901() {
        for good in ["", "/", "/a/0", "/a~1b~0"] {
            assert!(is_pointer(good), "{good}");
        }
        for bad in ["a", "a/b", "/~", "/~2", "$.a"] {
            assert!(!is_pointer(bad), "{bad}");
        }
    }
}
