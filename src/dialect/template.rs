//! JSON values with placeholders: filled for what we send, held against what we hear.

use serde_json::{Map, Number, Value};

use super::names::{ANY, Meant, Scope};
use super::text::Text;

/// A JSON value with placeholders in its texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// Has none.
    Fixed(Value),
    /// One placeholder and nothing else: takes its value with its type.
    Whole(String),
    /// A text with placeholders in it.
    Text(Text),
    /// A list.
    List(Vec<Template>),
    /// An object; keys have no placeholders.
    Object(Vec<(String, Template)>),
}

/// What is wrong with a template, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// A JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl Template {
    /// Reads a value, as deep as it is: the depth of files is bounded.
    ///
    /// # Errors
    /// When a placeholder does not end, or stands in a key.
    pub fn parse(value: &Value, pointer: &str) -> Result<Self, TemplateError> {
        let wrong = |pointer: &str, message: String| TemplateError { pointer: pointer.to_owned(), message };
        match value {
            Value::String(text) => {
                let text = Text::parse(text).map_err(|error| wrong(pointer, error.to_string()))?;
                Ok(match (text.whole(), text.fixed()) {
                    (Some(name), _) => Self::Whole(name.to_owned()),
                    (None, Some(fixed)) => Self::Fixed(fixed.into()),
                    (None, None) => Self::Text(text),
                })
            }
            Value::Array(items) => {
                let item = |(index, item)| Self::parse(item, &format!("{pointer}/{index}"));
                items.iter().enumerate().map(item).collect::<Result<_, _>>().map(Self::List)
            }
            Value::Object(map) => {
                let mut fields = Vec::with_capacity(map.len());
                for (key, value) in map {
                    let pointer = format!("{pointer}/{}", escaped(key));
                    let name = Text::parse(key).map_err(|error| wrong(&pointer, error.to_string()))?;
                    let Some(name) = name.fixed() else {
                        return Err(wrong(&pointer, "a key can't have placeholders".into()));
                    };
                    fields.push((name.to_owned(), Self::parse(value, &pointer)?));
                }
                Ok(Self::Object(fields))
            }
            plain => Ok(Self::Fixed(plain.clone())),
        }
    }

    /// The names of its placeholders, each with its place.
    pub fn names(&self, pointer: &str, found: &mut Vec<(String, String)>) {
        let mut add = |name: &str| found.push((pointer.to_owned(), name.to_owned()));
        match self {
            Self::Fixed(_) => {}
            Self::Whole(name) => add(name),
            Self::Text(text) => text.names().for_each(add),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.names(&format!("{pointer}/{index}"), found);
                }
            }
            Self::Object(fields) => {
                for (key, field) in fields {
                    field.names(&format!("{pointer}/{}", escaped(key)), found);
                }
            }
        }
    }

    /// Whether there is more to it than placeholders.
    pub fn has_shape(&self) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Whole(_) => false,
            Self::Text(text) => text.has_literal(),
            Self::List(items) => !items.is_empty(),
            Self::Object(fields) => !fields.is_empty(),
        }
    }

    /// With its values. What is unset is null, and a key with it is left out.
    pub fn fill(&self, scope: Scope<'_>) -> Value {
        self.filled(scope).unwrap_or(Value::Null)
    }

    fn filled(&self, scope: Scope<'_>) -> Option<Value> {
        Some(match self {
            Self::Fixed(value) => value.clone(),
            Self::Whole(name) => match scope.get(name) {
                Meant::Value(value) => value.clone(),
                Meant::Unset | Meant::Anything => return None,
            },
            Self::Text(text) => text.fill(scope).into(),
            Self::List(items) => items.iter().map(|item| item.fill(scope)).collect(),
            Self::Object(fields) => {
                let field = |(key, field): &(String, Self)| Some((key.clone(), field.filled(scope)?));
                Value::Object(fields.iter().filter_map(field).collect::<Map<_, _>>())
            }
        })
    }

    /// Whether a value is what this template asks for; `None` is a key that is not there.
    pub fn matches(&self, value: Option<&Value>, scope: Scope<'_>) -> bool {
        match self {
            Self::Fixed(fixed) => value.is_some_and(|value| same(fixed, value)),
            Self::Whole(name) => match scope.get(name) {
                Meant::Value(known) => value.is_some_and(|value| same(known, value)),
                Meant::Unset => value.is_none_or(Value::is_null),
                // The shape of an answer that forgot what it answers is still the shape of an answer.
                Meant::Anything => value.is_some() || name != ANY,
            },
            Self::Text(text) => value.and_then(Value::as_str).is_some_and(|value| text.matches(value, scope)),
            Self::List(items) => value.and_then(Value::as_array).is_some_and(|values| {
                values.len() == items.len()
                    && items.iter().zip(values).all(|(item, value)| item.matches(Some(value), scope))
            }),
            Self::Object(fields) => value
                .and_then(Value::as_object)
                .is_some_and(|map| fields.iter().all(|(key, field)| field.matches(map.get(key), scope))),
        }
    }
}

