//! `gateprobe check`: runs once, tells what happened, and exits accordingly.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::output::Output;
use super::render::{self, Style};
use super::{Exit, files, interrupted, logging, progress, typed, unknown};
use crate::agent::Setup;
use crate::checks::{CheckSpec, Profile};
use crate::config::{self, Plan};
use crate::model::{Outcome, RunReport, Span};
use crate::runner::{Job, advice};
use crate::session::{Budget, Limits};
use crate::store::RunView;

/// Arguments of `gateprobe check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe check wss://chat.example.com/ws\n  \
    gateprobe check wss://chat.example.com/ws --check zombie --zombie-window 20s\n  \
    gateprobe check wss://staging.example.com/ws --check malformed --caution\n  \
    gateprobe check --config gateprobe.yaml            every target of the config\n  \
    gateprobe check chat --check handshake --output json\n  \
    gateprobe check wss://chat.example.com/ws --token-file token --ca-file authority.pem\n  \
    gateprobe check wss://chat.example.com/ws --token-file token --token-place query:access_token\n\n\
    Without a config a URL gets the checks handshake and heartbeat, and with --zombie-window also zombie, unless --check \
    says otherwise.\n\n\
    Exit codes: 0 pass, 1 fail, 2 usage or config, 3 inconclusive or unsupported, 4 gateprobe's own error")]
pub struct Args {
    /// A target of the config, or a URL (ws:// or wss://); every target when absent
    #[arg(value_name = "TARGET|URL")]
    target: Option<String>,
    /// A config file; several are layered, the later one wins [default with a target's name: gateprobe.yaml]
    #[arg(long, short, value_name = "FILE", env = "GATEPROBE_CONFIG", value_delimiter = ',')]
    config: Vec<PathBuf>,
    /// Only this check; may be repeated
    #[arg(long = "check", value_name = "KIND")]
    checks: Vec<String>,
    /// How hard the checks look: what the config does not say is taken from the profile. `suite` and `full` are for
    /// gateways that nobody else uses: a bare URL then gets a budget of 50 connections a second, 500 messages a second
    /// and 200 connections at once. The check `malformed` needs this machine on the allow-list of any firewall first,
    /// in every profile
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// When the gateway promises to let go of a silent connection, at the latest: 20s after the first heartbeat that was
    /// left unanswered
    #[arg(long, value_name = "SPAN")]
    zombie_window: Option<Span>,
    /// Send also what asks more of a gateway than a broken client does, in the check malformed
    #[arg(long)]
    caution: bool,
    /// What the gateway speaks, for a URL: a preset or a file
    #[arg(long, value_name = "NAME|FILE")]
    dialect: Option<String>,
    #[command(flatten)]
    access: Access,
    /// How the results are written: for people, or one JSON array of runs
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Show the timeline of passed runs too
    #[arg(long, short)]
    verbose: bool,
}

/// Runs the checks, side by side within each target's budget.
pub async fn run(args: Args) -> Exit {
    logging::start("error", logging::Format::Text);
    let plan = match plan(&args) {
        Ok(plan) => plan,
        Err(message) => {
            eprintln!("{message}");
            return Exit::Usage;
        }
    };
    let (setup, _watch) = match Setup::standalone(plan) {
        Ok(setup) => setup,
        Err(error) => {
            eprintln!("gateprobe check: {error}");
            return Exit::Agent;
        }
    };
    match jobs(&setup, &args) {
        Ok(jobs) => {
            // Of a config it is a warning already.
            let typed = jobs.iter().filter(|_| args.is_of_url());
            typed.filter_map(advice::before).for_each(|advice| eprintln!("gateprobe check: {advice}"));
            let reports = run_all(&setup, &jobs).await;
            print(&reports, &args);
            exit(&reports)
        }
        Err(message) => {
            eprintln!("gateprobe check: {message}");
            Exit::Usage
        }
    }
}

