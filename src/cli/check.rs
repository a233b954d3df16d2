//! `gateprobe check`: runs once, tells what happened, and exits accordingly.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::render::{self, Style};
use super::{Exit, interrupted, logging};
use crate::agent::{self, AgentError};
use crate::config::{self, Plan};
use crate::model::{Outcome, RunReport};
use crate::runner::Job;
use crate::session::Budget;
use crate::store::RunView;

/// Arguments of `gateprobe check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe check wss://chat.example.com/ws\n  \
    gateprobe check --config gateprobe.yaml            every target of the config\n  \
    gateprobe check chat --check handshake --output json\n\n\
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
    /// How the results are written
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Show the timeline of passed runs too
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    Text,
    /// One JSON array of runs
    Json,
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
    let jobs = match jobs(&plan, &args) {
        Ok(jobs) => jobs,
        Err(message) => {
            eprintln!("gateprobe check: {message}");
            return Exit::Usage;
        }
    };
    match run_all(&plan, &jobs, &args).await {
        Ok(reports) => exit(&reports),
        Err(error) => {
            eprintln!("gateprobe check: {error}");
            Exit::Agent
        }
    }
}

fn plan(args: &Args) -> Result<Plan, String> {
    let url = args.target.as_deref().filter(|target| target.contains("://"));
    let mut files = args.config.clone();
    if files.is_empty() && url.is_none() {
        files.push(PathBuf::from("gateprobe.yaml"));
    }
    let loaded = match url {
        Some(url) => config::for_url(url, &files, std::env::vars()),
        None => config::load(&files, std::env::vars()),
    };
    let (plan, warnings) = loaded.map_err(|problems| problems.to_string())?;
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok(plan)
}

fn jobs(plan: &Plan, args: &Args) -> Result<Vec<Job>, String> {
    let wanted = args.target.as_deref().filter(|target| !target.contains("://"));
    if let Some(name) = wanted.filter(|name| plan.target(name).is_none()) {
        let known: Vec<&str> = plan.targets.iter().map(|target| &*target.target.name).collect();
        return Err(format!("the config has no target `{name}`; it has: {}", known.join(", ")));
    }
    let mut jobs = Vec::new();
    for target in plan.targets.iter().filter(|target| wanted.is_none_or(|name| *target.target.name == *name)) {
        let budget = Arc::new(Budget::new(target.limits));
        let of_target = plan.jobs.iter().filter(|job| job.target == target.target.name);
        let chosen = of_target.filter(|job| {
            args.checks.is_empty() || args.checks.iter().any(|check| check == job.spec.kind())
        });
        jobs.extend(chosen.map(|job| job.ready(target, &budget)));
    }
    if jobs.is_empty() {
        let known: Vec<&str> = plan.jobs.iter().map(|job| job.spec.kind()).collect();
        return Err(format!("nothing to run: the checks there are {}", known.join(", ")));
    }
    Ok(jobs)
}

async fn run_all(plan: &Plan, jobs: &[Job], args: &Args) -> Result<Vec<RunReport>, AgentError> {
    let (runner, _watch) = agent::standalone_runner(plan)?;
    let cut = CancellationToken::new();
    let runs = futures_util::future::join_all(jobs.iter().map(|job| runner.run(job, &cut)));
    let stopped = async {
        interrupted().await;
        cut.cancel();
        std::future::pending::<()>().await;
    };
    let reports = tokio::select! {
        reports = runs => reports,
        () = stopped => Vec::new(),
    };
    let reports: Vec<RunReport> = reports.into_iter().flatten().collect();
    print(&reports, args);
    Ok(reports)
}

fn print(reports: &[RunReport], args: &Args) {
    let mut text = match args.output {
        Output::Text => {
            let style = Style::for_stdout();
            let reports = reports.iter().map(|report| render::report(report, style, args.verbose));
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
