//! The two gateways of a verification, from names and URLs.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio_util::sync::DropGuard;

use super::Args;
use crate::agent::Setup;
use crate::checks::{CheckSpec, NetworkSwitch, TokenRefresh};
use crate::cli::files;
use crate::config::{self, Plan, Problems, Twin, Warning, mask_url};
use crate::gate::{Address, Side};
use crate::session::{Budget, Limits};

/// All that is needed to visit both.
pub(super) struct Arms {
    pub(super) setup: Setup,
    pub(super) baseline: Option<Side>,
    pub(super) canary: Side,
    pub(super) _watch: DropGuard,
}

/// Why they can't be visited.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArmsError {
    /// The arguments or the config are wrong.
    #[error("{0}")]
    Usage(String),
    /// gateprobe itself can't.
    #[error("{0}")]
    Agent(String),
}

/// The arms by their names in a plan.
struct Named {
    plan: Plan,
    baseline: Option<String>,
    canary: String,
}

/// Reads the config, and makes both ready.
pub(super) fn load(args: &Args) -> Result<Arms, ArmsError> {
    let Named { plan, baseline, canary } = named(args).map_err(ArmsError::Usage)?;
    let (setup, _watch) = Setup::standalone(plan).map_err(|error| ArmsError::Agent(error.to_string()))?;
    let of_canary = budget(&setup.plan, &canary);
    let of_baseline = match &baseline {
        // The same target twice has one budget.
        Some(name) if *name == canary => Arc::clone(&of_canary),
        Some(name) => budget(&setup.plan, name),
        None => Arc::clone(&of_canary),
    };
    let baseline = baseline.map(|name| side(&setup, &name, &of_baseline));
    let canary = side(&setup, &canary, &of_canary);
    Ok(Arms { setup, baseline, canary, _watch })
}

fn budget(plan: &Plan, name: &str) -> Arc<Budget> {
    let limits = plan.target(name).map(|target| Limits::from(&target.settings.budget));
    Arc::new(Budget::new(limits.unwrap_or_default()))
}

fn side(setup: &Setup, name: &str, budget: &Arc<Budget>) -> Side {
    let url = setup.plan.target(name).map(|target| mask_url(target.endpoint.url.as_str()));
    let planned = setup.plan.jobs.iter().filter(|job| &*job.key.target == name);
    Side {
        address: Address { name: name.to_owned(), url: url.unwrap_or_default() },
        jobs: planned.filter_map(|job| setup.job(job, budget)).collect(),
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

fn named(args: &Args) -> Result<Named, String> {
    let arms = [Some(args.canary.as_str()), args.baseline.as_deref()];
    if arms.into_iter().flatten().all(is_url) {
        return match args.config.as_slice() {
            [] => of_urls(args),
            _ => {
                Err("URLs are verified without a config; name one of the two as a target of the config"
                    .into())
            }
        };
    }
    if args.access.is_asked_for() || args.zombie_window.is_some() {
        return Err(
            "--token-file, --ca-file and --zombie-window are for URLs; in a config, write them to the target: auth, \
             tls and checks.zombie.window"
                .into(),
        );
    }
    let files = files::named_or_here(&args.config, config::process_environment())
        .map_err(|none| format!("{none}; name a config by --config, or write URLs"))?;
    of_config(args, &files)
}

/// Of the config's targets, at least one of them.
fn of_config(args: &Args, files: &[PathBuf]) -> Result<Named, String> {
    let (plain, _) = config::load(files, config::process_environment()).map_err(|all| all.to_string())?;
    let arms = [Some(args.canary.as_str()), args.baseline.as_deref()];
    let targets: Vec<&str> = arms.into_iter().flatten().filter(|arm| !is_url(arm)).collect();
    if let Some(unknown) = targets.iter().find(|name| plain.target(name).is_none()) {
        let known: Vec<&str> = plain.targets.iter().map(|target| &*target.name).collect();
        return Err(format!("the config has no target {unknown:?}; it has: {}", known.join(", ")));
    }
    let twin = |url: &str| {
        let name = free_name(url, |name| plain.target(name).is_some());
        Twin { of: targets[0].to_owned(), name, url: url.to_owned() }
    };
    let twins: Vec<Twin> = arms.into_iter().flatten().filter(|arm| is_url(arm)).map(twin).collect();
    let name =
        |arm: &str| twins.iter().find(|twin| twin.url == arm).map_or(arm, |twin| &twin.name).to_owned();
    let (canary, baseline) = (name(&args.canary), args.baseline.as_deref().map(name));
    let settings = match &args.dialect {
        Some(dialect) => {
            let each = targets.iter().map(|name| ((*name).to_owned(), json!({ "dialect": dialect })));
            json!({ "targets": each.collect::<Map<_, _>>() })
        }
        None => json!({}),
    };
    let loaded = config::load_with_twins(files, twins, settings, config::process_environment());
    let told = Told { canary: &canary, baseline: baseline.as_deref() };
    let (plan, warnings) = loaded.map_err(|problems| told.problems(problems))?;
    told.warnings(warnings);
    Ok(Named { plan, baseline, canary })
}

/// How mistakes are told: by what a person has typed, and of the two gateways alone where nothing is wrong with others.
struct Told<'a> {
    canary: &'a str,
    baseline: Option<&'a str>,
}

impl Told<'_> {
    fn arms(&self) -> impl Iterator<Item = (config::Path, &'static str)> {
        let arms = [(Some(self.canary), "--canary"), (self.baseline, "--baseline")];
        arms.into_iter().filter_map(|(name, option)| Some((config::Path::of(&["targets", name?]), option)))
    }

    fn problems(&self, problems: Problems) -> String {
        self.arms().fold(problems, |all, (target, option)| all.named_as_typed(&target, option)).to_string()
    }

    fn warnings(&self, warnings: Vec<Warning>) {
        let targets = config::Path::of(&["targets"]);
        let takes_part = |warning: &Warning| {
            !warning.path.is_within(&targets)
                || self.arms().any(|(target, _)| warning.path.is_within(&target))
        };
        let named = |warning: Warning| {
            self.arms().fold(warning, |warning, (target, option)| warning.named_as_typed(&target, option))
        };
        let mut told: Vec<String> = Vec::new();
        for warning in warnings.into_iter().filter(takes_part).map(named) {
            let text = warning.to_string();
            if !told.contains(&text) {
                eprintln!("warning: {text}");
                told.push(text);
            }
        }
    }
}

