//! What the layers together mean: `defaults` under each target, one way of each choice, and no nulls.

use serde_json::{Map, Value, json};

use super::layers::Layered;
use super::locate::Locator;
use super::place::Path;
use super::problem::Problem;
use super::schema::{ConfigSchema, admits};

/// Lets `defaults` flow into the targets and drops what `null` unsets. What it finds wrong on the way is
/// a key without any value.
pub fn cascade(layered: &mut Layered, schema: &ConfigSchema) -> Vec<Problem> {
    let locator = Locator::new(&layered.marks);
    keep_last_choice(&mut layered.value, &Path::root(), &locator);
    let defaults = layered.value.get("defaults").cloned().unwrap_or(Value::Null);
    if let Some(Value::Object(targets)) = layered.value.get_mut("targets") {
        for (name, target) in targets {
            let path = Path::of(&["targets", name]);
            if target.is_null() {
                *target = json!({});
            }
            if target.is_object() && defaults.is_object() {
                *target = overlay(&defaults, std::mem::take(target), &path);
            }
            add_default_check(target);
            let_objective_flow(target, &path);
        }
    }
    let mut nulls = Nulls { schema, locator, problems: Vec::new() };
    nulls.resolve(&mut layered.value, &Path::root());
    nulls.problems
}

/// A target without any check gets `handshake`.
fn add_default_check(target: &mut Value) {
    let Value::Object(target) = target else { return };
    let checks = target.entry("checks").or_insert(Value::Null);
    if checks.is_null() || checks.as_object().is_some_and(Map::is_empty) {
        *checks = json!({ "handshake": {} });
    }
}

/// The target's objective lies below that of each check.
fn let_objective_flow(target: &mut Value, path: &Path) {
    let Some(slo) = target.get("slo").filter(|slo| slo.is_object()).cloned() else { return };
    let Some(Value::Object(checks)) = target.get_mut("checks") else { return };
    for (kind, check) in checks {
        if check.is_null() {
            *check = json!({});
        }
        if let Value::Object(check) = check {
            let path = path.dotted("checks").key(kind).key("slo");
            let own = check.remove("slo").unwrap_or_else(|| json!({}));
            check.insert("slo".into(), overlay(&slo, own, &path));
        }
    }
}

/// Where exactly one of several fields counts, so that the later word replaces the earlier as a whole.
fn is_choice(path: &Path) -> bool {
    let last = path.last().unwrap_or_default();
    let parent = path.parent().and_then(|parent| parent.last()).unwrap_or_default();
    matches!(
        (parent.as_str(), last.as_str()),
        ("auth", "token" | "place") | ("proxy", "password") | ("observe", "token")
    ) || parent == "headers"
}

/// The merge of layers is deep: of a choice, only what the last layer says is kept.
fn keep_last_choice(value: &mut Value, path: &Path, locator: &Locator<'_>) {
    let Value::Object(map) = value else { return };
    if is_choice(path) {
        let layer = |key: &str| locator.layer(&path.key(key));
        let last = map.keys().filter_map(|key| layer(key)).max();
        map.retain(|key, _| layer(key).is_none_or(|layer| Some(layer) == last));
    }
    for (key, value) in map {
        keep_last_choice(value, &path.key(key), locator);
    }
}

fn overlay(base: &Value, over: Value, path: &Path) -> Value {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) if !is_choice(path) => {
            let mut merged = base.clone();
            for (key, value) in over {
                let value = match base.get(&key) {
                    Some(below) => overlay(below, value, &path.key(&key)),
                    None => value,
                };
                merged.insert(key, value);
            }
            Value::Object(merged)
        }
        (_, over) => over,
    }
}

struct Nulls<'a> {
    schema: &'a ConfigSchema,
    locator: Locator<'a>,
    problems: Vec<Problem>,
}

