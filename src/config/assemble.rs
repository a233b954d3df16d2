//! From a config that fits the schema to the plan, by the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::dialects::{DialectFile, Dialects};
use super::otlp::otlp;
use super::place::Path;
use super::plan::{Job, Module, Plan, Slo, Target};
use super::refused::take;
use super::route::{Routes, guard};
use super::settings::{AgentSettings, Allow, SloSettings, TargetSettings};
use super::validate::{self, Report};
use super::words::is_secret;
use crate::checks::CheckSpec;
use crate::wire::AddressGuard;

/// Applies the rules and puts the plan together, as far as it goes; `None` if not even the agent's own settings
/// can be read.
pub fn assemble(report: &mut Report<'_>, mut config: Value, now: Timestamp) -> Option<Plan> {
    let targets = entries(&mut config, "targets");
    let modules = entries(&mut config, "modules");
    take(&mut config, "defaults");
    let agent: Option<AgentSettings> = read(report, &Path::root(), config);
    if let Some(agent) = &agent {
        validate::agent(report, agent);
    }
    let sharding = agent.as_ref().and_then(|agent| agent.sharding.as_ref());
    let shard = sharding.and_then(|sharding| validate::sharding(report, sharding));
    let otlp = agent.as_ref().and_then(|agent| otlp(report, agent.otlp.as_ref()));
    validate::entry_names(report, "targets", targets.keys().map(String::as_str));
    validate::entry_names(report, "modules", modules.keys().map(String::as_str));
    let user_agent = agent.as_ref().map(AgentSettings::user_agent).unwrap_or_default();
    let mut assembler =
        Assembler { report, now, routes: Routes::new(user_agent), dialects: Dialects::default() };
    let targets: Vec<_> =
        targets.into_iter().filter_map(|(name, value)| assembler.target(&name, value)).collect();
    let modules: Vec<_> =
        modules.into_iter().filter_map(|(name, value)| assembler.module(&name, value)).collect();
    let mut plan = Plan { otlp, shard, ..Plan::new(agent?) };
    plan.modules = modules.into_iter().map(|module| (module.name.clone(), Arc::new(module))).collect();
    for (target, checks) in targets {
        let target = Arc::new(target);
        plan.jobs.extend(checks.into_iter().map(|(check, slo)| Job::new(&plan.agent, &target, check, slo)));
        plan.targets.push(target);
    }
    Some(plan)
}

/// A check, and its objective.
type WithObjective = (CheckSpec, Option<Slo>);

struct Assembler<'a, 'r> {
    report: &'a mut Report<'r>,
    now: Timestamp,
    routes: Routes,
    dialects: Dialects,
}

impl Assembler<'_, '_> {
    fn target(&mut self, name: &str, mut value: Value) -> Option<(Target, Vec<WithObjective>)> {
        let path = Path::of(&["targets", name]);
        let objectives = self.objectives(&path, &mut value);
        let settings: TargetSettings = read(self.report, &path, value)?;
        let before = self.report.problems.len();
        let read = self.dialects.read(self.report, &path.key("dialect"), &settings.dialect);
        let dialect = read.as_ref().map(|read| &*read.dialect);
        let parsed = validate::target(self.report, &path, &settings, dialect, self.now);
        let with_objective = |check: CheckSpec| {
            let settings = objectives.get(check.kind());
            let path = path.key("checks").key(check.kind()).key("slo");
            let slo = settings.and_then(|slo| validate::slo(self.report, &path, slo, &check));
            (check, slo)
        };
        let checks = parsed.checks.into_iter().map(with_objective).collect();
        let DialectFile { dialect, fingerprint } = read?;
        if self.report.problems.len() > before {
            return None;
        }
        let route = self.routes.route(self.report, &path, &settings, &dialect, AddressGuard::any())?;
        let (observed, issuer) = (route.observed().cloned(), route.issuer().cloned());
        // The validator has passed the URL.
        let endpoint = route.endpoint(parsed.url?).ok()?;
        let target = Target {
            name: name.into(),
            endpoint,
            dialect,
            settings,
            pauses: parsed.pauses,
            observed,
            issuer,
            fingerprint: format!("{} {fingerprint}", route.fingerprint),
        };
        Some((target, checks))
    }

    /// Takes the objectives out of the checks, which know nothing of them.
    fn objectives(&mut self, path: &Path, value: &mut Value) -> BTreeMap<String, SloSettings> {
        let Some(Value::Object(checks)) = value.get_mut("checks") else { return BTreeMap::new() };
        let mut objectives = BTreeMap::new();
        for (kind, check) in checks {
            let path = path.key("checks").key(kind).key("slo");
            let settings = take(check, "slo").and_then(|slo| read(self.report, &path, slo));
            objectives.extend(settings.map(|settings| (kind.clone(), settings)));
        }
        objectives
    }

    fn module(&mut self, name: &str, mut value: Value) -> Option<Module> {
        let path = Path::of(&["modules", name]);
        let allow = take(&mut value, "allow").unwrap_or_else(|| json!({}));
        let allow: Allow = read(self.report, &path.key("allow"), allow)?;
        for kind in self.objectives(&path, &mut value).keys() {
            let path = path.key("checks").key(kind).key("slo");
            self.report.problem_of_key(
                &path,
                "a module runs when it is asked to, so that it has no objective; remove it",
            );
        }
        let settings: TargetSettings = read(self.report, &path, value)?;
        let before = self.report.problems.len();
        let read = self.dialects.read(self.report, &path.key("dialect"), &settings.dialect);
        let dialect = read.as_ref().map(|read| &*read.dialect);
        let check = validate::module(self.report, &path, &allow, &settings, dialect)?;
        let dialect = read?.dialect;
        if self.report.problems.len() > before {
            return None;
        }
        let route = self.routes.route(self.report, &path, &settings, &dialect, guard(&allow.addresses))?;
        Some(Module { name: name.into(), allow, settings, dialect, check, route })
    }
}

fn entries(config: &mut Value, map: &str) -> Map<String, Value> {
    match take(config, map) {
        Some(Value::Object(entries)) => entries,
        _ => Map::new(),
    }
}

/// Into the type. What the schema has passed fits; this reports what would slip through it.
pub fn read<T: DeserializeOwned>(report: &mut Report<'_>, at: &Path, value: Value) -> Option<T> {
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
