//! From files and environment to a [`Plan`], with all mistakes at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::cascade::cascade;
use super::environment;
use super::layers::{Layer, Layered, merge};
use super::locate::{Locator, Origins};
use super::place::{Mark, Path, Place};
use super::plan::{Job, Module, Plan, Target, TargetUrl};
use super::problem::{Problem, Problems, Warning, tidy};
use super::schema::schema;
use super::settings::{AgentSettings, Allow, TargetSettings};
use super::structure::{drop_null_items, remove, violations};
use super::tree::{MAX_BYTES, Marks, parse};
use super::validate::{self, Files, Machine, Report};
use super::words::is_secret;

/// A plan, and what is odd about its config.
pub type Loaded = Result<(Plan, Vec<Warning>), Problems>;

/// Reads files, the later over the earlier, and `GATEPROBE__...` variables over them all.
///
/// # Errors
/// All mistakes of all layers.
pub fn load(paths: &[PathBuf], environment: impl IntoIterator<Item = (String, String)>) -> Loaded {
    Loader::new(environment, &Machine, Timestamp::now()).files(paths).load()
}

/// A plan with one target, for `gateprobe check URL` without any file. Variables of the environment count,
/// `GATEPROBE__DEFAULTS__...` too. The target's name is made of the URL's host.
///
/// # Errors
/// All mistakes of the URL and the environment.
pub fn for_url(url: &str, environment: impl IntoIterator<Item = (String, String)>) -> Loaded {
    Loader::new(environment, &Machine, Timestamp::now()).url(url).load()
}

/// Reads a config step by step.
pub struct Loader<'a> {
    environment: BTreeMap<String, String>,
    files: &'a dyn Files,
    now: Timestamp,
    layers: Vec<Layer>,
    argument: Option<Layer>,
    problems: Vec<Problem>,
    broken: bool,
}

impl<'a> Loader<'a> {
    /// With the environment, the machine's files and the time of day given, so that tests need none.
    pub fn new(
        environment: impl IntoIterator<Item = (String, String)>,
        files: &'a dyn Files,
        now: Timestamp,
    ) -> Self {
        Self {
            environment: environment.into_iter().collect(),
            files,
            now,
            layers: Vec::new(),
            argument: None,
            problems: Vec::new(),
            broken: false,
        }
    }