fn plan(args: &Args) -> Result<Plan, String> {
    let url = args.target.as_deref().filter(|_| args.is_of_url());
    if url.is_some() && !args.config.is_empty() {
        return Err(
            "gateprobe check: a URL is checked without a config; name a target of the config instead".into(),
        );
    }
    if url.is_none() && args.is_about_a_url() {
        return Err(
            "gateprobe check: --token-file, --ca-file and --dialect are for a URL; in a config, write them \
                    to the target: auth, tls and dialect"
                .into(),
        );
    }
    let environment = config::process_environment;
    let loaded = match url {
        Some(url) => config::for_url(url, for_url(args)?, environment()),
        None => {
            let files = files::named_or_here(&args.config, environment()).map_err(|none| {
                let meant = typed::url_meant(args.target.as_deref().unwrap_or("chat.example.com/ws"));
                format!(
                    "gateprobe check: {none}; to check a gateway without a config write its URL, such as {meant}; \
                     else name a config by --config"
                )
            })?;
            let plain = config::load(&files, environment());
            match plain {
                Ok((plan, _)) if args.asks_for_more() => {
                    config::load_with(&files, for_plan(args, &plan), environment())
                }
                plain => plain,
            }
        }
    };
    let (plan, warnings) = loaded.map_err(|problems| problems.to_string())?;
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok(plan)
}

/// The settings of a URL's target.
fn for_url(args: &Args) -> Result<Map<String, Value>, String> {
    let kinds: Vec<&str> = match args.checks.as_slice() {
        // Who says what is promised of zombies wants to know whether it is kept.
        [] if args.zombie_window.is_some() => vec!["handshake", "heartbeat", "zombie"],
        [] => vec!["handshake", "heartbeat"],
        checks => checks.iter().map(String::as_str).collect(),
    };
    if let Some(kind) = kinds.iter().find(|kind| !CheckSpec::KINDS.contains(kind)) {
        let known = unknown(kind, "the checks are", CheckSpec::KINDS.iter().copied());
        return Err(format!("gateprobe check: there is no check {known}"));
    }
    let checks: Map<String, Value> =
        kinds.into_iter().map(|kind| (kind.to_owned(), Value::Object(args.of_check(kind)))).collect();
    let mut settings = Map::new();
    settings.insert("checks".into(), Value::Object(checks));
    if args.profile.is_some_and(|profile| profile != Profile::Light) {
        // Whoever asks for many connections to a URL has nowhere else to grant them.
        let budget = json!({ "connections": 200, "connections_per_second": 50, "messages_per_second": 500 });
        settings.insert("budget".into(), budget);
    }
    settings.extend(args.access.settings()?);
    settings
        .extend(args.dialect.as_ref().map(|dialect| ("dialect".to_owned(), Value::from(dialect.as_str()))));
    Ok(settings)
}

/// What the command line adds to the checks that a config has.
fn for_plan(args: &Args, plan: &Plan) -> Value {
    let mut targets = Map::new();
    for job in &plan.jobs {
        let more = args.of_check(job.key.check);
        if !more.is_empty() {
            let target = targets.entry(&*job.key.target).or_insert_with(|| json!({ "checks": {} }));
            target["checks"][job.key.check] = Value::Object(more);
        }
    }
    json!({ "targets": targets })
}

impl Args {
    fn asks_for_more(&self) -> bool {
        self.profile.is_some() || self.zombie_window.is_some() || self.caution
    }

    fn is_of_url(&self) -> bool {
        self.target.as_ref().is_some_and(|target| target.contains("://"))
    }

    fn is_about_a_url(&self) -> bool {
        self.access.is_asked_for() || self.dialect.is_some()
    }

    /// What the command line says of a check, in the shape of the config.
    fn of_check(&self, kind: &str) -> Map<String, Value> {
        let mut settings = Map::new();
        if self.is_of_url() {
            // It runs once: no run has to be over before the next one.
            settings.insert("interval".into(), json!("30d"));
        }
        if let Some(profile) = self.profile.filter(|_| kind != "handshake") {
            settings.insert("profile".into(), json!(profile));
        }
        if let Some(window) = self.zombie_window.filter(|_| kind == "zombie") {
            settings.insert("window".into(), json!({ "latest": window }));
        }
        if self.caution && kind == "malformed" {
            settings.insert("caution".into(), json!(true));
        }
        settings
    }
}

