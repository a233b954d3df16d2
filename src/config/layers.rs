//! Layers of config, the later over the earlier, merged by the `config` crate; places kept beside it.

use config::{Config, ConfigError, Map, Source, Value as Merged, ValueKind};
use serde_json::Value;

use super::place::{Mark, Path};
use super::tree::Marks;

/// One source of settings: a file, the environment, or the command line.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The file's name, or what else it is.
    pub name: String,
    /// A mapping.
    pub value: Value,
    /// Where each part of it stands.
    pub marks: Marks,
}

/// All layers in one.
#[derive(Debug, Clone)]
pub struct Layered {
    /// A mapping.
    pub value: Value,
    /// Where each part of it stands: values by the last layer that gives them, mappings by the first.
    pub marks: Marks,
}

/// The `config` crate takes the keys at the top for paths; below this one, each key is taken as it stands.
const ROOT: &str = "root";

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Merged>, ConfigError> {
        Ok(Map::from_iter([(ROOT.to_owned(), to_merged(&self.value, &self.name))]))
    }
}

/// Merges layers: mappings deeply, all else as a whole.
pub fn merge(layers: &[Layer]) -> Result<Layered, ConfigError> {
    let builder = layers.iter().fold(Config::builder(), |builder, layer| builder.add_source(layer.clone()));
    let mut table = builder.build()?.collect()?;
    let value = table.remove(ROOT).map_or_else(|| Value::Object(serde_json::Map::new()), to_json);
    let mut marks = Marks::new();
    for (number, layer) in layers.iter().enumerate() {
        for (path, mark) in &layer.marks {
            add_mark(&mut marks, &value, path, Mark { layer: number, ..mark.clone() });
        }
    }
    Ok(Layered { value, marks })
}

fn add_mark(marks: &mut Marks, value: &Value, path: &Path, mark: Mark) {
    let is_mapping = value.pointer(path.as_pointer()).is_some_and(Value::is_object);
    match marks.get_mut(path) {
        Some(earlier) if is_mapping => earlier.layer = mark.layer,
        _ => {
            marks.insert(path.clone(), mark);
        }
    }
}

fn to_merged(value: &Value, origin: &str) -> Merged {
    let origin_text = origin.to_owned();
    let kind = match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(flag) => ValueKind::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => ValueKind::I64(whole),
            None => ValueKind::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Array(items) => ValueKind::Array(items.iter().map(|item| to_merged(item, origin)).collect()),
        Value::Object(map) => {
            ValueKind::Table(map.iter().map(|(key, value)| (key.clone(), to_merged(value, origin))).collect())
        }
    };
    Merged::new(Some(&origin_text), kind)
}

fn to_json(value: Merged) -> Value {
    match value.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(flag) => flag.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        // Neither YAML nor the environment makes numbers this wide here.
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Array(items) => items.into_iter().map(to_json).collect(),
        ValueKind::Table(table) => {
            let mut fields: Vec<_> = table.into_iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().map(|(key, value)| (key, to_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;
    use serde_json::json;

    fn layer(name: &str, text: &str) -> Layer {
        let tree = parse(name, text.as_bytes());
        assert!(tree.problems.is_empty(), "{:?}", tree.problems);
        Layer { name: name.into(), value: tree.value, marks: tree.marks }
    }

    #[test]
    fn the_later_layer_wins_and_places_follow() {
        let first = layer("a.yaml", "x: {p: 1, q: [1, 2, 3]}\ny: 1\nz.z: 5\n");
        let second = layer("b.yaml", "x:\n  q: [9]\n  r: 2.5\ny: {deep: true}\n");
        let merged = merge(&[first, second]).unwrap();
        assert_eq!(merged.value, json!({"x": {"p": 1, "q": [9], "r": 2.5}, "y": {"deep": true}, "z.z": 5}));
        let place = |path: &str| merged.marks[&Path::from_pointer(path)].key.to_string();
        assert_eq!(place("/x"), "a.yaml:1:1");
        assert_eq!(place("/x/q/0"), "b.yaml:2:7");
        assert_eq!(place("/y"), "a.yaml:2:1");
        assert_eq!(place("/y/deep"), "b.yaml:4:5");
    }

    #[test]
    fn nothing_is_an_empty_mapping() {
        assert_eq!(merge(&[]).unwrap().value, json!({}));
        assert_eq!(merge(&[layer("a.yaml", "")]).unwrap().value, json!({}));
    }
}
