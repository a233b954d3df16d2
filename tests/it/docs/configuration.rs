//! docs/configuration.md says what the config's JSON Schema says.

use std::collections::BTreeMap;
use std::fs;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

use super::markdown::root;

/// Writes the page anew where it is stale, and fails all the same: look at the change and commit it.
#[test]
fn the_page_on_the_configuration_lists_every_field() {
    let path = root().join("docs/configuration.md");
    let page = fs::read_to_string(&path).expect("docs/configuration.md");
    let fresh = super::replace(&page, "fields", &Reference::new().write());
    if fresh != page {
        fs::write(&path, fresh).expect("written");
        panic!("docs/configuration.md was stale; it is fresh now, commit it");
    }
}

/// The page as it is written: section by section, each shape where it is met first.
struct Reference {
    schema: &'static Value,
    example: Value,
    /// Where each shape is described.
    described: BTreeMap<String, String>,
    text: String,
}

impl Reference {
    fn new() -> Self {
        let text = fs::read_to_string(root().join("config/full.yaml")).expect("config/full.yaml");
        let documents = Yaml::load_from_str(&text).expect("YAML");
        let example = as_json(documents.first().expect("a document"));
        let schema = gateprobe::config::json_schema();
        Self { schema, example, described: BTreeMap::new(), text: String::new() }
    }

    fn write(mut self) -> String {
        let root = self.schema;
        self.section("", root, 2);
        let target = self.shape_of("Target");
        self.same_but("defaults", "Defaults", target);
        self.same_but("modules.NAME", "Module", target);
        format!("\n{}\n", self.text.trim_end())
    }

