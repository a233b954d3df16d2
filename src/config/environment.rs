//! `GATEPROBE__TARGETS__MY_GW__URL=...` as a layer: names matched to the schema and to what the files name,
//! values read as the schema wants them.

use std::collections::BTreeMap;

use config::{Environment, Source};
use serde_json::{Map, Value};

use super::layers::Layer;
use super::locate::{At, Locator};
use super::place::{Mark, Path, Place};
use super::problem::Problem;
use super::schema::{ConfigSchema, admits, fields};
use super::tree::{Marks, parse_value};
use super::words::{nearest, normal};

const PREFIX: &str = "GATEPROBE";
const SEPARATOR: &str = "__";

/// Reads the variables that begin with `GATEPROBE__`; an empty one counts as not set. `files` is what the
/// layers below say.
pub fn read(
    variables: impl Iterator<Item = (String, String)>,
    schema: &ConfigSchema,
    files: &Value,
) -> (Layer, Vec<Problem>) {
    let mut reader = Reader {
        schema,
        files,
        layer: Layer { name: "environment".into(), value: Value::Object(Map::new()), marks: Marks::new() },
        problems: Vec::new(),
    };
    let names = reader.names(variables);
    for (key, (name, value)) in collect(names) {
        reader.take(&key, &name, &value);
    }
    (reader.layer, reader.problems)
}

/// Whether a variable of this name is meant as a setting, known or not.
pub fn is_setting(name: &str) -> bool {
    name.to_lowercase().starts_with(&format!("{PREFIX}{SEPARATOR}").to_lowercase())
}

/// Whether a variable of this name is about a target or a module.
pub fn names_whom_to_watch(name: &str) -> bool {
    let name = name.to_lowercase();
    ["targets", "modules"]
        .iter()
        .any(|whom| name.starts_with(&format!("{PREFIX}{SEPARATOR}{whom}{SEPARATOR}").to_lowercase()))
}

/// Of what an entry lacks that only variables name: the entry of a file that is most likely meant, as variables spell it.
/// Who names a new one gives all of it.
pub fn meant(lacking: &Path, config: &Value, locator: Locator<'_>) -> Option<String> {
    let of_variables = |entry: &Path| matches!(locator.find_at(entry, At::Key).0, Place::Variable(_));
    let entry = lacking.parent().filter(of_variables)?;
    let (map, name) = (entry.parent()?, entry.last()?);
    if config.pointer(lacking.as_pointer()).is_some() || !matches!(map.as_pointer(), "/targets" | "/modules")
    {
        return None;
    }
    let names = config.pointer(map.as_pointer())?.as_object()?.keys().map(String::as_str);
    let meant = nearest(&name, names.filter(|other| !of_variables(&map.key(other))))?;
    Some(format!("did you mean {}?", normal(meant).to_uppercase()))
}

/// A variable's name and value, by its key in lower case.
type Variables = BTreeMap<String, (String, String)>;

/// Splits the names by the `config` crate's rules, and keeps the spelling of each for messages.
fn collect(variables: Variables) -> BTreeMap<String, (String, String)> {
    let source = variables.iter().map(|(key, (_, value))| (key.clone(), value.clone())).collect();
    let environment = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .keep_prefix(true)
        .ignore_empty(true)
        .source(Some(source));
    // A given map holds nothing but text, so that nothing in it can fail to be read.
    let keys = environment.collect().unwrap_or_default();
    let spelt: BTreeMap<String, (String, String)> =
        variables.into_iter().map(|(key, variable)| (key.replace(SEPARATOR, "."), variable)).collect();
    spelt.into_iter().filter(|(key, _)| keys.contains_key(key)).collect()
}

