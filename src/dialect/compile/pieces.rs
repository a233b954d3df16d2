//! Messages, patterns, captures and intervals.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::SpecError;
use crate::dialect::capture::{Capture, is_pointer};
use crate::dialect::names::{ANY, Known, is_name, may_be_captured};
use crate::dialect::parts::Sending;
use crate::dialect::pattern::{Form, Pattern};
use crate::dialect::spec::{CaptureSpec, IntervalSpec, MessageSpec, PatternSpec};
use crate::dialect::template::{Template, escaped};
use crate::dialect::text::Text;

/// Collects mistakes, and which variables are sent.
#[derive(Default)]
pub struct Compiler {
    pub errors: Vec<SpecError>,
    pub sent: BTreeSet<String>,
}

impl Compiler {
    /// Notes a mistake.
    pub fn wrong(&mut self, pointer: &str, message: impl Into<String>) {
        self.errors.push(SpecError { pointer: pointer.to_owned(), message: message.into() });
    }

    /// A message of ours. Nothing comes out where something is wrong.
    pub fn message(&mut self, spec: &MessageSpec, at: &str, known: &Known) -> Option<Sending> {
        let MessageSpec { text, json, binary, prefix, suffix } = spec;
        let given = [("text", text.is_some()), ("json", json.is_some()), ("binary", binary.is_some())];
        self.exactly_one(at, &given)?;
        self.affixes(at, json.is_some(), prefix, suffix)?;
        let sending = if let Some(json) = json {
            let (prefix, json, suffix) = self.json(at, prefix, json, suffix)?;
            Sending::Json { prefix, json, suffix }
        } else if let Some(binary) = binary {
            Sending::Binary(self.bytes(&format!("{at}/binary"), binary)?)
        } else {
            Sending::Text(self.text(&format!("{at}/text"), text.as_deref()?)?)
        };
        self.known(at, sending.names(), known);
        self.sent.extend(sending.names().into_iter().map(|(_, name)| name));
        Some(sending)
    }

    /// A pattern.
    pub fn pattern(&mut self, spec: &PatternSpec, at: &str, known: &Known) -> Option<Pattern> {
        let PatternSpec { text, starts_with, json, binary, binary_starts_with, prefix, suffix } = spec;
        let given = [
            ("text", text.is_some()),
            ("starts_with", starts_with.is_some()),
            ("json", json.is_some()),
            ("binary", binary.is_some()),
            ("binary_starts_with", binary_starts_with.is_some()),
        ];
        self.exactly_one(at, &given)?;
        self.affixes(at, json.is_some(), prefix, suffix)?;
        let form = if let Some(json) = json {
            let (prefix, json, suffix) = self.json(at, prefix, json, suffix)?;
            Form::Json { prefix, json, suffix }
        } else if let Some(binary) = binary {
            Form::Binary(self.bytes(&format!("{at}/binary"), binary)?)
        } else if let Some(binary) = binary_starts_with {
            Form::BinaryBeginning(self.bytes(&format!("{at}/binary_starts_with"), binary)?)
        } else if let Some(text) = starts_with {
            Form::Beginning(self.text(&format!("{at}/starts_with"), text)?)
        } else {
            Form::Text(self.text(&format!("{at}/text"), text.as_deref()?)?)
        };
        self.known(at, form.names(), &known.and([ANY]));
        Some(Pattern::new(form))
    }

    /// A template of a text.
    pub fn text(&mut self, at: &str, template: &str) -> Option<Text> {
        let text = Text::parse(template);
        text.map_err(|error| self.wrong(at, error.to_string())).ok()
    }

