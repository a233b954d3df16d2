//! The merged config held against the JSON Schema, in our own words: unknown fields, wrong types, values out
//! of range.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::locate::At;
use super::place::Path;
use super::schema::{ConfigSchema, admits, fields};
use super::words::{nearest, shown};
use crate::model::{SPAN_PATTERN, SpanError};

/// Something that does not fit the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Which value is wrong, unknown or missing.
    pub path: Path,
    /// What to point at.
    pub at: At,
    /// What is wrong and what is allowed.
    pub message: String,
    /// What has to go so that the rest can be read.
    pub prune: Option<Path>,
}

/// Everything in a config that does not fit the schema.
pub fn violations(schema: &ConfigSchema, config: &Value) -> Vec<Violation> {
    let Some(validator) = schema.validator() else { return Vec::new() };
    validator.iter_errors(config).flat_map(|error| translate(schema, &error)).collect()
}

fn translate(schema: &ConfigSchema, error: &ValidationError<'_>) -> Vec<Violation> {
    let path = Path::from_pointer(error.instance_path().as_str());
    let node = schema.at(&path).unwrap_or(&Value::Null);
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| unknown(&path, name, node)).collect()
        }
        Kind::Required { property } => missing(&path, property.as_str().unwrap_or_default()),
        kind => {
            let value = error.instance();
            let message = words(kind, node, &shown(&path, value), value);
            vec![Violation { prune: Some(path.clone()), path, at: At::Value, message }]
        }
    }
}

fn unknown(object: &Path, name: &str, node: &Value) -> Violation {
    let path = object.key(name);
    let known: Vec<&str> = fields(node).collect();
    let message = match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("no such field; did you mean {nearest:?}?"),
        None => format!("no such field; known: {}", known.join(", ")),
    };
    Violation { prune: Some(path.clone()), path, at: At::Key, message }
}

/// A missing field. `defaults` need not be whole: what counts is each target with them.
fn missing(object: &Path, property: &str) -> Vec<Violation> {
    if object.is_within(&Path::of(&["defaults"])) {
        return Vec::new();
    }
    let is_entry = object.parent().is_some_and(|map| matches!(map.as_pointer(), "/targets" | "/modules"));
    let prune = (!is_entry).then(|| object.clone());
    vec![Violation { path: object.key(property), at: At::Key, message: "is missing".into(), prune }]
}

fn words(kind: &Kind, node: &Value, value: &str, raw: &Value) -> String {
    if let Some(expects) = node.get("x-expects").and_then(Value::as_str) {
        return expects.to_owned();
    }
    if node.get("pattern").is_some_and(|pattern| pattern == SPAN_PATTERN) {
        return format!("{value} is {}", SpanError::NoSpan);
    }
    let options = options(kind);
    if !options.is_empty() {
        let nearest = raw.as_str().and_then(|text| nearest(text, options.iter().map(String::as_str)));
        let hint = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
        return format!("{value} is not one of {}{hint}", options.join(", "));
    }
    match kind {
        Kind::Type { .. } => wrong_type(node, value, raw),
        Kind::Minimum { limit } => format!("{value} is too small; the least is {limit}"),
        Kind::Maximum { limit } => format!("{value} is too large; the most is {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("{value} is too small; write more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("{value} is too large; write less than {limit}"),
        Kind::MinLength { limit } => format!("{value} is too short; the least is {limit} characters"),
        Kind::MaxLength { limit } => format!("{value} is too long; the most is {limit} characters"),
        Kind::MinItems { limit } => format!("has too few items; the least is {limit}"),
        Kind::MaxItems { limit } => format!("has too many items; the most is {limit}"),
        Kind::MinProperties { limit } => format!("has too few fields; the least is {limit}"),
        Kind::MaxProperties { limit } => format!("has too many fields; the most is {limit}"),
        Kind::UniqueItems => "has an item twice".into(),
        Kind::MultipleOf { multiple_of } => format!("{value} is not a multiple of {multiple_of}"),
        Kind::Pattern { pattern } => format!("{value} does not match the pattern {pattern}"),
        other => format!("{value} does not fit ({})", other.keyword()),
    }
}

/// The values that an enum allows: its schema is a list, or one alternative for each described value.
fn options(kind: &Kind) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match kind {
        Kind::Enum { options } => options.as_array().into_iter().flatten().map(text).collect(),
        Kind::Constant { expected_value } => vec![text(expected_value)],
        Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
            context.iter().flatten().flat_map(|error| self::options(error.kind())).collect()
        }
        _ => Vec::new(),
    }
}