struct Reader<'a> {
    schema: &'a ConfigSchema,
    files: &'a Value,
    layer: Layer,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn names(&mut self, variables: impl Iterator<Item = (String, String)>) -> Variables {
        let prefix = format!("{PREFIX}{SEPARATOR}").to_lowercase();
        let mut found = Variables::new();
        for (name, value) in variables {
            let key = name.to_lowercase();
            if !key.starts_with(&prefix) {
                continue;
            }
            if let Some((other, _)) = found.get(&key) {
                let message = format!("is the same setting as {other}; unset one of them");
                self.report(&name, message);
                continue;
            }
            found.insert(key, (name, value));
        }
        found
    }

    fn take(&mut self, key: &str, name: &str, value: &str) {
        let segments: Vec<&str> = key.split('.').skip(1).collect();
        let mut path = Path::root();
        for (depth, segment) in segments.iter().enumerate() {
            match self.step(&path, segment) {
                Ok(next) => path = next,
                Err(nearest) => {
                    let message = no_such(&segments, depth, nearest.as_deref());
                    self.report(name, message);
                    return;
                }
            }
        }
        let Some(node) = self.schema.at(&path) else { return };
        let place = Place::Variable(name.into());
        let value = self.typed(node, value, &place);
        self.insert(&path, value, &place);
    }

    /// One step down from a path, or the nearest known name.
    fn step(&self, path: &Path, segment: &str) -> Result<Path, Option<String>> {
        let node = self.schema.at(path).ok_or(None)?;
        if let Some(field) = fields(node).find(|field| normal(field) == segment) {
            return Ok(path.key(field));
        }
        if node.get("additionalProperties").is_some_and(Value::is_object) && !segment.is_empty() {
            return Ok(path.key(&self.name_in(path, segment)));
        }
        Err(nearest(segment, fields(node)).map(normal))
    }

    /// The name in a map that a segment stands for: one that the files have, or else a new one.
    fn name_in(&self, path: &Path, segment: &str) -> String {
        let mut steps = path.steps();
        let target = match (steps.next().as_deref(), steps.next()) {
            (Some("targets"), Some(target)) => Some(Path::of(&["targets", &target])),
            _ => None,
        };
        let in_defaults = target.and_then(|target| path.moved(&target, &Path::of(&["defaults"])));
        let known = [Some(path.clone()), in_defaults].into_iter().flatten().find_map(|path| {
            let names = self.files.pointer(path.as_pointer())?.as_object()?.keys();
            names.into_iter().find(|name| normal(name) == segment).cloned()
        });
        let is_header = path.last().as_deref() == Some("headers");
        known.unwrap_or_else(|| if is_header { segment.replace('_', "-") } else { segment.to_owned() })
    }

    /// A text as the type that the schema wants; as it stands where that fails, for the schema to refuse.
    fn typed(&self, node: &Value, text: &str, place: &Place) -> Value {
        let typed = if admits(node, "string") {
            None
        } else if admits(node, "boolean") {
            text.to_lowercase().parse::<bool>().ok().map(Value::from)
        } else if admits(node, "integer") {
            text.trim().parse::<i64>().ok().map(Value::from)
        } else if admits(node, "number") {
            text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from)
        } else if admits(node, "array") && self.holds_texts(node) {
            Some(text.split(',').map(|item| Value::from(item.trim())).collect())
        } else {
            parse_value(text, place).filter(|value| value.is_object() || value.is_array())
        };
        typed.unwrap_or_else(|| text.into())
    }

    fn holds_texts(&self, node: &Value) -> bool {
        let items = node.get("items").and_then(|items| self.schema.resolved(items));
        items.is_some_and(|items| admits(items, "string"))
    }

    fn insert(&mut self, path: &Path, value: Value, place: &Place) {
        let mark = Mark { key: place.clone(), value: place.clone(), layer: 0, empty: false };
        let steps: Vec<String> = path.steps().collect();
        let mut node = &mut self.layer.value;
        let mut here = Path::root();
        for step in &steps {
            self.layer.marks.entry(here.clone()).or_insert_with(|| mark.clone());
            here = here.key(step);
            if !node.is_object() {
                *node = Value::Object(Map::new());
            }
            node = &mut node[step.as_str()];
        }
        self.layer.marks.insert(path.clone(), mark);
        *node = value;
    }

    fn report(&mut self, name: &str, message: String) {
        self.problems.push(Problem::new(Place::Variable(name.into()), Path::root(), message));
    }
}

