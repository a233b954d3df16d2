//! Texts with placeholders.

use std::borrow::Cow;

use serde_json::Value;

use super::names::{Meant, NONCE, Scope};

/// A text with placeholders: `${name}`; `$${` stands for `${`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Vec<Piece>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// As it stands.
    Literal(String),
    /// The value of this name.
    Name(String),
}

/// A placeholder without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has `${{` without `}}`; write `$${{` for the two characters themselves")]
pub struct Unclosed;

impl Text {
    /// Reads a template.
    ///
    /// # Errors
    /// When a placeholder does not end.
    pub fn parse(template: &str) -> Result<Self, Unclosed> {
        let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), template);
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = after;
                continue;
            }
            let end = after.find('}').ok_or(Unclosed)?;
            literal.push_str(before);
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Name(after[..end].to_owned()));
            rest = &after[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The names of its placeholders.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// Whether there is more to it than placeholders.
    pub fn has_literal(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Literal(_)))
    }

    /// The text, if it has no placeholders.
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The name, if it is one placeholder and nothing else.
    pub fn whole(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// With its values; what is unset is empty.
    pub fn fill(&self, scope: Scope<'_>) -> String {
        self.fill_with(scope, |value| value)
    }

    /// With its values, each of them changed first.
    pub fn fill_with(&self, scope: Scope<'_>, change: impl Fn(Cow<'_, str>) -> Cow<'_, str>) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => filled.push_str(text),
                Piece::Name(name) => {
                    if let Meant::Value(value) = scope.get(name) {
                        filled.push_str(&change(as_text(value)));
                    }
                }
            }
        }
        filled
    }

    /// Whether a text is this one.
    pub fn matches(&self, text: &str, scope: Scope<'_>) -> bool {
        glob(&self.runs(scope), text)
    }

    /// Whether a text begins with this one.
    pub fn begins(&self, text: &str, scope: Scope<'_>) -> bool {
        let mut runs = self.runs(scope);
        runs.push(Run::Anything);
        glob(&runs, text)
    }

    /// What follows this at a text's beginning. An open nonce is a run of digits; another open value reaches
    /// as far as the next literal, or where none is left, to where JSON begins.
    pub fn strip<'t>(&self, text: &'t str, scope: Scope<'_>) -> Option<&'t str> {
        let mut rest = text;
        for (index, piece) in self.0.iter().enumerate() {
            let name = match piece {
                Piece::Literal(literal) => {
                    rest = rest.strip_prefix(literal.as_str())?;
                    continue;
                }
                Piece::Name(name) => name,
            };
            rest = match scope.get(name) {
                Meant::Value(value) => rest.strip_prefix(&*as_text(value))?,
                Meant::Unset => rest,
                Meant::Anything if name == NONCE => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
                Meant::Anything => match self.0.get(index + 1) {
                    Some(Piece::Literal(next)) => &rest[rest.find(next.as_str())?..],
                    _ => &rest[rest.find(['{', '[', '"']).unwrap_or(rest.len())..],
                },
            };
        }
        Some(rest)
    }

    /// Its pieces with their values, neighbours put together.
    fn runs<'a>(&'a self, scope: Scope<'a>) -> Vec<Run<'a>> {
        let mut runs: Vec<Run<'a>> = Vec::with_capacity(self.0.len() + 1);
        for piece in &self.0 {
            let known = match piece {
                Piece::Literal(text) => Cow::Borrowed(text.as_str()),
                Piece::Name(name) => match scope.get(name) {
                    Meant::Value(value) => as_text(value),
                    Meant::Unset => continue,
                    Meant::Anything => {
                        runs.push(Run::Anything);
                        continue;
                    }
                },
            };
            match runs.last_mut() {
                Some(Run::Known(text)) => text.to_mut().push_str(&known),
                _ => runs.push(Run::Known(known)),
            }
        }
        runs
    }
}

/// A part of a text that is compared.
enum Run<'a> {
    Known(Cow<'a, str>),
    Anything,
}

/// Leftmost matches are enough: no later match of a part can help those behind it.
fn glob(runs: &[Run<'_>], text: &str) -> bool {
    let (mut rest, mut floating) = (text, false);
    for (index, run) in runs.iter().enumerate() {
        match run {
            Run::Anything => floating = true,
            Run::Known(known) if floating && index + 1 == runs.len() => return rest.ends_with(&**known),
            Run::Known(known) => {
                let at = if floating { rest.find(&**known) } else { rest.starts_with(&**known).then_some(0) };
                let Some(at) = at else { return false };
                rest = &rest[at + known.len()..];
                floating = false;
            }
        }
    }
    floating || rest.is_empty()
}

/// A value inside a text: texts as they are, all else as JSON.
pub fn as_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Variables;

    fn text(template: &str) -> Text {
        Text::parse(template).expect("a template")
    }

    #[test]
    fn placeholders_are_filled_and_dollars_can_be_written() {
        let variables = Variables::new().with("a", "x").with("n", 7);
        let fill = |template: &str| text(template).fill(Scope::of(&variables));
        assert_eq!(fill("${a}-${n}${a}"), "x-7x");
        assert_eq!(fill("$${a} costs $5 $$ ${unset}."), "${a} costs $5 $$ .");
        assert_eq!(fill("$$${a}"), "$${a}");
        assert_eq!(Text::parse("x ${a"), Err(Unclosed));
        assert_eq!(text("${a}").whole(), Some("a"));
        assert_eq!(text("a ${a}").whole(), None);
        assert_eq!(text("$${a}").fixed(), Some("${a}"));
    }

    #[test]
    fn open_values_match_any_text_between_what_is_known() {
        let variables = Variables::new().with("a", "x");
        let scope = Scope::of(&variables);
        let matches = |template: &str, candidate: &str| text(template).matches(candidate, scope);
        assert!(matches("1${any}${a}2", "1axb1x2"));
        assert!(!matches("1${any}${a}2", "1axb12"));
        assert!(matches("${any}", ""));
        assert!(matches("a${any}b${any}", "a--b"));
        assert!(!matches("ab${any}ab", "ab"));
        assert!(!matches("a", "ab"));
        assert!(text("a").begins("ab", scope) && !text("b").begins("ab", scope));
        assert!(!matches("n${nonce}", "n5"), "an unset value is empty");
        assert!(text("n${nonce}").matches("n5", scope.shape()));
    }

    #[test]
    fn a_prefix_with_open_values_ends_where_json_may_begin() {
        let variables = Variables::new();
        let strip = |template: &str, candidate: &str| {
            text(template).strip(candidate, Scope::of(&variables).shape()).map(str::to_owned)
        };
        assert_eq!(strip("43${nonce}", "43100[1]").as_deref(), Some("[1]"));
        assert_eq!(strip("MSG ${channel} ", "MSG a {}").as_deref(), Some("{}"));
        assert_eq!(strip("MSG ${channel}", "MSG a {}").as_deref(), Some("{}"));
        assert_eq!(strip("MSG ${channel} ", "MSG"), None);
    }
}
