//! The JSON Schemas of the files, from the types that read them.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::place::Path;
use super::settings::{AgentSettings, Allow, SloSettings, TargetSettings};
use crate::dialect::Spec;

/// The fields of a target that make no sense in `defaults`.
const NOT_IN_DEFAULTS: [&str; 1] = ["url"];
/// The fields of a target that make no sense in a module.
const NOT_IN_MODULES: [&str; 5] = ["url", "labels", "resolve", "pause", "slo"];

/// The schema in its two forms.
pub struct ConfigSchema {
    editor: Value,
    strict: Value,
    validator: Option<jsonschema::Validator>,
}

/// `ws://HOST` or `wss://HOST`, and what follows.
const WEBSOCKET_URL: &str = "^(wss?|WSS?)://[^/?#]";
/// `HOST:PORT`, where the host may be an IPv6 address in brackets.
const HOST_PORT: &str = r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):[0-9]{1,5}$";

static SCHEMA: LazyLock<ConfigSchema> = LazyLock::new(|| ConfigSchema::build(compose()).with_forms());
static DIALECT: LazyLock<ConfigSchema> = LazyLock::new(|| ConfigSchema::build(compose_dialect()));

/// The schema of a config.
pub fn schema() -> &'static ConfigSchema {
    &SCHEMA
}

/// The schema of a dialect's file.
pub fn dialect_schema() -> &'static ConfigSchema {
    &DIALECT
}

impl ConfigSchema {
    fn build(editor: Value) -> Self {
        let mut strict = editor.clone();
        strip_nulls(&mut strict);
        let validator = jsonschema::options().build(&strict).ok();
        Self { editor, strict, validator }
    }

    /// Adds the forms of texts that the rules judge, and tell of in better words: editors and Helm have the schema only.
    fn with_forms(mut self) -> Self {
        let definitions = &mut self.editor["$defs"];
        definitions["Target"]["properties"]["url"]["anyOf"][0]["pattern"] = json!(WEBSOCKET_URL);
        definitions["Control"]["properties"]["address"]["pattern"] = json!(HOST_PORT);
        self
    }

    /// For editors: `null` is allowed wherever it means "not set".
    pub fn for_editors(&self) -> &Value {
        &self.editor
    }

    /// For a config without nulls. `None` only if the types themselves make no valid schema (a test
    /// forbids it).
    pub fn validator(&self) -> Option<&jsonschema::Validator> {
        self.validator.as_ref()
    }

    /// The part of the schema, with references resolved, that a path is held against.
    pub fn at(&self, path: &Path) -> Option<&Value> {
        path.steps().try_fold(&self.strict, |node, step| self.below(node, &step))
    }

    /// The part of the schema for a field, a name or an item.
    pub fn below<'a>(&'a self, node: &'a Value, step: &str) -> Option<&'a Value> {
        let by_name = || node.get("additionalProperties").filter(|schema| schema.is_object());
        let item = || node.get("items").filter(|_| step.parse::<usize>().is_ok());
        let field = node.get("properties").and_then(|fields| fields.get(step));
        self.resolved(field.or_else(by_name).or_else(item)?)
    }

    /// Follows a reference.
    pub fn resolved<'a>(&'a self, node: &'a Value) -> Option<&'a Value> {
        match node.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.strict.pointer(reference.strip_prefix('#')?),
            None => Some(node),
        }
    }
}

/// The names of the fields that a part of the schema knows.
pub fn fields(node: &Value) -> impl Iterator<Item = &str> {
    node.get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|map| map.keys().map(String::as_str))
}

/// Whether a value of this JSON type fits.
pub fn admits(node: &Value, wanted: &str) -> bool {
    match node.get("type") {
        Some(Value::String(kind)) => kind == wanted,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        _ => wanted == "string" && (node.get("oneOf").is_some() || node.get("enum").is_some()),
    }
}

fn compose() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<TargetSettings>();
    let allow = generator.subschema_for::<Allow>().to_value();
    let slo = generator.subschema_for::<Option<SloSettings>>().to_value();
    let mut root = generator.into_root_schema_for::<AgentSettings>().to_value();
    add_objectives(&mut root, &slo);
    let target = root["$defs"].as_object_mut().and_then(|defs| defs.remove("TargetSettings"));
    let target = target.unwrap_or_default();
    let defaults =
        without(&target, &NOT_IN_DEFAULTS, "What each target starts from; a target's own word wins.");
    let mut module = without(
        &target,
        &NOT_IN_MODULES,
        "A check for `/probe?module=`: how to reach what `target=` names, and exactly one check. `defaults` \
         do not apply, so that no credential goes to a host that a request names.",
    );
    module["properties"]["allow"] = allow;
    module["required"] = json!(["allow", "checks"]);
    let mut target = target;
    target["required"] = json!(["url"]);
    target["description"] = json!("A gateway to watch.");
    for (name, schema) in [("Target", target), ("Defaults", defaults), ("Module", module)] {
        root["$defs"][name] = schema;
    }
    root["title"] = json!("gateprobe");
    root["description"] = json!("The configuration of gateprobe.");
    let fields = &mut root["properties"];
    fields["defaults"] = json!({ "$ref": "#/$defs/Defaults" });
    fields["targets"] = by_name("Target", "The gateways to watch, by name.");
    fields["modules"] = by_name("Module", "Checks for `/probe`, by name.");
    root
}

