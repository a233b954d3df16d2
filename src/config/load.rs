//! From files and environment to a [`Plan`], with all mistakes at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::assemble::assemble;
use super::cascade::cascade;
use super::environment;
use super::folder;
use super::layers::{Layer, Layered, merge};
use super::locate::{Locator, Origins};
use super::place::{Mark, Path, Place};
use super::plan::Plan;
use super::problem::{Problem, Problems, URL, Warning, tidy};
use super::refused::Refused;
use super::schema::schema;
use super::sources::{Reader, Sources, Use};
use super::structure::violations;
use super::tree::{Marks, parse};
use super::twin::Twin;
use super::unread;
use super::validate::Report;

/// A plan, and what is odd about its config.
pub type Loaded = Result<(Plan, Vec<Warning>), Problems>;

/// Reads files, the later over the earlier, and `GATEPROBE__...` variables over them all.
///
/// # Errors
/// All mistakes of all layers.
pub fn load(paths: &[PathBuf], environment: impl IntoIterator<Item = (String, String)>) -> Loaded {
    Loader::new(environment, Timestamp::now()).files(paths).load()
}

/// The same, and the files that were read or missed on the way: those whose content is in force where all went well,
/// else all, since each may be what has to change.
pub fn load_with_sources(
    paths: &[PathBuf],
    environment: impl IntoIterator<Item = (String, String)>,
) -> (Loaded, Sources) {
    let mut loader = Loader::new(environment, Timestamp::now()).files(paths);
    let loaded = loader.run().map(|(plan, warnings, _)| (plan, warnings));
    let mut sources = std::mem::take(&mut loader.reader).into_sources();
    if loaded.is_ok() {
        sources.retain_kept();
    }
    (loaded, sources)
}