fn wrong_type(node: &Value, value: &str, raw: &Value) -> String {
    if admits(node, "string") {
        // A port alone; the host is what it most likely belongs to.
        let host = node.get("x-host").and_then(Value::as_str);
        return match raw {
            Value::Number(_) if host.is_some() => {
                format!(
                    "{value} is not an address with a port; write \"{}:{value}\"",
                    host.unwrap_or_default()
                )
            }
            Value::Bool(_) | Value::Number(_) if value != "***" => {
                format!("{value} is not a text; write \"{value}\", with the quotes")
            }
            _ => format!("{value} is not a text"),
        };
    }
    if admits(node, "boolean") {
        return format!("{value} is neither true nor false");
    }
    if admits(node, "integer") {
        return format!("{value} is not a whole number");
    }
    if admits(node, "number") {
        return format!("{value} is not a number");
    }
    if admits(node, "array") {
        return format!("{value} is not a list; write [...], or a line with `- ` for each item");
    }
    let known: Vec<&str> = fields(node).collect();
    if known.is_empty() {
        return format!("{value} is not a mapping; write a `name: value` line for each entry");
    }
    format!("{value} is not a mapping; its fields are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::schema;
    use serde_json::json;

    fn messages(config: Value) -> Vec<String> {
        let mut list: Vec<_> = violations(schema(), &config)
            .into_iter()
            .map(|violation| format!("{}: {}", violation.path, violation.message))
            .collect();
        list.sort();
        list
    }

    #[test]
    fn each_kind_of_violation_has_its_words() {
        let config = json!({
            "location": 5,
            "log": {"level": "inf", "format": true},
            "history": {"runs": 0},
            "http": {"listen": ["x"], "max_connections": "many", "max_conections": 1},
            "lag_bound": 100,
            "resolver": {"servers": "10.0.0.1"},
            "control": {"timeout": "2 seconds"},
            "defaults": {"url": "wss://h", "auth": {"token": "s3cr3t"}, "tls": {"resumption": "s"}},
            "targets": {
                "a": {"headers": {"X": 1}, "pause": [{"days": ["sunday"]}], "budget": 3},
                "b": {"url": "wss://h", "checks": {"handshke": {}, "handshake": {"expect": {"refusal_codes": [70000, 1.5]}}}},
            },
        });
        let expected = [
            "control.address: is missing",
            "control.timeout: \"2 seconds\" is not a length of time; write a number with a unit, such as 250ms, 5s, 1m30s, 2h or 21d",
            "defaults.auth.token: a secret must not stand in the config; write {file: PATH}, {env: NAME}, {mint: {...}} or {oauth2: {...}}",
            "defaults.tls.resumption: \"s\" is neither true nor false",
            "defaults.url: no such field; known: labels, dialect, auth, tls, headers, identify, subprotocols, budget, proxy, cookies, redirects, network, resolve, trace, pause, observe, slo, checks",
            "history.runs: 0 is too small; the least is 1",
            "http.listen: a list is not a text",
            "http.max_conections: no such field; did you mean \"max_connections\"?",
            "http.max_connections: \"many\" is not a whole number",
            "lag_bound: 100 is not a length of time; write a number with a unit, such as 250ms, 5s, 1m30s, 2h or 21d",
            "location: 5 is not a text; write \"5\", with the quotes",
            "log.format: true is not one of text, json",
            "log.level: \"inf\" is not one of error, warn, info, debug, trace; did you mean info?",
            "resolver.servers: \"10.0.0.1\" is not a list; write [...], or a line with `- ` for each item",
            "targets.a.budget: 3 is not a mapping; its fields are connections, connections_per_second, messages_per_second, bytes_per_second",
            "targets.a.headers.X: not the value of a header; write a text, {file: PATH} or {env: NAME}",
            "targets.a.pause[0].days[0]: \"sunday\" is not one of mon, tue, wed, thu, fri, sat, sun",
            "targets.a.url: is missing",
            "targets.b.checks.handshake.expect.refusal_codes[0]: 70000 is too large; the most is 65535",
            "targets.b.checks.handshake.expect.refusal_codes[1]: 1.5 is not a whole number",
            "targets.b.checks.handshke: no such field; did you mean \"handshake\"?",
        ];
        assert_eq!(messages(config), expected);
        let told = "http.listen: 9464 is not an address with a port; write \"127.0.0.1:9464\"";
        assert_eq!(messages(json!({"http": {"listen": 9464}})), [told]);
    }
}