/// Each check may have an objective, which is no business of the check.
fn add_objectives(root: &mut Value, slo: &Value) {
    let checks: Vec<String> = root["$defs"]["Checks"]["properties"]
        .as_object()
        .into_iter()
        .flat_map(|checks| checks.values())
        .filter_map(|check| check.pointer("/anyOf/0/$ref").or(check.get("$ref"))?.as_str())
        .filter_map(|reference| reference.rsplit('/').next().map(str::to_owned))
        .collect();
    for check in checks {
        let mut slo = slo.clone();
        slo["description"] = json!("Its objective, over that of the target, field by field.");
        root["$defs"][check]["properties"]["slo"] = slo;
    }
}

fn compose_dialect() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut root = generator.into_root_schema_for::<Spec>().to_value();
    root["title"] = json!("gateprobe dialect");
    root
}

fn by_name(definition: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "additionalProperties": { "$ref": format!("#/$defs/{definition}") },
    })
}

fn without(schema: &Value, fields: &[&str], description: &str) -> Value {
    let mut schema = schema.clone();
    schema["description"] = json!(description);
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|name, _| !fields.contains(&name.as_str()));
    }
    schema
}

/// Takes out what allows `null`: the loader has dropped nulls by then, and each alternative less makes a
/// clearer message.
fn strip_nulls(node: &mut Value) {
    match node {
        Value::Object(map) => {
            if let Some(Value::Array(kinds)) = map.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [only] = kinds.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(options)) = map.get_mut("enum") {
                options.retain(|option| !option.is_null());
            }
            map.remove("default");
            unwrap_alternative(map);
            map.values_mut().for_each(strip_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// `anyOf: [X, null]` becomes X.
fn unwrap_alternative(map: &mut Map<String, Value>) {
    let Some(Value::Array(mut options)) = map.remove("anyOf") else { return };
    options.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
    match options.as_mut_slice() {
        [Value::Object(only)] => {
            for (key, value) in std::mem::take(only) {
                map.entry(key).or_insert(value);
            }
        }
        _ => {
            map.insert("anyOf".into(), Value::Array(options));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_make_a_schema() {
        let schema = schema();
        assert!(schema.validator().is_some() && dialect_schema().validator().is_some());
        assert!(!schema.strict.to_string().contains("null"), "{}", schema.strict);
        let interval = schema.at(&Path::of(&["targets", "any", "checks", "handshake", "interval"])).unwrap();
        assert_eq!(interval["pattern"], crate::model::SPAN_PATTERN);
        assert!(schema.at(&Path::of(&["defaults", "url"])).is_none());
        assert!(schema.at(&Path::of(&["modules", "any", "labels"])).is_none());
        assert!(schema.at(&Path::of(&["modules", "any", "allow", "hosts"]).index(3)).is_some());
    }

    #[test]
    fn editors_know_the_forms_that_the_rules_judge() {
        let editor = jsonschema::options().build(schema().for_editors()).unwrap();
        let target = |url: &str| json!({ "targets": { "a": { "url": url } } });
        let control = |address: &str| json!({ "control": { "address": address }, "targets": {} });
        for good in ["ws://h", "wss://h:1/p?q=1", "WSS://h", "wss://[::1]/"] {
            assert!(editor.is_valid(&target(good)), "{good}");
        }
        for bad in ["", "h", "https://h", "wss:/h", "wss://", "wss:///p"] {
            assert!(!editor.is_valid(&target(bad)), "{bad}");
        }
        for good in ["a.example:443", "10.0.0.1:1", "[::1]:53", "my_svc:80"] {
            assert!(editor.is_valid(&control(good)), "{good}");
        }
        for bad in ["foo", "http://a:1", "a:", ":80", "::1:80"] {
            assert!(!editor.is_valid(&control(bad)), "{bad}");
        }
    }

    #[test]
    fn every_field_is_described() {
        fn visit(node: &Value, path: &str) {
            if let Some(fields) = node.get("properties").and_then(Value::as_object) {
                for (name, field) in fields {
                    let described = field.get("description").is_some() || field.get("$ref").is_some();
                    assert!(described, "{path}.{name}: {field}");
                }
            }
            if let Value::Object(map) = node {
                map.iter().for_each(|(key, value)| visit(value, &format!("{path}/{key}")));
            }
        }
        visit(schema().for_editors(), "");
        visit(dialect_schema().for_editors(), "");
    }
}
