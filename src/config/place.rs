//! Where something stands: a path inside the config, and a place in a file or the environment.

use std::fmt;
use std::sync::Arc;

use super::words::quoted;

/// A path inside the config, kept as a JSON pointer (RFC 6901), shown as `targets.chat.pause[0].from`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(String);

impl Path {
    /// The whole config.
    pub fn root() -> Self {
        Self::default()
    }

    /// From a JSON pointer.
    pub fn from_pointer(pointer: &str) -> Self {
        Self(pointer.to_owned())
    }

    /// From the keys on the way.
    pub fn of(keys: &[&str]) -> Self {
        keys.iter().fold(Self::root(), |path, key| path.key(key))
    }

    /// One step down, to a field or a name.
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}/{}", self.0, key.replace('~', "~0").replace('/', "~1")))
    }

    /// One step down, to an item of a list (counted from 0).
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// Several steps down, by a dotted text of plain field names.
    pub fn dotted(&self, fields: &str) -> Self {
        fields.split('.').fold(self.clone(), |path, field| path.key(field))
    }

    /// One step up.
    pub fn parent(&self) -> Option<Self> {
        self.0.rfind('/').map(|at| Self(self.0[..at].to_owned()))
    }

    /// The keys from the root.
    pub fn steps(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(unescape)
    }

    /// The last key.
    pub fn last(&self) -> Option<String> {
        self.0.rfind('/').map(|at| unescape(&self.0[at + 1..]))
    }

    /// Whether `self` is `other` or lies inside it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The same path with another beginning: `/targets/chat/tls` moved from `/targets/chat` to `/defaults`.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        self.is_within(from).then(|| Self(format!("{}{}", to.0, &self.0[from.0.len()..])))
    }

    /// As a JSON pointer.
    pub fn as_pointer(&self) -> &str {
        &self.0
    }
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps().enumerate() {
            let plain = step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            match step.parse::<usize>() {
                Ok(index) if number > 0 => write!(f, "[{index}]")?,
                _ if plain && !step.is_empty() => {
                    write!(f, "{}{step}", if number == 0 { "" } else { "." })?;
                }
                _ => write!(f, "{}{}", if number == 0 { "" } else { "." }, quoted(&step))?,
            }
        }
        Ok(())
    }
}

/// Where a key or a value was written. Sorted as a reader meets them: files, then the environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In a file; line and column count from 1, the column in characters.
    File {
        /// The file's name as it was given.
        file: Arc<str>,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In a variable of the environment.
    Variable(Arc<str>),
    /// On the command line.
    Argument,
    /// Nowhere: what stands nowhere else is missing as a whole.
    Missing,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => f.write_str(name),
            Self::Argument => f.write_str("command line"),
            Self::Missing => f.write_str("config"),
        }
    }
}

/// The places of a key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Of the key; of the value, for an item of a list.
    pub key: Place,
    /// Of the value.
    pub value: Place,
    /// The number of the last layer that says something here.
    pub layer: usize,
    /// The key stands there without any value, not even `null`.
    pub empty: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_people_write_them() {
        let path = Path::of(&["targets", "chat", "pause"]).index(0).key("from");
        assert_eq!(path.to_string(), "targets.chat.pause[0].from");
        assert_eq!(Path::of(&["headers", "a/b~c"]).to_string(), r#"headers."a/b~c""#);
        assert_eq!(Path::of(&["headers", "a/b~c"]).last().as_deref(), Some("a/b~c"));
        assert!(Path::of(&["a", "b"]).is_within(&Path::of(&["a"])));
        assert!(!Path::of(&["ab"]).is_within(&Path::of(&["a"])));
        let moved = path.moved(&Path::of(&["targets", "chat"]), &Path::of(&["defaults"]));
        assert_eq!(moved.map(|p| p.to_string()).as_deref(), Some("defaults.pause[0].from"));
    }
}