/// Of URLs alone: they get the checks that can be asked of their dialect, `malformed` only where it is named, since
/// a firewall may ban us for it.
fn of_urls(args: &Args) -> Result<Named, String> {
    if let Some(unknown) = args.checks.iter().find(|kind| !CheckSpec::KINDS.contains(&kind.as_str())) {
        let known = CheckSpec::KINDS.join(", ");
        return Err(format!("there is no check {unknown:?}; the checks are: {known}"));
    }
    if args.zombie_window.is_some()
        && !args.checks.is_empty()
        && !args.checks.iter().any(|kind| kind == "zombie")
    {
        // It would be taken for a check that passed.
        return Err(
            "--zombie-window is for the check zombie, which is not among those that would run; add --check zombie"
                .into(),
        );
    }
    let canary = config::name_of(&args.canary);
    let baseline = args.baseline.as_ref().map(|url| free_name(url, |name| name == canary));
    let access = args.access.settings()?;
    let told = Told { canary: &canary, baseline: baseline.as_deref() };
    let load = |kinds: &[&str]| {
        let settings = |url: &str| settings(args, &access, url, kinds);
        let mut targets = Map::new();
        targets.insert(canary.clone(), Value::Object(settings(&args.canary)));
        if let (Some(name), Some(url)) = (&baseline, &args.baseline) {
            targets.insert(name.clone(), Value::Object(settings(url)));
        }
        let settings = json!({ "targets": targets });
        config::load_with(&[], settings, config::process_environment()).map_err(|all| told.problems(all))
    };
    let (plan, warnings) = match args.checks.as_slice() {
        [] => {
            let (plain, _) = load(&["handshake"])?;
            load(&that_fit(args, &plain, &canary))?
        }
        named => load(&named.iter().map(String::as_str).collect::<Vec<_>>())?,
    };
    told.warnings(warnings);
    Ok(Named { plan, baseline, canary })
}

/// The settings of a URL's target.
fn settings(args: &Args, access: &Map<String, Value>, url: &str, kinds: &[&str]) -> Map<String, Value> {
    // Nothing repeats by itself: no run has to be over before the next one is due.
    let of_check = |kind: &str| match args.zombie_window {
        Some(window) if kind == "zombie" => json!({ "interval": "30d", "window": { "latest": window } }),
        _ => json!({ "interval": "30d" }),
    };
    let checks = kinds.iter().map(|kind| ((*kind).to_owned(), of_check(kind)));
    let mut settings = access.clone();
    // Of two gateways, one may do without TLS: that is told by what it brings. Where both do, --ca-file is a mistake.
    let by_tls = |url: &str| url.starts_with("wss:");
    if !by_tls(url)
        && [Some(&args.canary), args.baseline.as_ref()].into_iter().flatten().any(|url| by_tls(url))
    {
        settings.remove("tls");
    }
    settings.insert("url".into(), json!(url));
    settings.insert("checks".into(), Value::Object(checks.collect()));
    if let Some(dialect) = &args.dialect {
        settings.insert("dialect".into(), json!(dialect));
    }
    settings
}

/// The checks that the dialect has all parts for.
fn that_fit(args: &Args, plan: &Plan, name: &str) -> Vec<&'static str> {
    let Some(target) = plan.target(name) else { return Vec::new() };
    let dialect = &target.dialect;
    let fits = |kind: &&str| match *kind {
        "zombie" => args.zombie_window.is_some() || dialect.promises_zombie(),
        "network_switch" => NetworkSwitch::has(dialect),
        "token_refresh" => TokenRefresh::has(dialect) && target.settings.auth.is_some(),
        kind => !matches!(kind, "malformed" | "hold"),
    };
    CheckSpec::KINDS.iter().copied().filter(fits).collect()
}

/// A name for a URL's target that no other has.
fn free_name(url: &str, taken: impl Fn(&str) -> bool) -> String {
    let name = config::name_of(url);
    let numbered = (2_u32..).map(|number| {
        let short: String = name.chars().take(60).collect();
        format!("{short}-{number}")
    });
    let mut names = std::iter::once(name.clone()).chain(numbered).filter(|name| !taken(name));
    names.next().unwrap_or(name)
}
