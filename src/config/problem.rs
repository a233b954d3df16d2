//! What is wrong in a config, where, and what to write instead.

use std::fmt;

use super::place::{Path, Place};

/// One mistake. Shown on one line: place, path, what is wrong, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// Which setting.
    pub path: Path,
    /// What is wrong and what is allowed, without secrets.
    pub message: String,
}

/// What a URL is called that is an argument by itself.
pub(super) const URL: &str = "URL";

/// The settings of a target that the command line has arguments for.
const ARGUMENTS: [(&str, &str); 6] = [
    ("url", URL),
    ("auth.place", "--token-place"),
    ("auth", "--token-file"),
    ("tls.ca_file", "--ca-file"),
    ("dialect", "--dialect"),
    ("checks.zombie.window", "--zombie-window"),
];

/// Something odd that the agent can live with. Shown like a [`Problem`].
pub type Warning = Problem;

impl Problem {
    /// What it says of which setting, wherever that stands: a line more above it in the file makes no other problem.
    pub fn gist(&self) -> String {
        match self.place {
            Place::File { .. } => format!("{}: {}", self.path, self.message),
            _ => self.to_string(),
        }
    }

    /// A problem at a place.
    pub fn new(place: Place, path: Path, message: impl Into<String>) -> Self {
        Self { place, path, message: message.into() }
    }

    /// Of a target that stands on the command line: by the name of the argument that set it there, its URL by `url`.
    #[must_use]
    pub fn named_as_typed(mut self, target: &Path, url: &str) -> Self {
        let inside = self.path.moved(target, &Path::root()).filter(|_| self.place == Place::Argument);
        let argument = inside.and_then(|inside| {
            ARGUMENTS.iter().find(|(fields, _)| inside.is_within(&Path::root().dotted(fields)))
        });
        if let Some((_, argument)) = argument {
            self.path = Path::of(&[if *argument == URL { url } else { *argument }]);
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if self.path != Path::root() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// All that is wrong, sorted by place and without repetitions; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `None` when nothing is wrong.
    pub fn from_list(mut list: Vec<Problem>) -> Option<Self> {
        tidy(&mut list);
        (!list.is_empty()).then_some(Self(list))
    }

    /// See [`Problem::named_as_typed`]. What is wrong with several targets by one argument is told once.
    #[must_use]
    pub fn named_as_typed(self, target: &Path, url: &str) -> Self {
        let mut named = self.0.into_iter().map(|problem| problem.named_as_typed(target, url)).collect();
        tidy(&mut named);
        Self(named)
    }

    /// For what failed without a word.
    pub(super) fn unknown() -> Self {
        let reason = "can't be read, for no reason that gateprobe has a name for: please report it";
        Self(vec![Problem::new(Place::Missing, Path::root(), reason)])
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if number == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Sorts by place and drops repetitions: a mistake in `defaults` is found once for each target.
pub fn tidy(list: &mut Vec<Problem>) {
    list.sort();
    list.dedup();
}