impl Nulls<'_> {
    fn resolve(&mut self, value: &mut Value, path: &Path) {
        match value {
            Value::Object(map) => {
                let fields = std::mem::take(map);
                for (key, mut value) in fields {
                    let path = path.key(&key);
                    if value.is_null() {
                        let Some(stands_for) = self.meaning(&path) else { continue };
                        value = stands_for;
                    }
                    self.resolve(&mut value, &path);
                    map.insert(key, value);
                }
            }
            Value::Array(items) => {
                items.iter_mut().enumerate().for_each(|(index, item)| self.resolve(item, &path.index(index)));
            }
            _ => {}
        }
    }

    /// What a null stands for; `None` for "not set".
    fn meaning(&mut self, path: &Path) -> Option<Value> {
        // Unknown: the schema reports the field.
        let Some(node) = self.schema.at(path) else { return Some(Value::Null) };
        let parent = path.parent().unwrap_or_default();
        let is_entry = matches!(parent.as_pointer(), "/targets" | "/modules")
            || matches!(parent.last().as_deref(), Some("checks" | "place"));
        if is_entry {
            return Some(json!({}));
        }
        if self.locator.is_empty(path) {
            if admits(node, "object") && !admits(node, "string") {
                return Some(json!({}));
            }
            let (place, path) = self.locator.find(path);
            self.problems.push(Problem::new(place, path, "has no value; write one, or null for \"not set\""));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::{Layer, merge};
    use crate::config::schema::schema;
    use crate::config::tree::parse;

    fn cascaded(files: &[&str]) -> (Value, Vec<String>) {
        let layers: Vec<Layer> = files
            .iter()
            .map(|text| parse("f.yaml", text.as_bytes()))
            .map(|tree| Layer { name: "f.yaml".into(), value: tree.value, marks: tree.marks })
            .collect();
        let mut layered = merge(&layers).unwrap();
        let problems = cascade(&mut layered, schema());
        (layered.value, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn defaults_flow_into_targets_and_null_unsets() {
        let text = "defaults:\n  proxy: {url: http://p:1}\n  headers: {X-A: a, X-B: {env: B}}\n  \
                    tls: {ca_file: x, resumption: true}\ntargets:\n  one:\n  two:\n    proxy: null\n    \
                    headers: {X-A: null, X-B: {file: b}}\n    tls: {ca_file: y}\n    checks: {handshake: }\n";
        let (value, problems) = cascaded(&[text]);
        assert!(problems.is_empty(), "{problems:?}");
        let one = json!({
            "proxy": {"url": "http://p:1"}, "headers": {"X-A": "a", "X-B": {"env": "B"}},
            "tls": {"ca_file": "x", "resumption": true}, "checks": {"handshake": {}},
        });
        assert_eq!(value["targets"]["one"], one);
        let two = json!({
            "headers": {"X-B": {"file": "b"}}, "tls": {"ca_file": "y", "resumption": true},
            "checks": {"handshake": {}},
        });
        assert_eq!(value["targets"]["two"], two);
    }

    #[test]
    fn a_later_layer_takes_the_whole_choice() {
        let below = "targets: {a: {auth: {token: {file: x}, place: {header: {name: N, prefix: P}}}}}";
        let (value, _) = cascaded(&[below, "targets: {a: {auth: {token: {env: E}, place: {query: }}}}"]);
        assert_eq!(value["targets"]["a"]["auth"], json!({"token": {"env": "E"}, "place": {"query": {}}}));
        let (value, _) = cascaded(&[below, "targets: {a: {auth: {place: {header: {name: M}}}}}"]);
        assert_eq!(value["targets"]["a"]["auth"]["place"], json!({"header": {"name": "M", "prefix": "P"}}));
    }

    #[test]
    fn a_key_without_a_value_is_told_from_null() {
        let (value, problems) = cascaded(&["location:\ncontact: null\nhttp:\ntargets:\nnonsense:\n"]);
        assert_eq!(value, json!({"http": {}, "targets": {}, "nonsense": null}));
        assert_eq!(problems, ["f.yaml:1:1: location: has no value; write one, or null for \"not set\""]);
    }
}