/// The environment of this process. What is not UTF-8 is kept as far as it goes, so that no variable of ours is
/// passed over in silence.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// A plan with one target, for `gateprobe check URL` without any file. Variables of the environment count,
/// `GATEPROBE__DEFAULTS__...` too. The target's name is made of the URL's host.
///
/// # Errors
/// All mistakes of the URL and the environment; those of the command line by the names that they have there.
pub fn for_url(
    url: &str,
    settings: Map<String, Value>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Loaded {
    let loaded = Loader::new(environment, Timestamp::now()).url(url, settings).load();
    let target = Path::of(&["targets", &name_of(url)]);
    let (plan, warnings) = loaded.map_err(|problems| problems.named_as_typed(&target, URL))?;
    Ok((plan, warnings.into_iter().map(|warning| warning.named_as_typed(&target, URL)).collect()))
}

/// Reads files as [`load`] does, with settings of the command line on top, in the shape of a file.
///
/// # Errors
/// All mistakes.
pub fn load_with(
    paths: &[PathBuf],
    settings: Value,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Loaded {
    Loader::new(environment, Timestamp::now()).files(paths).argument(settings).load()
}

/// The same, with targets that are others at a different URL.
///
/// # Errors
/// All mistakes.
pub fn load_with_twins(
    paths: &[PathBuf],
    twins: Vec<Twin>,
    settings: Value,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Loaded {
    let loader = Loader::new(environment, Timestamp::now()).files(paths).argument(settings);
    twins.into_iter().fold(loader, Loader::twin).load()
}

/// Reads a config step by step.
pub struct Loader {
    environment: BTreeMap<String, String>,
    now: Timestamp,
    layers: Vec<Layer>,
    below: Option<String>,
    argument: Option<Layer>,
    twins: Vec<Twin>,
    reader: Reader,
    problems: Vec<Problem>,
    broken: bool,
}

/// A plan, what is odd about its config, and where each setting was written.
type Traced = Result<(Plan, Vec<Warning>, Origins), Problems>;

impl Loader {
    /// With the environment and the time of day given.
    pub fn new(environment: impl IntoIterator<Item = (String, String)>, now: Timestamp) -> Self {
        Self {
            environment: environment.into_iter().collect(),
            now,
            layers: Vec::new(),
            below: None,
            argument: None,
            twins: Vec::new(),
            reader: Reader::default(),
            problems: Vec::new(),
            broken: false,
        }
    }

    /// In all files that are added from here on, the config stands below this key, as in the values of a Helm chart.
    pub fn below(mut self, key: Option<&str>) -> Self {
        self.below = key.map(str::to_owned);
        self
    }

    /// Adds files, the later over the earlier.
    pub fn files(mut self, paths: &[PathBuf]) -> Self {
        for path in paths {
            let name = path.display().to_string();
            match self.reader.read_stream(path, Use::Kept) {
                Ok(bytes) => self = self.text(&name, &bytes),
                Err(error) => {
                    let place = Place::File { file: name.into(), line: 1, column: 1 };
                    self.problems.push(Problem::new(place, Path::root(), format!("can't be read: {error}")));
                    self.broken = true;
                }
            }
        }
        self
    }

    /// Adds the text of a file; relative paths in it begin at its folder.
    pub fn text(mut self, name: &str, bytes: &[u8]) -> Self {
        let tree = parse(name, bytes);
        let mut tree = match &self.below {
            Some(key) => tree.below(key),
            None => tree,
        };
        folder::anchor(&mut tree.value, &folder::of_file(name), schema());
        self.problems.extend(tree.problems);
        self.broken |= tree.broken;
        self.layers.push(Layer { name: name.to_owned(), value: tree.value, marks: tree.marks });
        self
    }

    /// Adds a target by its URL, over everything else.
    pub fn url(self, url: &str, mut settings: Map<String, Value>) -> Self {
        settings.insert("url".into(), url.into());
        let name = name_of(url);
        self.argument(json!({ "targets": { name.as_str(): settings } }))
    }

    /// Adds settings of the command line, over all files and the environment.
    pub fn argument(mut self, value: Value) -> Self {
        let mark = Mark { key: Place::Argument, value: Place::Argument, layer: 0, empty: false };
        let mut marks = Marks::default();
        let mut open = vec![(Path::root(), &value)];
        while let Some((path, value)) = open.pop() {
            open.extend(value.as_object().into_iter().flatten().map(|(key, value)| (path.key(key), value)));
            marks.insert(path, mark.clone());
        }
        self.argument = Some(Layer { name: "command line".into(), value, marks });
        self
    }

    /// Adds a target that is another one at a different URL.
    pub fn twin(mut self, twin: Twin) -> Self {
        self.twins.push(twin);
        self
    }

    /// Merges, checks, and makes the plan.
    ///
    /// # Errors
    /// All mistakes.
    pub fn load(mut self) -> Loaded {
        self.run().map(|(plan, warnings, _)| (plan, warnings))
    }

    /// Like [`Self::load`], and keeps where each setting was written.
    ///
    /// # Errors
    /// All mistakes.
    pub fn load_traced(mut self) -> Traced {
        self.run()
    }

    fn run(&mut self) -> Traced {
        let Some(layered) = self.layered() else { return Err(failed(std::mem::take(&mut self.problems))) };
        let Layered { mut value, marks } = layered;
        let locator = Locator::new(&marks);
        let mut refused = Refused::default();
        let found = violations(schema(), &value);
        for violation in found {
            let (place, path) = locator.find_at(&violation.path, violation.at);
            let meant = environment::meant(&violation.path, &value, locator);
            let message = meant.map(|meant| format!("{}; {meant}", violation.message));
            self.problems.push(Problem::new(place, path, message.unwrap_or(violation.message)));
            refused.add(violation.path, violation.prune);
        }
        refused.prune(&mut value);
        let mut report = Report::new(locator, &refused, &self.environment);
        report.files = std::mem::take(&mut self.reader);
        let plan = assemble(&mut report, value, self.now);
        if self.problems.is_empty() && report.problems.is_empty() && plan.as_ref().is_some_and(Plan::is_empty)
        {
            let message = "nothing to watch; write targets: {NAME: {url: wss://HOST/PATH}}, or modules";
            report.problem(&Path::of(&["targets"]), message);
        }
        let Report { problems, mut warnings, files, .. } = report;
        self.reader = files;
        self.problems.extend(problems);
        warnings.extend(unread::variables(self.environment.keys(), schema()));
        tidy(&mut warnings);
        match (Problems::from_list(std::mem::take(&mut self.problems)), plan) {
            (None, Some(plan)) => Ok((plan, warnings, Origins::new(marks))),
            (Some(problems), _) => Err(problems),
            (None, None) => Err(failed(Vec::new())),
        }
    }

    /// All layers in one; `None` if one of them can't be read.
    fn layered(&mut self) -> Option<Layered> {
        let files = self.merged(&self.layers.clone())?;
        let variables = std::mem::take(&mut self.environment);
        let (layer, problems) =
            environment::read(variables.iter().map(|(k, v)| (k.clone(), v.clone())), schema(), &files.value);
        self.environment = variables;
        self.problems.extend(problems);
        self.layers.push(layer);
        self.layers.extend(self.argument.take());
        let mut layered = self.merged(&self.layers.clone())?;
        self.twins.iter().for_each(|twin| twin.add_to(&mut layered));
        self.problems.extend(cascade(&mut layered, schema()));
        (!self.broken).then_some(layered)
    }

    fn merged(&mut self, layers: &[Layer]) -> Option<Layered> {
        match merge(layers) {
            Ok(layered) => Some(layered),
            Err(error) => {
                self.problems.push(Problem::new(Place::Missing, Path::root(), error.to_string()));
                None
            }
        }
    }
}

fn failed(problems: Vec<Problem>) -> Problems {
    Problems::from_list(problems).unwrap_or_else(Problems::unknown)
}

/// A name for a target out of its URL's host, such as `gw-example-com-8443`.
pub fn name_of(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    let authority = parsed.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}-{port}")))
    });
    let text = authority.unwrap_or_default().to_lowercase();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String = text.chars().map(plain).collect();
    let name: String = name.trim_matches('-').chars().take(63).collect();
    if name.is_empty() { "target".into() } else { name }
}
