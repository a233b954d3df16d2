//! The rules that a schema can't express. Each finding is collected; none stops the others.

mod agent;
mod auth;
mod checks;
mod connection;
mod dialect;
mod headers;
mod module;
mod names;
mod oauth2;
mod observe;
mod otlp;
mod slo;
mod target;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use agent::{agent, sharding};
pub use dialect::dialect;
pub use module::module;
pub use names::{entry_names, target_labels};
pub use otlp::{interval as otlp_interval, is_header_name, otlp, timeout as otlp_timeout};
pub use slo::slo;
pub use target::target;

use super::folder;
use super::locate::{At, Locator};
use super::place::{Path, Place};
use super::problem::{Problem, Warning};
use super::refused::Refused;
use super::sources::Reader;

/// Collects what the rules find.
pub struct Report<'a> {
    locator: Locator<'a>,
    /// What the schema has refused: rules that look at it stay silent.
    refused: &'a Refused,
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Mistakes.
    pub problems: Vec<Problem>,
    /// Oddities.
    pub warnings: Vec<Warning>,
    /// Reads what the config names.
    pub files: Reader,
}

impl<'a> Report<'a> {
    /// Nothing found yet.
    pub fn new(
        locator: Locator<'a>,
        refused: &'a Refused,
        environment: &'a BTreeMap<String, String>,
    ) -> Self {
        let (problems, warnings) = (Vec::new(), Vec::new());
        Self { locator, refused, environment, problems, warnings, files: Reader::default() }
    }

    /// A mistake in a value.
    pub fn problem(&mut self, path: &Path, message: impl Into<String>) {
        self.problem_of(std::slice::from_ref(path), message);
    }

    /// A mistake that lies in several values together: told at the first that the target itself has, or
    /// else at the first that is written somewhere.
    pub fn problem_of(&mut self, paths: &[Path], message: impl Into<String>) {
        if let Some(problem) = self.located(paths, message.into(), At::Value) {
            self.problems.push(problem);
        }
    }

    /// A mistake in a key.
    pub fn problem_of_key(&mut self, path: &Path, message: impl Into<String>) {
        if let Some(problem) = self.located(std::slice::from_ref(path), message.into(), At::Key) {
            self.problems.push(problem);
        }
    }

    /// An oddity in a value.
    pub fn warning(&mut self, path: &Path, message: impl Into<String>) {
        if let Some(warning) = self.located(std::slice::from_ref(path), message.into(), At::Value) {
            self.warnings.push(warning);
        }
    }

    /// Whether somebody wrote the setting, in the target or in `defaults`.
    pub fn is_written(&self, path: &Path) -> bool {
        self.locator.is_given(&self.refused.original(path))
    }

    /// Whether a target itself says something, and not only `defaults`.
    pub fn is_targets_own(&self, path: &Path) -> bool {
        self.locator.layer(path).is_some()
    }

    /// Whether a target is there for one command: its URL was typed, and nobody watches it afterwards.
    pub fn is_typed(&self, target: &Path) -> bool {
        let url = self.refused.original(&target.key("url"));
        matches!(self.locator.find_at(&url, At::Value).0, Place::Argument)
    }

    /// The folder of the file that a value stands in; empty where it stands in no plain file.
    pub fn folder(&self, path: &Path) -> PathBuf {
        match self.locator.find_at(&self.refused.original(path), At::Value).0 {
            Place::File { file, .. } => folder::of_file(&file),
            _ => PathBuf::new(),
        }
    }

    fn located(&self, paths: &[Path], message: String, at: At) -> Option<Problem> {
        let paths: Vec<Path> = paths.iter().map(|path| self.refused.original(path)).collect();
        if paths.iter().any(|path| self.refused.touches(path)) {
            return None;
        }
        let own = paths.iter().find(|path| self.locator.layer(path).is_some());
        let given = own.or_else(|| paths.iter().find(|path| self.locator.is_given(path)));
        let (place, path) = self.locator.find_at(given.or(paths.first())?, at);
        Some(Problem::new(place, path, message))
    }
}
