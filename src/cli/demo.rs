//! `gateprobe demo`: the agent watches gateways of its own; one gets a fault, is found, and heals.

use std::collections::HashMap;
use std::io::{ErrorKind, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use prometheus::proto::{Metric, MetricFamily};
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::render::{self, Style};
use super::{Exit, interrupted, logging, run, typed};
use crate::agent::Agent;
use crate::gateway::{self, Fault, Handle, Settings, TlsSettings, Token};
use crate::model::{Outcome, Span};
use crate::runner;

/// The demo's own arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe demo                              the gateway `orders` answers 503 for a while\n  \
    gateprobe demo --fault zombies_kept         any fault of `gateprobe gateway --help`\n  \
    gateprobe demo --no-fault --seconds 60      nothing but green, and it ends by itself\n\n\
    Exit codes: 0 ended by Ctrl-C or --seconds, 2 usage, 4 gateprobe's own error")]
pub struct Args {
    /// Where the page and /metrics are served; a free port when this one is taken
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
    /// The fault that comes and goes
    #[arg(long, value_name = "NAME[=VALUE]", default_value = "upgrade_status=503", value_parser = super::fault::parse)]
    fault: Fault,
    /// Leave the gateways healthy
    #[arg(long, conflicts_with = "fault")]
    no_fault: bool,
    /// When the fault comes, after the start; it stays for as long. A bare number is seconds
    #[arg(long, value_name = "SPAN", default_value = "20s", value_parser = typed::seconds)]
    fault_after: Span,
    /// End by itself after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = typed::seconds)]
    seconds: Option<Span>,
}

/// The demo's gateways: one plain, one with TLS, one that wants a token and will get the fault.
struct Stage {
    chat: Handle,
    secure: Handle,
    orders: Handle,
    /// Holds config, authority and token; removed at the end.
    folder: tempfile::TempDir,
}

/// Runs the demo until Ctrl-C.
pub async fn run(args: Args) -> Exit {
    match play(args).await {
        Ok(()) => Exit::Pass,
        // Whoever read along, such as `head`, has seen enough.
        Err(error) if is_broken_pipe(&error) => Exit::Pass,
        Err(error) => {
            eprintln!("gateprobe demo: {error:#}");
            Exit::Agent
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

async fn play(args: Args) -> anyhow::Result<()> {
    logging::start("error", logging::Format::Text);
    // From the start on, or Ctrl-C could leave the stage's folder behind.
    let interrupted = interrupted();
    tokio::pin!(interrupted);
    let stage = Stage::build().await?;
    let (victim, victims_name) = stage.victim(&args.fault)?;
    let config = stage.folder.path().join("gateprobe.yaml");
    let (listener, elsewhere) = match TcpListener::bind(args.listen).await {
        Ok(listener) => (listener, None),
        Err(error) => {
            let listener = TcpListener::bind((args.listen.ip(), 0)).await;
            let why = match error.kind() {
                ErrorKind::AddrInUse => format!("port {} is taken", args.listen.port()),
                _ => format!("port {} can't be had ({error})", args.listen.port()),
            };
            let listener =
                listener.with_context(|| format!("the page can't be served at {}", args.listen))?;
            (listener, Some(why))
        }
    };
    let address = listener.local_addr()?;
    let service =
        run::Service::start(vec![config], Some(listener)).await.map_err(|error| anyhow!("{error}"))?;
    let mut screen = Screen::new(address, elsewhere, victims_name, &args);
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut act = Act::Healthy;
    loop {
        tokio::select! {
            () = &mut interrupted => break,
            _ = ticks.tick() => {}
        }
        if args.seconds.is_some_and(|seconds| began.elapsed() >= seconds.get()) {
            break;
        }
        if !args.no_fault {
            act = act.advance(began.elapsed(), &args, victim)?;
        }
        let rows = rows(&service.agent, screen.style);
        if act == Act::Healing && rows.iter().all(|row| row.passed) {
            act = Act::Healed;
        }
        screen.show(rows, act, &args.fault)?;
    }
    screen.leave()?;
    service.drain(Duration::from_secs(2)).await;
    stage.chat.shutdown().await;
    stage.secure.shutdown().await;
    stage.orders.shutdown().await;
    Ok(())
}

/// Where the play is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Healthy,
    Faulty,
    /// The fault is off, and not every job has passed again.
    Healing,
    Healed,
}

impl Act {
    fn advance(self, elapsed: Duration, args: &Args, victim: &Handle) -> anyhow::Result<Self> {
        let after = args.fault_after.get();
        match self {
            Self::Healthy if elapsed >= after => {
                victim.set_fault(args.fault.clone())?;
                Ok(Self::Faulty)
            }
            Self::Faulty if elapsed >= after * 2 => {
                victim.clear_all();
                Ok(Self::Healing)
            }
            act => Ok(act),
        }
    }

    fn tell(self, fault: &Fault, victim: &str, after: Span) -> String {
        match self {
            Self::Healthy => {
                format!("all gateways are healthy; {after} after the start, `{victim}` gets a fault")
            }
            Self::Faulty => format!("the fault `{fault}` is on at `{victim}`: watch it being found"),
            Self::Healing => format!("the fault is off again: watch `{victim}` heal"),
            Self::Healed => format!("`{victim}` has healed: every check passes again"),
        }
    }
}

impl Stage {
    /// The gateway that gets the fault: `orders`, or the first one at which the fault can show.
    fn victim(&self, fault: &Fault) -> anyhow::Result<(&Handle, &'static str)> {
        let all = [(&self.orders, "orders"), (&self.secure, "secure"), (&self.chat, "chat")];
        let mut refused = Ok(());
        for (gateway, name) in all {
            match gateway.set_fault(fault.clone()) {
                Ok(()) => {
                    gateway.clear_all();
                    return Ok((gateway, name));
                }
                Err(error) => refused = Err(error),
            }
        }
        refused?;
        Err(anyhow!("no gateway of the demo can have the fault {fault}"))
    }

    async fn build() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let hello = Some(r#"{"type":"welcome"}"#.to_owned());
        // Nobody wants to wait long for a demo: what takes a gateway 20 s takes these 2.
        let quick = Settings {
            heartbeat_interval: Some(Duration::from_secs(1)),
            heartbeat_timeout: Duration::from_secs(2),
            ..Settings::default()
        };
        let chat = gateway::start(Settings { hello, ..quick.clone() }).await?;
        let secure = gateway::start(Settings { tls: Some(TlsSettings::loopback()), ..quick.clone() }).await?;
        let token = "a-token-of-the-demo";
        let orders = Settings { token: Token::new(token), ..quick };
        let orders = gateway::start(orders).await?;
        let ca = secure.ca_pem().ok_or_else(|| anyhow!("the gateway has no authority"))?;
        let (ca_file, token_file) = (folder.path().join("ca.pem"), folder.path().join("token"));
        std::fs::write(&ca_file, ca)?;
        std::fs::write(&token_file, token)?;
        let config = config(&chat.url(), &secure.url(), &orders.url(), &ca_file, &token_file);
        std::fs::write(folder.path().join("gateprobe.yaml"), config)?;
        Ok(Self { chat, secure, orders, folder })
    }
}

fn config(chat: &str, secure: &str, orders: &str, ca_file: &Path, token_file: &Path) -> String {
    format!(
        "location: demo
defaults:
  checks:
    handshake: {{ interval: 2s, timeout: 1500ms, close_timeout: 500ms }}
    heartbeat:
      {{ interval: 5s, timeout: 4s, connect_timeout: 1s, pong_timeout: 1s, pings: 5, every: 200ms,
        server: {{ pings: 1s, tolerance: 500ms }} }}
    zombie:
      {{ interval: 8s, timeout: 7800ms, connect_timeout: 1s, pong_timeout: 1s, close_timeout: 1s, tolerance: 500ms,
        beat_within: 1s, window: {{ earliest: 2s, latest: 2s }} }}
targets:
  chat:
    url: {chat}
    dialect: json
    checks: {{ handshake: {{ first_message: {{ kind: text, contains: welcome }} }} }}
  secure:
    url: {secure}
    tls: {{ ca_file: {ca_file:?} }}
  orders:
    url: {orders}
    auth: {{ token: {{ file: {token_file:?} }} }}
    checks: {{ handshake: {{ expect: {{ no_token_refused: true, refusal_timeout: 200ms }} }} }}
"
    )
}

/// A table that is drawn again in place on a terminal; elsewhere, a line for each change.
struct Screen {
    in_place: bool,
    style: Style,
    address: SocketAddr,
    /// Why that is not the address that was asked for, where it is not.
    elsewhere: Option<String>,
    victim: &'static str,
    fault_after: Span,
    no_fault: bool,
    /// The last words about each subject.
    said: HashMap<String, String>,
}

impl Screen {
    fn new(address: SocketAddr, elsewhere: Option<String>, victim: &'static str, args: &Args) -> Self {
        Self {
            in_place: std::io::stdout().is_terminal(),
            style: Style::for_stdout(),
            address,
            elsewhere,
            victim,
            fault_after: args.fault_after,
            no_fault: args.no_fault,
            said: HashMap::new(),
        }
    }

    fn show(&mut self, rows: Vec<Row>, act: Act, fault: &Fault) -> anyhow::Result<()> {
        let story = match self.no_fault {
            true => "all gateways are healthy and stay so".to_owned(),
            false => act.tell(fault, self.victim, self.fault_after),
        };
        if !self.in_place {
            return self.say(act, story, rows);
        }
        let mut text = String::new();
        // The whole screen anew: lines that the terminal wraps can't be counted.
        text.push_str("\x1b[H\x1b[2J");
        let table: String = rows.iter().map(|row| format!("  {}\n", row.line)).collect();
        let address = self.address;
        let elsewhere = self.elsewhere.iter().map(|why| format!("           ({why})\n")).collect::<String>();
        let body = format!(
            "gateprobe demo: an agent and three gateways in one process; Ctrl-C ends it\n  \
             page     http://{address}/\n{elsewhere}  metrics  http://{address}/metrics\n\n  {:<8} {:<10} {:>6} {:>6}  {}\n{table}\n  {story}\n",
            "TARGET", "CHECK", "PASS", "FAIL", "LAST RUN"
        );
        text.push_str(&body);
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    fn say(&mut self, act: Act, story: String, rows: Vec<Row>) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.said.is_empty() {
            writeln!(out, "gateprobe demo: the page is http://{}/", self.address)?;
            writeln!(out, "demo: metrics at http://{}/metrics", self.address)?;
            if let Some(why) = &self.elsewhere {
                writeln!(out, "demo: another port than asked for, because {why}")?;
            }
        }
        let ran = |row: Row| Some((row.subject, row.words?));
        let mut told: Vec<(String, String)> = rows.into_iter().filter_map(ran).collect();
        // The end of the play sums up what the rows say; all else comes before what it brings about.
        let at = if act == Act::Healed { told.len() } else { 0 };
        told.insert(at, ("demo".to_owned(), story));
        for (subject, words) in told {
            if self.said.get(&subject) != Some(&words) {
                writeln!(out, "{subject}: {words}")?;
                self.said.insert(subject, words);
            }
        }
        Ok(out.flush()?)
    }

    fn leave(&mut self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nended; `gateprobe check URL` checks a gateway of yours")?;
        Ok(out.flush()?)
    }
}

/// A job's line in the table, and the same in words.
struct Row {
    line: String,
    subject: String,
    /// How its last run ended; none before the first one.
    words: Option<String>,
    passed: bool,
}

/// The state of each job of the plan: counts from the recorder, words from the history.
fn rows(agent: &Agent, style: Style) -> Vec<Row> {
    let sinks = agent.sinks();
    let families = sinks.recorder.gather();
    let mut keys: Vec<_> =
        agent.setup().plan.jobs.iter().map(|job| (Arc::clone(&job.key.target), job.key.check)).collect();
    keys.sort();
    let row = |(target, check): (Arc<str>, &'static str)| {
        let count = |outcome| runs(&families, &target, check, outcome);
        let (passed, failed) = (count("pass"), count("fail"));
        let last = sinks.history.job(&target, check).map(|job| job.last);
        let words = last.as_ref().map(|last| match last.reason {
            Some(reason) => format!("{} ({reason})", last.outcome),
            None => last.outcome.to_owned(),
        });
        let seen = match last.as_ref().zip(words.as_ref()) {
            Some((last, words)) => {
                let took = render::duration(Duration::from_secs_f64(last.duration_seconds));
                format!("{}, {took}", style.paint(last.outcome, words))
            }
            None => "its first run is to come".to_owned(),
        };
        let line = format!("{target:<8} {check:<10} {passed:>6} {failed:>6}  {seen}");
        let passed = last.is_some_and(|last| last.outcome == Outcome::Pass.label());
        Row { line, subject: format!("{target} {check}"), words, passed }
    };
    keys.into_iter().map(row).collect()
}

/// Runs of a job by outcome, as /metrics shows them.
fn runs(families: &[MetricFamily], target: &str, check: &str, outcome: &str) -> u64 {
    let wanted = [("target", target), ("check", check), ("outcome", outcome)];
    let family = families.iter().find(|family| family.name() == runner::metrics::RUNS.name);
    let mut series = family.into_iter().flat_map(|family| family.get_metric());
    let is = |metric: &Metric, (name, value): (&str, &str)| {
        metric.get_label().iter().any(|label| label.name() == name && label.value() == value)
    };
    let found = series.find(|metric| wanted.iter().all(|label| is(metric, *label)));
    found.map_or(0, |metric| metric.get_counter().get_value() as u64)
}
