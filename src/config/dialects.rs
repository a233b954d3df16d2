//! Dialects: presets and files, each read once, with all mistakes of a file at once.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use sha1::{Digest, Sha1};

use super::assemble::read;
use super::files;
use super::locate::Locator;
use super::place::{Path, Place};
use super::problem::{Problem, Problems};
use super::refused::Refused;
use super::schema::dialect_schema;
use super::sources::Use;
use super::structure::violations;
use super::tree::{Tree, parse};
use super::validate::{self, Report};
use super::words::{nearest, quoted};
use crate::dialect::{Dialect, Spec, preset, presets};

/// A dialect that was read, and what tells its content from another.
#[derive(Debug, Clone)]
pub struct DialectFile {
    /// The dialect.
    pub dialect: Arc<Dialect>,
    /// A hash of the file.
    pub fingerprint: String,
}

/// Dialects by where they come from; those with mistakes are told once.
#[derive(Default)]
pub struct Dialects(HashMap<Source, Option<DialectFile>>);

/// Where a dialect comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    /// It comes with gateprobe.
    Preset(&'static str),
    /// A file of the user's.
    File(PathBuf),
}

impl Dialects {
    /// The dialect that the setting at `path` names. What is wrong with it is reported.
    pub fn read(&mut self, report: &mut Report<'_>, path: &Path, name: &str) -> Option<DialectFile> {
        let source = match Source::named(name, &report.folder(path)) {
            Ok(source) => source,
            Err(message) => {
                report.problem(path, message);
                return None;
            }
        };
        if let Some(known) = self.0.get(&source) {
            return known.clone();
        }
        let bytes = source.bytes(|file| report.files.read(file, Use::Kept));
        let unreadable = |error: &std::io::Error| format!("{source} can't be read: {error}");
        let bytes = bytes.map_err(|error| report.problem(path, unreadable(&error))).ok()?;
        let file = source.parse(&bytes).map_err(|problems| report.problems.extend(problems)).ok();
        self.0.insert(source, file.clone());
        file
    }
}

/// Reads a dialect by the name of a preset, or by the path of a file that ends in `.yaml` or `.yml`.
///
/// # Errors
/// All mistakes.
pub fn read_dialect(name: &str) -> Result<Dialect, Problems> {
    let wrong = |message: String| vec![Problem::new(Place::Argument, Path::root(), message)];
    let read = || {
        let source = Source::named(name, FilePath::new("")).map_err(wrong)?;
        let bytes =
            source.bytes(files::read).map_err(|error| wrong(format!("{source} can't be read: {error}")))?;
        source.parse(&bytes)
    };
    match read() {
        Ok(file) => Ok(Arc::unwrap_or_clone(file.dialect)),
        Err(problems) => Err(Problems::from_list(problems).unwrap_or_else(Problems::unknown)),
    }
}

impl Source {
    fn named(name: &str, folder: &FilePath) -> Result<Self, String> {
        if let Some(preset) = presets().find(|preset| *preset == name) {
            return Ok(Self::Preset(preset));
        }
        if name.ends_with(".yaml") || name.ends_with(".yml") {
            return Ok(Self::File(folder.join(name)));
        }
        let hint = nearest(name, presets()).map(|nearest| format!("; did you mean {nearest}?"));
        let known: Vec<&str> = presets().collect();
        Err(format!(
            "{} is no dialect; write one of {}, or the path of a file that ends in .yaml{}",
            quoted(name),
            known.join(", "),
            hint.unwrap_or_default()
        ))
    }

    fn bytes(&self, read: impl Fn(&FilePath) -> std::io::Result<Vec<u8>>) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Preset(name) => Ok(preset(name).unwrap_or_default().as_bytes().to_vec()),
            Self::File(path) => read(path),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<DialectFile, Vec<Problem>> {
        let dialect = dialect(parse(&self.to_string(), bytes))?;
        Ok(DialectFile { dialect: Arc::new(dialect), fingerprint: format!("{:x}", Sha1::digest(bytes)) })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// From a file's tree to the dialect: held against the schema, then compiled.
fn dialect(tree: Tree) -> Result<Dialect, Vec<Problem>> {
    let Tree { mut value, marks, mut problems, broken } = tree;
    if broken {
        return Err(problems);
    }
    let locator = Locator::new(&marks);
    let mut refused = Refused::default();
    for violation in violations(dialect_schema(), &value) {
        let (place, path) = locator.find_at(&violation.path, violation.at);
        problems.push(Problem::new(place, path, violation.message));
        refused.add(violation.path, violation.prune);
    }
    let texts = value.clone();
    refused.prune(&mut value);
    let environment = BTreeMap::new();
    let mut report = Report::new(locator, &refused, &environment);
    let spec: Option<Spec> = read(&mut report, &Path::root(), value);
    let compiled = spec.as_ref().map(|spec| {
        validate::dialect(&mut report, spec, &texts);
        Dialect::compile(spec).map_err(|errors| {
            for error in errors {
                report.problem(&Path::from_pointer(&error.pointer), error.message);
            }
        })
    });
    problems.extend(report.problems);
    match compiled {
        Some(Ok(dialect)) if problems.is_empty() => Ok(dialect),
        _ => Err(problems),
    }
}