    /// Adds files, the later over the earlier.
    pub fn files(mut self, paths: &[PathBuf]) -> Self {
        for path in paths {
            let name = path.display().to_string();
            match self.files.read_at_most(path, MAX_BYTES + 1) {
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

    /// Adds the text of a file.
    pub fn text(mut self, name: &str, bytes: &[u8]) -> Self {
        let tree = parse(name, bytes);
        self.problems.extend(tree.problems);
        self.broken |= tree.broken;
        self.layers.push(Layer { name: name.to_owned(), value: tree.value, marks: tree.marks });
        self
    }

    /// Adds a target by its URL, over everything else.
    pub fn url(mut self, url: &str) -> Self {
        let name = name_of(url);
        let mark = Mark { key: Place::Argument, value: Place::Argument, layer: 0, empty: false };
        let paths = [vec![], vec!["targets"], vec!["targets", &name], vec!["targets", &name, "url"]];
        let marks: Marks = paths.iter().map(|keys| (Path::of(keys), mark.clone())).collect();
        let value = json!({ "targets": { name.as_str(): { "url": url } } });
        self.argument = Some(Layer { name: "command line".into(), value, marks });
        self
    }

    /// Merges, checks, and makes the plan.
    ///
    /// # Errors
    /// All mistakes.
    pub fn load(self) -> Loaded {
        self.load_traced().map(|(plan, warnings, _)| (plan, warnings))
    }

    /// Like [`Self::load`], and keeps where each setting was written.
    ///
    /// # Errors
    /// All mistakes.
    pub fn load_traced(mut self) -> Result<(Plan, Vec<Warning>, Origins), Problems> {
        let Some(layered) = self.layered() else { return Err(failed(self.problems)) };
        let Layered { mut value, marks } = layered;
        let locator = Locator::new(&marks);
        let mut refused: Vec<Path> = Vec::new();
        let found = violations(schema(), &value);
        for violation in found {
            let (place, path) = locator.find_at(&violation.path, violation.at);
            self.problems.push(Problem::new(place, path, violation.message));
            if let Some(path) = &violation.prune {
                remove(&mut value, path);
            }
            refused.push(violation.path);
        }
        drop_null_items(&mut value);
        let mut report = Report::new(locator, &refused, self.files, &self.environment);
        let plan = build(&mut report, value, self.now);
        let Report { problems, mut warnings, .. } = report;
        self.problems.extend(problems);
        tidy(&mut warnings);
        match (Problems::from_list(self.problems), plan) {
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

fn failed(mut problems: Vec<Problem>) -> Problems {
    let reason = "can't be read, for no reason that gateprobe has a name for: please report it";
    loop {
        if let Some(problems) = Problems::from_list(problems) {
            return problems;
        }
        problems = vec![Problem::new(Place::Missing, Path::root(), reason)];
    }
}

/// Applies the rules and puts the plan together; `None` if something essential is missing.
fn build(report: &mut Report<'_>, mut config: Value, now: Timestamp) -> Option<Plan> {
    let targets = entries(&mut config, "targets");
    let modules = entries(&mut config, "modules");
    remove(&mut config, &Path::of(&["defaults"]));
    let agent: Option<AgentSettings> = read(report, &Path::root(), config);
    if let Some(agent) = &agent {
        validate::agent(report, agent);
    }
    validate::entry_names(report, "targets", targets.keys().map(String::as_str));
    validate::entry_names(report, "modules", modules.keys().map(String::as_str));
    if targets.is_empty() && modules.is_empty() {
        let message = "nothing to watch; write targets: {NAME: {url: wss://HOST/PATH}}, or modules";
        report.problem_of(&[Path::of(&["targets"]), Path::of(&["modules"])], message);
    }
    let modules = modules.into_iter().filter_map(|(name, value)| module(report, &name, value));
    let modules = modules.map(|module| (module.name.clone(), Arc::new(module))).collect();
    let parsed: Vec<_> =
        targets.into_iter().filter_map(|(name, value)| target(report, &name, value, now)).collect();
    let agent = agent?;
    let mut plan = Plan { targets: Vec::new(), jobs: Vec::new(), modules, agent };
    for (target, checks) in parsed {
        let target = Arc::new(target);
        let trusted = target.settings.tls.ca_file.as_ref().and_then(|file| report.files.read(file).ok());
        let job = |check| Job::new(&plan.agent, &target, trusted.as_deref(), check);
        plan.jobs.extend(checks.into_iter().map(job));
        plan.targets.push(target);
    }
    Some(plan)
}

type Checked = (Target, Vec<crate::checks::CheckSpec>);

fn target(report: &mut Report<'_>, name: &str, value: Value, now: Timestamp) -> Option<Checked> {
    let path = Path::of(&["targets", name]);
    let settings: TargetSettings = read(report, &path, value)?;
    let parsed = validate::target(report, &path, &settings, now);
    let url = TargetUrl::new(parsed.url?);
    Some((Target { name: name.into(), url, settings, pauses: parsed.pauses }, parsed.checks))
}

fn module(report: &mut Report<'_>, name: &str, mut value: Value) -> Option<Module> {
    let path = Path::of(&["modules", name]);
    let allow = value.as_object_mut().and_then(|map| map.remove("allow")).unwrap_or_else(|| json!({}));
    let allow: Allow = read(report, &path.key("allow"), allow)?;
    let settings: TargetSettings = read(report, &path, value)?;
    let check = validate::module(report, &path, &allow, &settings)?;
    Some(Module { name: name.into(), allow, settings, check })
}

fn entries(config: &mut Value, map: &str) -> Map<String, Value> {
    match config.as_object_mut().and_then(|config| config.remove(map)) {
        Some(Value::Object(entries)) => entries,
        _ => Map::new(),
    }
}

/// Into the type. What the schema has passed fits; this reports what would slip through it.
fn read<T: DeserializeOwned>(report: &mut Report<'_>, at: &Path, value: Value) -> Option<T> {
    match serde_path_to_error::deserialize(value) {
        Ok(value) => Some(value),
        Err(error) => {
            let path = error.path().iter().fold(at.clone(), |path, segment| path.key(&segment.to_string()));
            let reason = if is_secret(&path) { "does not fit".into() } else { error.inner().to_string() };
            report.problem(&path, reason);
            None
        }
    }
}

/// A name for a target out of its URL's host, such as `gw-example-com-8443`.
fn name_of(url: &str) -> String {
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
