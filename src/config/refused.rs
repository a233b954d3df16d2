//! What the schema has refused and was taken out of the config, so that the rules can judge the rest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::place::Path;

/// Refused parts of a config.
#[derive(Debug, Default)]
pub struct Refused {
    paths: Vec<Path>,
    to_prune: Vec<Path>,
    /// Which items a list has lost.
    lost: BTreeMap<Path, BTreeSet<usize>>,
}

impl Refused {
    /// Adds what is wrong and what has to go.
    pub fn add(&mut self, path: Path, prune: Option<Path>) {
        self.paths.push(path);
        self.to_prune.extend(prune);
    }

    /// Takes out all that has to go.
    pub fn prune(&mut self, config: &mut Value) {
        for path in &self.to_prune {
            let (Some(parent), Some(last)) = (path.parent(), path.last()) else {
                *config = Value::Object(Map::new());
                return;
            };
            match config.pointer_mut(parent.as_pointer()) {
                Some(Value::Object(map)) => {
                    map.remove(&last);
                }
                Some(Value::Array(_)) => {
                    self.lost.entry(parent).or_default().extend(last.parse::<usize>());
                }
                _ => {}
            }
        }
        // Inner lists first, so that the paths to them still hold.
        for (list, lost) in self.lost.iter().rev() {
            if let Some(Value::Array(items)) = config.pointer_mut(list.as_pointer()) {
                let mut index = 0;
                items.retain(|_| {
                    index += 1;
                    !lost.contains(&(index - 1))
                });
            }
        }
    }

    /// A path in what is left as it was before.
    pub fn original(&self, path: &Path) -> Path {
        if self.lost.is_empty() {
            return path.clone();
        }
        path.steps().fold(Path::root(), |path, step| match (self.lost.get(&path), step.parse::<usize>()) {
            (Some(lost), Ok(index)) => {
                path.index(lost.iter().fold(index, |index, lost| index + usize::from(*lost <= index)))
            }
            _ => path.key(&step),
        })
    }

    /// Whether something at, in or around a path is refused.
    pub fn touches(&self, path: &Path) -> bool {
        self.paths.iter().any(|refused| refused.is_within(path) || path.is_within(refused))
    }
}

/// Takes a field out of a mapping.
pub fn take(config: &mut Value, field: &str) -> Option<Value> {
    config.as_object_mut()?.remove(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_keeps_its_old_paths() {
        let mut config = json!({"a": [0, 1, 2, 3, [4, 5]], "b": {"c": 1, "d": 2}});
        let mut refused = Refused::default();
        for path in ["/a/0", "/a/2", "/a/4/0", "/b/c"] {
            refused.add(Path::from_pointer(path), Some(Path::from_pointer(path)));
        }
        refused.prune(&mut config);
        assert_eq!(config, json!({"a": [1, 3, [5]], "b": {"d": 2}}));
        let original = |path| refused.original(&Path::from_pointer(path)).as_pointer().to_owned();
        assert_eq!(original("/a/0"), "/a/1");
        assert_eq!(original("/a/1"), "/a/3");
        assert_eq!(original("/a/2/0"), "/a/4/1");
        assert_eq!(original("/b/d"), "/b/d");
        assert!(refused.touches(&Path::from_pointer("/b")) && !refused.touches(&Path::from_pointer("/b/d")));
    }
}