    fn shape_of(&self, name: &str) -> &'static Value {
        &self.schema["$defs"][name]
    }

    /// A table of an object's fields, then a section for each field that has fields of its own.
    fn section(&mut self, path: &str, node: &'static Value, level: usize) {
        let title = if path.is_empty() { "The file".to_owned() } else { path.to_owned() };
        self.text.push_str(&format!("{} {title}\n\n", "#".repeat(level)));
        if let Some(meaning) = node["description"].as_str().filter(|_| !path.is_empty()) {
            self.text.push_str(&format!("{}\n\n", in_a_cell(meaning)));
        }
        self.table(path, node);
        for (name, field) in fields(node) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let (shape, steps) = self.inner(field);
            let path = format!("{path}{steps}");
            let Some((name, shape)) = shape else { continue };
            if matches!(name, "Defaults" | "Module") || self.described.contains_key(name) {
                continue;
            }
            self.described.insert(name.to_owned(), path.clone());
            self.section(&path, shape, 3);
        }
    }

    fn table(&mut self, path: &str, node: &'static Value) {
        let required: Vec<&str> = list(&node["required"]).filter_map(Value::as_str).collect();
        self.text.push_str(
            "| field | type | default | allowed | meaning | example |\n|---|---|---|---|---|---|\n",
        );
        for (name, field) in fields(node) {
            let default = match &field["default"] {
                _ if required.contains(&name.as_str()) => "required".to_owned(),
                Value::Null | Value::Object(_) => String::new(),
                Value::Array(items) if items.is_empty() => String::new(),
                Value::String(text) if text.is_empty() => String::new(),
                default => code(default),
            };
            let (kind, allowed) = (self.kind(path, name, field), self.allowed(field));
            let meaning = field["description"].as_str().map(in_a_cell).unwrap_or_default();
            let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let example = self.example_of(&full).map(code).filter(|text| text.len() < 60).unwrap_or_default();
            self.text.push_str(&format!(
                "| `{name}` | {kind} | {default} | {allowed} | {meaning} | {example} |\n"
            ));
        }
        self.text.push('\n');
    }

    /// What differs from a target, for what has nearly the same fields.
    fn same_but(&mut self, path: &str, shape: &str, target: &'static Value) {
        let node = self.shape_of(shape);
        let of_target: BTreeMap<&String, &Value> = fields(target).collect();
        let own: Map<String, Value> = fields(node)
            .filter(|(name, field)| of_target.get(name) != Some(field))
            .map(|(name, field)| (name.clone(), field.clone()))
            .collect();
        let has: Vec<&String> = fields(node).map(|(name, _)| name).collect();
        let without: Vec<String> =
            of_target.keys().filter(|name| !has.contains(*name)).map(|name| format!("`{name}`")).collect();
        self.text.push_str(&format!("### {path}\n\n"));
        let meaning = node["description"].as_str().map(in_a_cell).unwrap_or_default();
        self.text.push_str(&format!("{meaning} All fields of a [target](#targetsname)"));
        if !without.is_empty() {
            self.text.push_str(&format!(" but {}", without.join(", ")));
        }
        if own.is_empty() {
            self.text.push_str(".\n\n");
        } else {
            self.text.push_str(", and:\n\n");
            // It lives as long as the test: the schema itself does, too.
            let own: &'static Value = Box::leak(Box::new(serde_json::json!({ "properties": own })));
            self.table(path, own);
            let allow = self.shape_of("Allow");
            if own["properties"].get("allow").is_some() {
                self.section(&format!("{path}.allow"), allow, 3);
            }
        }
    }

    /// The shape with fields of its own that a field has, by name, and the steps to it: `.NAME` in a map, `[]` in a list.
    fn inner(&self, field: &'static Value) -> (Option<(&'static str, &'static Value)>, String) {
        let mut node = field;
        let mut steps = String::new();
        let mut name = None;
        loop {
            if let Some(reference) = node["$ref"].as_str() {
                let shape = reference.rsplit('/').next().expect("a name");
                (name, node) = (Some(shape), self.shape_of(shape));
            } else if let Some(some) = list(&node["anyOf"]).find(|node| node["type"] != "null") {
                node = some;
            } else if node["items"].is_object() {
                steps.push_str("[]");
                node = &node["items"];
            } else if node["additionalProperties"].is_object() {
                steps.push_str(".NAME");
                node = &node["additionalProperties"];
            } else {
                let shape = name.filter(|_| node["properties"].is_object() && node["type"] == "object");
                return (shape.map(|name| (name, node)), steps);
            }
        }
    }

    /// The type in words; for what is described elsewhere, a link.
    fn kind(&self, path: &str, name: &str, field: &'static Value) -> String {
        let (shape, steps) = self.inner(field);
        if let Some((shape, _)) = shape {
            let own = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let place = match shape {
                "Defaults" => "defaults".to_owned(),
                "Module" => "modules.NAME".to_owned(),
                "Target" => "targets.NAME".to_owned(),
                shape => self.described.get(shape).cloned().unwrap_or_else(|| format!("{own}{steps}")),
            };
            let anchor: String =
                place.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
            let many = match steps.as_str() {
                "" => "fields",
                "[]" => "list of fields",
                _ => "fields by name",
            };
            return format!("[{many}](#{anchor})");
        }
        let plain = self.plain(field);
        match steps.as_str() {
            "" => plain,
            "[]" => format!("list: {plain}"),
            _ => format!("by name: {plain}"),
        }
    }

    /// The type of what has no fields.
    fn plain(&self, field: &'static Value) -> String {
        let node = self.leaf(field);
        if !list(&node["oneOf"]).all(|one| one.get("const").is_none()) || node["enum"].is_array() {
            return "word".to_owned();
        }
        let words = |word: &str| match word {
            "string" if node["pattern"].as_str().is_some_and(|pattern| pattern.contains("us|ms")) => {
                "length of time"
            }
            "string" => "text",
            "integer" => "whole number",
            "number" => "number",
            "boolean" => "true, false",
            "object" => "fields",
            _ => "",
        };
        let kinds: Vec<&str> = match &node["type"] {
            Value::String(word) => vec![words(word)],
            many => list(many).filter_map(Value::as_str).map(words).filter(|word| !word.is_empty()).collect(),
        };
        kinds.join(" or ")
    }

    /// Past references, alternatives, lists and maps.
    fn leaf(&self, field: &'static Value) -> &'static Value {
        let mut node = field;
        loop {
            node = if let Some(reference) = node["$ref"].as_str() {
                self.shape_of(reference.rsplit('/').next().expect("a name"))
            } else if let Some(some) = list(&node["anyOf"]).find(|node| node["type"] != "null") {
                some
            } else if node["items"].is_object() {
                &node["items"]
            } else if node["additionalProperties"].is_object() {
                &node["additionalProperties"]
            } else {
                return node;
            };
        }
    }

    /// Words that may be written, and bounds of numbers.
    fn allowed(&self, field: &'static Value) -> String {
        let (shape, _) = self.inner(field);
        let node = self.leaf(field);
        if shape.is_some() {
            return String::new();
        }
        let consts = list(&node["oneOf"]).filter_map(|one| one.get("const"));
        let words: Vec<String> =
            consts.chain(list(&node["enum"])).filter(|word| !word.is_null()).map(code).collect();
        let bound = |key: &str, exclusive: &str| {
            let bound = field.get(key).or_else(|| node.get(key)).map(ToString::to_string);
            bound.or_else(|| {
                field.get(exclusive).or_else(|| node.get(exclusive)).map(|n| format!("{n} (excluded)"))
            })
        };
        match (bound("minimum", "exclusiveMinimum"), bound("maximum", "exclusiveMaximum")) {
            _ if !words.is_empty() => words.join(", "),
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("from {least}"),
            (None, Some(most)) => format!("up to {most}"),
            (None, None) => String::new(),
        }
    }

    /// What config/full.yaml says there, in the first entry of a map or a list that says something.
    fn example_of(&self, path: &str) -> Option<&Value> {
        let mut found = vec![&self.example];
        for step in path.split('.') {
            let (name, is_list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
            found = match name {
                "NAME" => found.iter().filter_map(|value| value.as_object()).flat_map(Map::values).collect(),
                name => found.iter().filter_map(|value| value.get(name)).collect(),
            };
            if is_list {
                found = found.iter().flat_map(|value| list(value)).collect();
            }
        }
        found.into_iter().next()
    }
}

fn fields(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node["properties"].as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn in_a_cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// A value as it is written in YAML.
fn code(value: &Value) -> String {
    let text = flow(value);
    format!("`{}`", text.replace('|', "\\|"))
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = !text.is_empty()
                && text == text.trim()
                && !text.contains(": ")
                && !text.contains('#')
                && !text.starts_with(['*', '&', '!', '{', '[', '%', '@', '"', '\'']);
            if plain { text.clone() } else { format!("{text:?}") }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", flow(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn as_json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::from(number.into_inner()),
        Yaml::Value(Scalar::Boolean(yes)) => Value::from(*yes),
        Yaml::Sequence(items) => items.iter().map(as_json).collect(),
        Yaml::Mapping(fields) => {
            let named =
                fields.iter().filter_map(|(name, value)| Some((name.as_str()?.to_owned(), as_json(value))));
            Value::Object(named.collect())
        }
        _ => Value::Null,
    }
}