    /// What is taken out of messages like the pattern; `extra` is a name that may be captured here beside the
    /// usual ones.
    pub fn capture(&mut self, spec: &CaptureSpec, at: &str, extra: Option<&str>) -> Capture {
        let mut pointers = Vec::new();
        for (name, pointer) in spec {
            let at = format!("{at}/{}", escaped(name));
            if !is_name(name) {
                self.wrong(&at, "can't be a name; write a lower-case letter, then letters, digits and _");
            } else if !may_be_captured(name) && extra != Some(name) {
                self.wrong(&at, format!("{name} is given by gateprobe; take another name"));
            }
            match is_pointer(pointer) {
                true => pointers.push((name.clone(), pointer.clone())),
                false => {
                    let message = format!("{pointer:?} is not a JSON Pointer (RFC 6901), such as /data/id");
                    self.wrong(&at, message);
                }
            }
        }
        Capture::new(pointers)
    }

    /// Only JSON has values that can be captured.
    pub fn capture_needs_json(&mut self, spec: &CaptureSpec, at: &str, patterns: &[&PatternSpec]) {
        if !spec.is_empty() && !patterns.iter().any(|pattern| pattern.json.is_some()) {
            self.wrong(at, "takes values out of JSON, and the pattern beside it is none");
        }
    }

    /// An interval, where there is one.
    pub fn interval(&mut self, spec: Option<&IntervalSpec>, at: &str, known: &Known) -> Option<IntervalSpec> {
        let spec = spec?;
        match spec {
            IntervalSpec::Fixed(span) if span.get().is_zero() => {
                self.wrong(at, "is no time at all; write more, such as 25s");
            }
            IntervalSpec::Captured { captured, .. } if !known.has(captured) => {
                let message = format!("no such variable here: {captured}; known: {}", known.list());
                self.wrong(&format!("{at}/captured"), message);
            }
            _ => {}
        }
        Some(spec.clone())
    }

    /// Each placeholder has to be known.
    pub fn known(&mut self, at: &str, names: Vec<(String, String)>, known: &Known) {
        for (pointer, name) in names {
            if !known.has(&name) {
                let message = format!("no such variable here: ${{{name}}}; known: {}", known.list());
                self.wrong(&format!("{at}{pointer}"), message);
            }
        }
    }

    /// Exactly one of several fields.
    pub fn exactly_one(&mut self, at: &str, fields: &[(&str, bool)]) -> Option<()> {
        let given: Vec<&str> = fields.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [_] => return Some(()),
            [] => {
                let all: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
                self.wrong(at, format!("needs one of {}", all.join(", ")));
            }
            several => self.wrong(at, format!("has {}; keep one", several.join(" and "))),
        }
        None
    }

    fn affixes(
        &mut self,
        at: &str,
        is_json: bool,
        prefix: &Option<String>,
        suffix: &Option<String>,
    ) -> Option<()> {
        let given = [("prefix", prefix), ("suffix", suffix)];
        let stray = given.iter().find(|(_, affix)| affix.is_some() && !is_json);
        if let Some((name, _)) = stray {
            self.wrong(&format!("{at}/{name}"), "goes with json only");
        }
        stray.is_none().then_some(())
    }

    fn json(
        &mut self,
        at: &str,
        prefix: &Option<String>,
        json: &Value,
        suffix: &Option<String>,
    ) -> Option<(Text, Template, String)> {
        let prefix = self.text(&format!("{at}/prefix"), prefix.as_deref().unwrap_or_default());
        let json = Template::parse(json, &format!("{at}/json"));
        let json = json.map_err(|error| self.wrong(&error.pointer, error.message)).ok();
        let suffix = self.text(&format!("{at}/suffix"), suffix.as_deref().unwrap_or_default());
        let fixed = suffix.as_ref().and_then(Text::fixed).map(str::to_owned);
        if suffix.is_some() && fixed.is_none() {
            self.wrong(&format!("{at}/suffix"), "can't have placeholders");
        }
        Some((prefix?, json?, fixed?))
    }

    fn bytes(&mut self, at: &str, base64: &str) -> Option<Bytes> {
        match STANDARD.decode(base64) {
            Ok(bytes) => Some(bytes.into()),
            Err(_) => {
                self.wrong(at, "is not Base64 (RFC 4648, section 4)");
                None
            }
        }
    }
}
