//! A message of the gateway's while it is held against patterns: parsed once, not once a pattern.

use serde_json::Value;

use super::Message;

/// Most parsed parts that are kept. Patterns of one dialect take off one or two kinds of prefix.
const MOST_PARSED: usize = 4;

/// A message that was heard.
pub struct Heard<'m> {
    /// The message.
    pub message: &'m Message,
    /// What parts of its text are as JSON, by begin and end.
    parsed: Vec<((usize, usize), Option<Value>)>,
}

impl<'m> Heard<'m> {
    /// Nothing is parsed yet.
    pub fn new(message: &'m Message) -> Self {
        Self { message, parsed: Vec::new() }
    }

    /// The text of a text message.
    pub fn text(&self) -> Option<&'m str> {
        match self.message {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// A part of the text as JSON. The parser bounds the depth.
    pub fn json(&mut self, begin: usize, end: usize) -> Option<&Value> {
        let text = self.text()?;
        let at = match self.parsed.iter().position(|(range, _)| *range == (begin, end)) {
            Some(at) => at,
            None => {
                if self.parsed.len() == MOST_PARSED {
                    self.parsed.remove(0);
                }
                let value = serde_json::from_str(text.get(begin..end)?).ok();
                self.parsed.push(((begin, end), value));
                self.parsed.len() - 1
            }
        };
        self.parsed[at].1.as_ref()
    }
}
