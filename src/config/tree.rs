//! A YAML text as a JSON value, with the place of each key and value.

use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::Marker;
use serde_json::{Map, Value};

use super::files::MAX_BYTES;
use super::node::{Kind, Node, Parsed, parse_nodes};
use super::place::{Mark, Path, Place};
use super::problem::Problem;

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
            let parsed = parse_nodes(text.strip_prefix('\u{feff}').unwrap_or(text), &place);
            Tree::of(parsed, at(1, 1))
        }
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            Tree::broken(at(line, 1), "the file is not UTF-8 text".into())
        }
    }
}

/// Parses a short text that stands at one place: the value of a variable. `None` if it is not YAML.
pub fn parse_value(text: &str, place: &Place) -> Option<Value> {
    let Parsed { root, problems, broken } = parse_nodes(text, &|_| place.clone());
    let node = root.filter(|_| !broken && problems.is_empty())?;
    Some(lay_out(node, place, Path::root(), &mut Marks::new()))
}

impl Tree {
    fn of(parsed: Parsed, start: Place) -> Self {
        let Parsed { root, mut problems, broken } = parsed;
        let mut marks = Marks::new();
        let empty = Node { place: start.clone(), kind: Kind::Mapping(Vec::new()), size: 1, depth: 1 };
        let root = match root {
            Some(root @ Node { kind: Kind::Mapping(_), .. }) => root,
            None | Some(Node { kind: Kind::Empty, .. }) => empty,
            Some(other) => {
                let message = "the file must be a mapping: `field: value` lines";
                problems.push(Problem::new(other.place, Path::root(), message));
                empty
            }
        };
        let value = lay_out(root, &start, Path::root(), &mut marks);
        Self { value, marks, problems, broken }
    }

    /// What stands below a key of it, with the places where it stands.
    pub fn below(self, key: &str) -> Self {
        let Self { mut value, marks, mut problems, broken } = self;
        let (from, root) = (Path::root().key(key), Path::root());
        let value = value.as_object_mut().and_then(|all| all.remove(key)).unwrap_or_default();
        let value = if value.is_object() {
            value
        } else if !broken {
            let mark = marks.get(&from).or_else(|| marks.get(&root));
            let place = mark.map_or(Place::Missing, |mark| mark.value.clone());
            let message = format!("there must be a mapping with the config here, below the key {key:?}");
            problems.push(Problem::new(place, root.clone(), message));
            Value::Object(Map::new())
        } else {
            Value::Object(Map::new())
        };
        let inside = |(path, mark): (Path, Mark)| Some((path.moved(&from, &root)?, mark));
        let marks: Marks = marks.into_iter().filter_map(inside).collect();
        Self { value, marks, problems, broken }
    }

    fn broken(place: Place, message: String) -> Self {
        let problems = vec![Problem::new(place, Path::root(), message)];
        Self { value: Value::Object(Map::new()), marks: Marks::new(), problems, broken: true }
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
        assert_eq!(messages("- a\n"), ["f.yaml:1:1: the file must be a mapping: `field: value` lines"]);
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
