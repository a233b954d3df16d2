//! A YAML text as a JSON value, with the place of each key and value.
//!
//! Built from the parser's events, not by its loader: so a repeated key is found, an alias can't blow up
//! memory, nesting can't overflow the stack, and one bad key does not hide the next.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value};

use super::files::MAX_BYTES;
use super::place::{Mark, Path, Place};
use super::problem::Problem;

/// Most keys and values, with what aliases stand for.
pub const MAX_NODES: usize = 200_000;
/// Longest key, in bytes.
pub const MAX_KEY: usize = 256;
/// Deepest nesting, with what aliases stand for.
pub const MAX_DEPTH: usize = 24;

/// Places by path.
pub type Marks = BTreeMap<Path, Mark>;

/// A parsed text.
#[derive(Debug, Clone)]
pub struct Tree {
    /// A mapping.
    pub value: Value,
    /// Where each part of it stands.
    pub marks: Marks,
    /// What is wrong with the text.
    pub problems: Vec<Problem>,
    /// The text broke off at a mistake, so that nothing can be said about what follows.
    pub broken: bool,
}

/// Parses a file's text.
pub fn parse(file: &str, bytes: &[u8]) -> Tree {
    let file: Arc<str> = file.into();
    let at = |line, column| Place::File { file: file.clone(), line, column };
    if bytes.len() > MAX_BYTES {
        return Tree::broken(at(1, 1), format!("the file is larger than {} MiB", MAX_BYTES >> 20));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let place = |mark: &Marker| at(mark.line().max(1), mark.col() + 1);
            Builder::new(&place).run(text.strip_prefix('\u{feff}').unwrap_or(text))
        }
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            Tree::broken(at(line, 1), "the file is not UTF-8 text".into())
        }
    }
}

/// Parses a short text that stands at one place: the value of a variable. `None` if it is not YAML.
pub fn parse_value(text: &str, place: &Place) -> Option<Value> {
    let at = |_: &Marker| place.clone();
    let mut builder = Builder::new(&at);
    builder.any_root = true;
    let tree = builder.run(text);
    (!tree.broken && tree.problems.is_empty()).then_some(tree.value)
}

impl Tree {
    fn broken(place: Place, message: String) -> Self {
        let problems = vec![Problem::new(place, Path::root(), message)];
        Self { value: Value::Object(Map::new()), marks: Marks::new(), problems, broken: true }
    }
}

/// A finished node, with places.
#[derive(Debug, Clone)]
struct Node {
    place: Place,
    kind: Kind,
    /// This and all below.
    size: usize,
    /// Levels, with this one.
    depth: usize,
}

#[derive(Debug, Clone)]
enum Kind {
    Empty,
    Scalar(Value),
    Sequence(Vec<Node>),
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
    any_root: bool,
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
        Self {
            place,
            any_root: false,
            stack: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
            problems: Vec::new(),
        }
    }

    fn run(mut self, text: &str) -> Tree {
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
        self.finish(broken)
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

    fn finish(mut self, broken: bool) -> Tree {
        let start = (self.place)(&Marker::new(0, 1, 0));
        let root =
            self.root.take().unwrap_or(Node { place: start.clone(), kind: Kind::Empty, size: 1, depth: 1 });
        let root = match root.kind {
            Kind::Mapping(_) => root,
            _ if self.any_root => root,
            Kind::Empty => Node { kind: Kind::Mapping(Vec::new()), ..root },
            _ => {
                self.report(root.place.clone(), "a config is a mapping: `field: value` lines");
                Node { kind: Kind::Mapping(Vec::new()), ..root }
            }
        };
        let mut marks = Marks::new();
        let value = lay_out(root, &start, Path::root(), &mut marks);
        Tree { value, marks, problems: self.problems, broken }
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
            (Key::Refused, Some(format!("the key {name:?} stands here twice; remove one")))
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

/// Recurses at most `MAX_DEPTH` levels.
fn lay_out(node: Node, key: &Place, path: Path, marks: &mut Marks) -> Value {
    let empty = matches!(node.kind, Kind::Empty);
    let mark = Mark { key: key.clone(), value: node.place.clone(), layer: 0, empty };
    marks.insert(path.clone(), mark);
    match node.kind {
        Kind::Empty => Value::Null,
        Kind::Scalar(value) => value,
        Kind::Sequence(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let place = item.place.clone();
                lay_out(item, &place, path.index(index), marks)
            })
            .collect(),
        Kind::Mapping(entries) => {
            let field = |(name, place, node): (String, Place, Node)| {
                let value = lay_out(node, &place, path.key(&name), marks);
                (name, value)
            };
            Value::Object(entries.into_iter().map(field).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        parse("f.yaml", text.as_bytes()).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_key_and_value_has_a_place() {
        let tree = parse("f.yaml", b"a:\n  - b: 1\n    c: \"x\"\n  - [2]\nempty:\n");
        assert_eq!(tree.value, serde_json::json!({"a": [{"b": 1, "c": "x"}, [2]], "empty": null}));
        let mark = &tree.marks[&Path::of(&["a"]).index(0).key("c")];
        assert_eq!(
            (mark.key.to_string(), mark.value.to_string()),
            ("f.yaml:3:5".into(), "f.yaml:3:8".into())
        );
        assert_eq!(tree.marks[&Path::of(&["a"]).index(1).index(0)].value.to_string(), "f.yaml:4:6");
        assert!(tree.marks[&Path::of(&["empty"])].empty);
        assert!(tree.problems.is_empty());
    }

    #[test]
    fn all_bad_keys_are_found() {
        assert_eq!(
            messages("a: 1\na: 2\n5: x\n? [q]\n: x\n<<: {}\nb: !vault x\n"),
            [
                "f.yaml:2:1: the key \"a\" stands here twice; remove one",
                "f.yaml:3:1: the key 5 is not a text; put it in quotes",
                "f.yaml:4:3: a key must be a text",
                "f.yaml:6:1: merge keys (`<<`) are not known; put what targets share into `defaults`",
                "f.yaml:7:4: a tag (`!...`) that this config does not know, or that does not fit",
            ]
        );
    }

    #[test]
    fn a_text_that_is_no_single_mapping_is_refused() {
        assert_eq!(messages("- a\n"), ["f.yaml:1:1: a config is a mapping: `field: value` lines"]);
        assert_eq!(
            messages("a: 1\n---\nb: 1\n"),
            ["f.yaml:2:1: a second document (`---`); write one a file"]
        );
        assert!(parse("f.yaml", b"a: [").broken);
        assert!(parse("f.yaml", b"a: \xff").broken);
        assert!(messages("# nothing\n").is_empty());
    }

    #[test]
    fn aliases_and_nesting_are_bounded() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(9);
            bomb += &format!("a{level}: &a{level} [{below}]\n");
        }
        assert!(messages(&bomb)[0].ends_with("more than 200000 keys and values, aliases written out"));
        let mut chain = String::from("a0: &a0 [x]\n");
        for level in 1..40 {
            chain += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert!(messages(&chain)[0].ends_with("nested more than 24 levels deep"));
        assert!(messages(&format!("a: {}", "[".repeat(100)))[0].ends_with("nested more than 24 levels deep"));
        assert!(!messages("a: &a [*a]\n").is_empty());
        assert!(parse("f.yaml", &vec![b'a'; MAX_BYTES + 1]).broken);
    }
}
