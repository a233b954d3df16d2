//! `gateprobe dialect try`: one conversation with a gateway, printed as it goes.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::agent::Setup;
use crate::cli::access::Access;
use crate::cli::output::Output;
use crate::cli::render::Style;
use crate::cli::{Exit, logging};
use crate::config;
use crate::model::{Outcome, Side, Span, Verdict};
use crate::session::{Budget, Limits, Told, Visit, trial};
use crate::wire::Dialer;

/// Arguments of `gateprobe dialect try`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe dialect try json wss://chat.example.com/ws\n  \
    gateprobe dialect try chat.yaml wss://chat.example.com/ws --token-file token --listen 10s\n\n\
    Exit codes: 0 the gateway speaks the dialect, 1 it does not, 2 usage or a mistake in the dialect,\n\
    3 inconclusive, 4 gateprobe's own error")]
pub struct Args {
    /// A file that ends in .yaml or .yml, or the name of a preset
    #[arg(value_name = "FILE|NAME")]
    dialect: String,
    /// The gateway: ws:// or wss://
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    access: Access,
    /// How long to listen for the gateway's own heartbeat
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    listen: Span,
    /// The one deadline
    #[arg(long, value_name = "SPAN", default_value = "1m")]
    timeout: Span,
    /// How the conversation is written; with json a line for each thing said, the verdict last
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Holds the conversation; the exit code says whether each part went as the dialect says.
pub async fn run(args: &Args) -> Exit {
    logging::start("error", logging::Format::Text);
    let mut settings = match args.access.settings() {
        Ok(settings) => settings,
        Err(message) => {
            eprintln!("{message}");
            return Exit::Usage;
        }
    };
    settings.insert("dialect".into(), json!(args.dialect));
    let plan = match config::for_url(&args.url, settings, config::process_environment()) {
        Ok((plan, _)) => plan,
        Err(problems) => {
            eprintln!("{problems}");
            return Exit::Usage;
        }
    };
    match converse(plan, args).await {
        Ok(verdict) => conclude(&verdict, args.output),
        Err(error) => {
            eprintln!("gateprobe dialect try: {error:#}");
            Exit::Agent
        }
    }
}

async fn converse(plan: config::Plan, args: &Args) -> anyhow::Result<Verdict> {
    let dialer = Dialer::new(&plan.resolver())?;
    let (setup, _watch) = Setup::standalone(plan)?;
    let target = setup.plan.targets.first().and_then(|target| setup.target(&target.name));
    let target = target.ok_or_else(|| anyhow::anyhow!("there is no target"))?;
    let limits = setup.plan.targets.first().map(|target| Limits::from(&target.settings.budget));
    let budget = Arc::new(Budget::new(limits.unwrap_or_default()));
    let deadline = Instant::now() + args.timeout.get();
    let visit = Visit::new(target, &dialer, &budget, None, deadline);
    let mut tell = |told: Told| {
        let line = match args.output {
            Output::Text => in_words(told),
            Output::Json => format!("{}\n", as_json(told)),
        };
        // A reader that has gone away, such as `head`, wants no more.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    };
    let result = timeout_at(deadline, trial(&visit, args.listen.get(), &mut tell)).await;
    Ok(match result {
        Ok(Ok(())) => Verdict::new(Outcome::Pass, "the gateway speaks the dialect"),
        Ok(Err(verdict)) => verdict,
        Err(_) => {
            let phase = visit.evidence.phase();
            Verdict::new(phase.timed_out(), format!("the time-out of {} came in phase {phase}", args.timeout))
        }
    })
}

fn in_words(told: Told) -> String {
    match told {
        Told::Part(part) => format!("\n{part}\n"),
        Told::Good(text) => format!("  ok  {text}\n"),
        Told::Line { at, from, text } => {
            let arrow = if from == Side::Us { "->" } else { "<-" };
            format!("  {:>10}  {arrow} {text}\n", millis(at))
        }
    }
}

fn as_json(told: Told) -> Value {
    match told {
        Told::Part(part) => json!({ "part": part.to_string() }),
        Told::Good(text) => json!({ "ok": text }),
        Told::Line { at, from, text } => {
            let from = if from == Side::Us { "us" } else { "gateway" };
            json!({ "at_seconds": at.as_secs_f64(), "from": from, "text": text })
        }
    }
}

fn conclude(verdict: &Verdict, output: Output) -> Exit {
    let label = verdict.outcome.label();
    let line = match output {
        Output::Json => {
            let (reason, detail) = (verdict.outcome.reason(), &verdict.detail);
            format!("{}", json!({ "outcome": label, "reason": reason, "detail": detail }))
        }
        Output::Text => {
            let reason = verdict.outcome.reason().map(|reason| format!(" {reason}")).unwrap_or_default();
            let head = Style::for_stdout().paint(label, &format!("{}{reason}", label.to_uppercase()));
            format!("\n{head}  {}", verdict.detail)
        }
    };
    let _ = writeln!(std::io::stdout().lock(), "{line}");
    match verdict.outcome {
        Outcome::Pass => Exit::Pass,
        Outcome::Fail(_) => Exit::Fail,
        Outcome::Inconclusive(_) | Outcome::Unsupported(_) => Exit::Inconclusive,
    }
}

fn millis(at: Duration) -> String {
    format!("{:.2} ms", at.as_secs_f64() * 1e3)
}