/// A key as a step of a JSON Pointer.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Equal values; numbers by their value, as JSON has only one kind of them.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    if a == b {
        return true;
    }
    if (a.is_i64() || a.is_u64()) && (b.is_i64() || b.is_u64()) {
        return false;
    }
    // A number that went through text may have lost its last bit.
    let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else { return false };
    (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Variables;
    use serde_json::json;

    fn template(value: Value) -> Template {
        Template::parse(&value, "").expect("a template")
    }

    #[test]
    fn a_lone_placeholder_keeps_its_type_and_text_can_not_break_out() {
        let variables =
            Variables::new().with("n", 7).with("token", "a\"b").with("list", json!([1, {"x": 2}]));
        let made = template(json!({"n": "${n}", "t": "n${n}", "a": ["${token}", "${gone}"], "l": "${list}",
            "gone": "${gone}", "e": "<${gone}>", "$${k}": true}));
        let filled = made.fill(Scope::of(&variables));
        assert_eq!(
            filled,
            json!({"n": 7, "t": "n7", "a": ["a\"b", null], "l": [1, {"x": 2}], "e": "<>", "${k}": true})
        );
        assert!(made.matches(Some(&filled), Scope::of(&variables)));
        let back: Value = serde_json::from_str(&filled.to_string()).expect("JSON");
        assert_eq!(back, filled);
    }

    #[test]
    fn patterns_match_named_keys_recursively_and_lists_item_by_item() {
        let none = Variables::new();
        let matches =
            |pattern: Value, value: Value| template(pattern).matches(Some(&value), Scope::of(&none));
        assert!(matches(json!({"a": {"b": 1}}), json!({"x": 0, "a": {"b": 1.0, "c": 2}})));
        assert!(!matches(json!({"a": {"b": 1}}), json!({"a": {"b": "1"}})));
        assert!(!matches(json!({"a": 1}), json!([1])));
        assert!(matches(json!([1, "${any}", {}]), json!([1, null, {"x": 1}])));
        assert!(!matches(json!([1]), json!([1, 2])));
        assert!(matches(json!({"a": "${any}"}), json!({"a": null})));
        assert!(!matches(json!({"a": "${any}"}), json!({})));
        assert!(matches(json!({"a": "room:${any}"}), json!({"a": "room:7"})));
        assert!(!matches(json!(u64::MAX), json!(u64::MAX - 1)));
        assert!(matches(json!(null), json!(null)));
    }

    #[test]
    fn a_shape_leaves_open_what_gateprobe_gives() {
        let variables = Variables::new().with("nonce", 5).with("app", "x");
        let pattern = template(json!({"id": "${nonce}", "app": "${app}"}));
        let shape = Scope::of(&variables).shape();
        assert!(pattern.matches(Some(&json!({"id": 9, "app": "x"})), shape));
        assert!(pattern.matches(Some(&json!({"app": "x"})), shape));
        assert!(!pattern.matches(Some(&json!({"id": 9, "app": "y"})), shape));
        assert!(!pattern.matches(Some(&json!({"id": 9, "app": "x"})), Scope::of(&variables)));
    }

    #[test]
    fn mistakes_have_a_place() {
        let error = Template::parse(&json!({"a/b": [0, "${x"]}), "/json").expect_err("unclosed");
        assert_eq!(error.pointer, "/json/a~1b/1");
        assert!(Template::parse(&json!({"${x}": 1}), "").is_err());
    }
}