fn jobs(setup: &Setup, args: &Args) -> Result<Vec<Job>, String> {
    let plan = &setup.plan;
    let wanted = args.target.as_deref().filter(|_| !args.is_of_url());
    if let Some(name) = wanted.filter(|name| plan.target(name).is_none()) {
        let known = unknown(name, "it has", plan.targets.iter().map(|target| &*target.name));
        return Err(format!(
            "the config has no target {known}; a gateway that is not in it is checked by its URL"
        ));
    }
    let kinds: BTreeSet<&str> = plan.jobs.iter().map(|job| job.key.check).collect();
    if let Some(kind) = args.checks.iter().find(|check| !kinds.contains(check.as_str())) {
        let known = unknown(kind, "the checks there are", kinds.iter().copied());
        return Err(format!("no target has a check {known}"));
    }
    let of_target = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let chosen = |kind: &str| args.checks.is_empty() || args.checks.iter().any(|check| check == kind);
    let mut jobs = Vec::new();
    for target in plan.targets.iter().filter(|target| of_target(&target.name)) {
        let budget = Arc::new(Budget::new(Limits::from(&target.settings.budget)));
        let planned = plan.jobs.iter().filter(|job| job.key.target == target.name && chosen(job.key.check));
        jobs.extend(planned.filter_map(|job| setup.job(job, &budget)));
    }
    if jobs.is_empty() {
        return Err("there is nothing to run: that target does not have that check".to_owned());
    }
    // An option that changes nothing would be taken for a check that passed.
    let of_one = [
        ("--zombie-window", args.zombie_window.is_some(), "zombie"),
        ("--caution", args.caution, "malformed"),
    ];
    for (option, _, kind) in of_one.into_iter().filter(|(_, is_there, _)| *is_there) {
        if !jobs.iter().any(|job| job.key.check == kind) {
            let has = |job: &config::Job| job.key.check == kind && of_target(&job.key.target);
            let is_there = args.is_of_url() || plan.jobs.iter().any(has);
            let how = if is_there {
                format!("add --check {kind}")
            } else {
                format!("write checks.{kind} to a target")
            };
            return Err(format!(
                "{option} is for the check {kind}, which is not among those that would run; {how}"
            ));
        }
    }
    Ok(jobs)
}

async fn run_all(setup: &Setup, jobs: &[Job]) -> Vec<RunReport> {
    let cut = CancellationToken::new();
    let open: Vec<Cell<bool>> = jobs.iter().map(|_| Cell::new(true)).collect();
    let run = async |job, open: &Cell<bool>| {
        let reports = setup.runner.run(job, &cut).await;
        open.set(false);
        reports
    };
    let runs = futures_util::future::join_all(jobs.iter().zip(&open).map(|(job, open)| run(job, open)));
    let runs = progress::told(runs, || waits_for(jobs.iter().zip(&open)));
    let stopped = async {
        interrupted().await;
        // The runs end as inconclusive, and are told.
        cut.cancel();
        std::future::pending::<()>().await;
    };
    let reports = tokio::select! {
        reports = runs => reports,
        () = stopped => Vec::new(),
    };
    futures_util::future::join_all(jobs.iter().map(|job| job.shelf.let_go())).await;
    reports.into_iter().flatten().collect()
}

/// What is still waited for: the checks that have not ended, and what the longest of them does.
fn waits_for<'a>(jobs: impl Iterator<Item = (&'a Job, &'a Cell<bool>)> + Clone) -> String {
    let all = jobs.clone().count();
    let open: Vec<&Job> = jobs.filter(|(_, open)| open.get()).map(|(job, _)| job).collect();
    let Some(longest) = open.iter().max_by_key(|job| job.spec.worst_case().get()) else {
        return "closing connections".to_owned();
    };
    let (key, most) = (&longest.key, longest.spec.timeout().told());
    let waits = advice::waits_for(&longest.spec);
    format!(
        "{} of {all} checks done; {} {}: {waits}, {most} at most, again to confirm a finding",
        all - open.len(),
        key.target,
        key.check
    )
}

fn print(reports: &[RunReport], args: &Args) {
    let mut text = match args.output {
        Output::Text => {
            let style = Style::for_stdout();
            let reports = reports.iter().map(|report| {
                let next = report.next.as_ref();
                let next = next.map(|next| format!("\n{}", style.paragraph("  next: ", next)));
                render::report(report, style, args.verbose) + &next.unwrap_or_default()
            });
            reports.collect::<Vec<_>>().join("\n")
        }
        Output::Json => {
            let views: Vec<RunView> = reports.iter().map(RunView::from).collect();
            serde_json::to_string_pretty(&views).unwrap_or_default()
        }
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // A reader that has gone away, such as `head`, wants no more.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// The worst outcome decides; nothing but unsupported checks is no pass.
fn exit(reports: &[RunReport]) -> Exit {
    let any = |wanted: fn(&Outcome) -> bool| reports.iter().any(|report| wanted(&report.outcome));
    if any(|outcome| matches!(outcome, Outcome::Fail(_))) {
        Exit::Fail
    } else if any(|outcome| matches!(outcome, Outcome::Inconclusive(_))) {
        Exit::Inconclusive
    } else if any(|outcome| matches!(outcome, Outcome::Pass)) {
        Exit::Pass
    } else {
        Exit::Inconclusive
    }
}