fn no_such(segments: &[&str], depth: usize, nearest: Option<&str>) -> String {
    let spell = |segment: &str| [&segments[..depth], &[segment]].concat().join(SEPARATOR).to_uppercase();
    match nearest {
        Some(nearest) => {
            format!("no setting has this name; did you mean {PREFIX}{SEPARATOR}{}?", spell(nearest))
        }
        None => "no setting has this name; `gateprobe config schema` lists them".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::schema;
    use serde_json::json;

    fn read_all(files: Value, variables: &[(&str, &str)]) -> (Value, Vec<String>) {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let (layer, problems) = read(variables, schema(), &files);
        (layer.value, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_match_what_is_known_and_values_take_the_schemas_type() {
        let files = json!({
            "targets": {"my-gw": {"headers": {"X-Foo": "a"}}},
            "defaults": {"headers": {"X-Bar": "b"}},
        });
        let (value, problems) = read_all(
            files,
            &[
                ("GATEPROBE__TARGETS__MY_GW__URL", "wss://h"),
                ("GATEPROBE__TARGETS__MY_GW__HEADERS__X_FOO", "1"),
                ("GATEPROBE__TARGETS__MY_GW__HEADERS__X_BAR", "2"),
                ("GATEPROBE__TARGETS__MY_GW__HEADERS__X_NEW__ENV", "NAME"),
                ("GATEPROBE__TARGETS__MY_GW__SUBPROTOCOLS", "a, b"),
                ("gateprobe__targets__my_gw__identify", "False"),
                ("GATEPROBE__TARGETS__MY_GW__PAUSE", "[{from: '02:00', to: '03:00', days: [sat]}]"),
                ("GATEPROBE__HISTORY__RUNS", "7"),
                ("GATEPROBE__DEFAULTS__BUDGET__CONNECTIONS_PER_SECOND", "0.5"),
                ("GATEPROBE__LOG__FORMAT", "json"),
                ("GATEPROBE__LOCATION", "42"),
                ("GATEPROBE__CONTROL__ADDRESS", ""),
                ("GATEPROBE_PORT", "tcp://10.0.0.1:80"),
                ("PATH", "/bin"),
            ],
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            value,
            json!({
                "targets": {"my-gw": {
                    "url": "wss://h",
                    "headers": {"X-Foo": "1", "X-Bar": "2", "x-new": {"env": "NAME"}},
                    "subprotocols": ["a", "b"],
                    "identify": false,
                    "pause": [{"from": "02:00", "to": "03:00", "days": ["sat"]}],
                }},
                "history": {"runs": 7},
                "defaults": {"budget": {"connections_per_second": 0.5}},
                "log": {"format": "json"},
                "location": "42",
            })
        );
    }

    #[test]
    fn a_variable_that_means_nothing_is_named() {
        let (value, problems) = read_all(
            json!({}),
            &[
                ("GATEPROBE__HTPP__LISTEN", "x"),
                ("GATEPROBE__TARGETS__A__CHECKS__HANDSHAKE__INTERVALL", "5s"),
                ("GATEPROBE__SOMETHING", "x"),
                ("GATEPROBE__LOCATION__DEEPER", "x"),
                ("GATEPROBE__LOCATION", "x"),
                ("GATEPROBE__Location", "y"),
            ],
        );
        assert_eq!(value, json!({"location": "x"}));
        assert_eq!(
            problems,
            [
                "GATEPROBE__Location: is the same setting as GATEPROBE__LOCATION; unset one of them",
                "GATEPROBE__HTPP__LISTEN: no setting has this name; did you mean GATEPROBE__HTTP?",
                "GATEPROBE__LOCATION__DEEPER: no setting has this name; `gateprobe config schema` lists them",
                "GATEPROBE__SOMETHING: no setting has this name; `gateprobe config schema` lists them",
                "GATEPROBE__TARGETS__A__CHECKS__HANDSHAKE__INTERVALL: no setting has this name; did you mean \
                 GATEPROBE__TARGETS__A__CHECKS__HANDSHAKE__INTERVAL?",
            ]
        );
    }
}
