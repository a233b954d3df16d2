//! A YAML text as nodes with places.
//!
//! Built from the parser's events, not by its loader: so a repeated key is found, an alias can't blow up
//! memory, nesting can't overflow the stack, and one bad key does not hide the next.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::Value;

use super::place::{Path, Place};
use super::problem::Problem;
use super::words::quoted;

/// Most keys and values, with what aliases stand for.
pub const MAX_NODES: usize = 200_000;
/// Longest key, in bytes.
pub const MAX_KEY: usize = 256;
/// Deepest nesting, with what aliases stand for.
pub const MAX_DEPTH: usize = 24;

/// Parses a text; `place` makes places of the parser's marks.
pub fn parse_nodes(text: &str, place: &dyn Fn(&Marker) -> Place) -> Parsed {
    Builder::new(place).run(text)
}

/// What a text turned out to be.
pub struct Parsed {
    /// The outermost node, unless the text is empty or broken.
    pub root: Option<Node>,
    /// What is wrong with the text.
    pub problems: Vec<Problem>,
    /// The text broke off at a mistake.
    pub broken: bool,
}

/// A finished node, with places.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
    /// This and all below.
    pub size: usize,
    /// Levels, with this one.
    pub depth: usize,
}

#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing, not even `null`.
    Empty,
    /// `null`, a flag, a number or a text.
    Scalar(Value),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with their places, and values.
    Mapping(Vec<(String, Place, Node)>),
}

/// A node that is still open.
struct Frame {
    place: Place,
    anchor: usize,
    size: usize,
    depth: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(String, Place, Node)>, seen: HashSet<String>, key: Key },
}

/// What the next node in a mapping is.
enum Key {
    /// A key.
    Awaited,
    /// The value of this key.
    Read(String, Place),
    /// The value of a bad key, which was reported.
    Refused,
}

struct Builder<'a> {
    place: &'a dyn Fn(&Marker) -> Place,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

/// The text can't be read on.
struct Fatal;

impl<'a> Builder<'a> {
    fn new(place: &'a dyn Fn(&Marker) -> Place) -> Self {
        Self { place, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None, problems: Vec::new() }
    }

    fn run(mut self, text: &str) -> Parsed {
        let mut documents = 0;
        let mut broken = false;
        for event in Parser::new_from_str(text) {
            let step = match event {
                Ok((Event::DocumentStart(_), span)) => {
                    documents += 1;
                    if documents > 1 {
                        self.report((self.place)(&span.start), "a second document (`---`); write one a file");
                        break;
                    }
                    Ok(())
                }
                Ok((event, span)) => self.take(event, (self.place)(&span.start)),
                Err(error) => {
                    self.report((self.place)(error.marker()), format!("not YAML: {}", error.info()));
                    Err(Fatal)
                }
            };
            if step.is_err() {
                broken = true;
                break;
            }
        }
        Parsed { root: self.root, problems: self.problems, broken }
    }

    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Fatal> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = self.scalar(text, style, tag.as_ref(), &place);
                self.complete(Node { place, kind, size: 1, depth: 1 }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_ref(), &place);
                self.open(place, anchor, Content::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_ref(), &place);
                let content =
                    Content::Mapping { entries: Vec::new(), seen: HashSet::new(), key: Key::Awaited };
                self.open(place, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(frame) => {
                    let Frame { place, anchor, size, depth, content } = frame;
                    let kind = match content {
                        Content::Sequence(items) => Kind::Sequence(items),
                        Content::Mapping { entries, .. } => Kind::Mapping(entries),
                    };
                    self.complete(Node { place, kind, size, depth }, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.complete(node, 0),
                None => {
                    self.report(place.clone(), "an alias inside the node that it refers to");
                    self.complete(Node { place, kind: Kind::Empty, size: 1, depth: 1 }, 0)
                }
            },
            _ => Ok(()),
        }
    }

    fn open(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), Fatal> {
        self.check_depth(&place, 1)?;
        self.stack.push(Frame { place, anchor, size: 1, depth: 1, content });
        Ok(())
    }

    fn check_depth(&mut self, place: &Place, levels: usize) -> Result<(), Fatal> {
        if self.stack.len() + levels <= MAX_DEPTH {
            return Ok(());
        }
        self.report(place.clone(), format!("nested more than {MAX_DEPTH} levels deep"));
        Err(Fatal)
    }

    /// Puts a finished node into the one that is open.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        self.nodes += node.size;
        if self.nodes > MAX_NODES {
            self.report(node.place, format!("more than {MAX_NODES} keys and values, aliases written out"));
            return Err(Fatal);
        }
        self.check_depth(&node.place, node.depth)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size += node.size;
        frame.depth = frame.depth.max(node.depth + 1);
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, seen, key } => match std::mem::replace(key, Key::Awaited) {
                Key::Read(name, place) => entries.push((name, place, node)),
                Key::Refused => {}
                Key::Awaited => {
                    let (next, complaint) = read_key(&node, seen);
                    *key = next;
                    if let Some(message) = complaint {
                        self.report(node.place, message);
                    }
                }
            },
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Cow<'_, Tag>>,
        place: &Place,
    ) -> Kind {
        if style == ScalarStyle::Plain && tag.is_none() && text.is_empty() {
            return Kind::Empty;
        }
        let known = tag.is_none_or(|tag| tag.is_yaml_core_schema());
        match Scalar::parse_from_cow_and_metadata(text.clone(), style, tag) {
            Some(scalar) if known => Kind::Scalar(json(scalar, &text)),
            _ => {
                self.report(
                    place.clone(),
                    "a tag (`!...`) that this config does not know, or that does not fit",
                );
                Kind::Empty
            }
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Cow<'_, Tag>>, place: &Place) {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            self.report(place.clone(), "a tag (`!...`) that this config does not know");
        }
    }

    fn report(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem::new(place, Path::root(), message));
    }
}

/// Takes a node as the key of a mapping. Names no key in its complaint that might be a misplaced secret.
fn read_key(node: &Node, seen: &mut HashSet<String>) -> (Key, Option<String>) {
    match &node.kind {
        Kind::Scalar(Value::String(name)) if name == "<<" => (
            Key::Refused,
            Some("merge keys (`<<`) are not known; put what targets share into `defaults`".into()),
        ),
        Kind::Scalar(Value::String(name)) if name.len() > MAX_KEY => {
            (Key::Refused, Some(format!("a key of more than {MAX_KEY} bytes")))
        }
        Kind::Scalar(Value::String(name)) if seen.insert(name.clone()) => {
            (Key::Read(name.clone(), node.place.clone()), None)
        }
        Kind::Scalar(Value::String(name)) => {
            (Key::Refused, Some(format!("the key {} stands here twice; remove one", quoted(name))))
        }
        Kind::Scalar(other) => {
            (Key::Refused, Some(format!("the key {other} is not a text; put it in quotes")))
        }
        _ => (Key::Refused, Some("a key must be a text".into())),
    }
}

fn json(scalar: Scalar<'_>, text: &str) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(flag) => flag.into(),
        Scalar::Integer(number) => number.into(),
        // JSON knows no infinity; the text then fails wherever a number is wanted.
        Scalar::FloatingPoint(number) => {
            serde_json::Number::from_f64(number.0).map_or_else(|| text.into(), Value::Number)
        }
        Scalar::String(text) => text.into_owned().into(),
    }
}
