//! `gateprobe canary`: is the new gateway as good as the old one? Yes, no, or why that can't be told.

mod arms;
mod junit;
mod markdown;
mod next;
mod outputs;
mod progress;
mod text;
mod words;

use std::path::PathBuf;

use jiff::Timestamp;

use super::access::Access;
use super::{Exit, interrupted, logging};
use crate::canary::{Policy, Verdict};
use crate::gate::{Course, CourseError, Ended, Profile, Report, Request, State, Stop, drive};
use crate::model::Span;

use arms::Arms;
use outputs::{Output, ReportFile, Written};
use progress::Shown;

/// Arguments of `gateprobe canary`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe canary --baseline wss://chat.example.com/ws --canary wss://chat-next.example.com/ws\n  \
    gateprobe canary --config gateprobe.yaml --baseline chat --canary wss://10.0.3.7:8443/ws\n  \
    gateprobe canary --config gateprobe.yaml --baseline chat --canary chat-next --profile full\n  \
    gateprobe canary --canary wss://staging.example.com/ws --report junit=canary.xml\n\n\
    Without --baseline, the thresholds of the checks decide. Where one of the two is a target of the config and the \
    other a URL, the URL takes that target's settings: credential, dialect, checks.\n\n\
    Exit codes: 0 pass, 1 fail, 2 usage or config, 3 inconclusive, 4 gateprobe's own error")]
pub struct Args {
    /// The gateway that is known to be good enough: a target of the config, or a URL
    #[arg(long, value_name = "TARGET|URL")]
    baseline: Option<String>,
    /// The gateway in question: a target of the config, or a URL
    #[arg(long, value_name = "TARGET|URL")]
    canary: String,
    /// A config file; several are layered, the later one wins [default with a target's name: gateprobe.yaml]
    #[arg(long, short, value_name = "FILE", env = "GATEPROBE_CONFIG", value_delimiter = ',')]
    config: Vec<PathBuf>,
    /// How much is looked at: about a minute, or about ten
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Only this check; may be repeated
    #[arg(long = "check", value_name = "KIND")]
    checks: Vec<String>,
    /// What the gateways speak: a preset or a file
    #[arg(long, value_name = "NAME|FILE")]
    dialect: Option<String>,
    #[command(flatten)]
    access: Access,
    /// When both gateways promise to let go of a silent connection, at the latest: 20s after the first heartbeat that it
    /// left unanswered; for URLs
    #[arg(long, value_name = "SPAN")]
    zombie_window: Option<Span>,
    /// How long it may take [default: 2m, of the profile full 20m]
    #[arg(long, value_name = "SPAN")]
    max_duration: Option<Span>,
    /// What is written to standard output
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Write it to a file too, as in junit=canary.xml; may be repeated
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportFile>,
    /// The exit code where it can't be told; 0 lets a pipeline go on
    #[arg(long, value_name = "N", default_value_t = 3)]
    inconclusive_exit_code: u8,
    /// The rate of a false alarm that is accepted, over all comparisons together
    #[arg(long, value_name = "N", default_value_t = Policy::default().alpha, value_parser = alpha)]
    alpha: f64,
    /// The least rise of a time that matters, as a share of the baseline's; some metrics have a finer one
    #[arg(long, value_name = "N", default_value_t = Policy::default().tolerance, value_parser = tolerance)]
    tolerance: f64,
}

fn alpha(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok().filter(|number| *number > 0.0 && *number < 0.5);
    number.ok_or("write a number above 0 and below 0.5")
}

fn tolerance(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok().filter(|number| *number >= 0.0 && *number <= 100.0);
    number.ok_or("write a number from 0 to 100; 0.25 is a quarter")
}

/// Verifies, tells what was found, and exits accordingly.
pub async fn run(args: Args) -> Exit {
    // Before anything is begun: whoever sees it begin may interrupt it at once.
    let interrupted = interrupted();
    logging::start("error", logging::Format::Text);
    let written = match Written::open(&args.reports) {
        Ok(written) => written,
        Err(message) => return usage(&message),
    };
    if args.baseline.as_ref() == Some(&args.canary) {
        return usage(&CourseError::Itself.to_string());
    }
    let Arms { setup, baseline, canary, _watch } = match arms::load(&args) {
        Ok(arms) => arms,
        Err(arms::ArmsError::Usage(message)) => return usage(&message),
        Err(arms::ArmsError::Agent(message)) => {
            eprintln!("gateprobe canary: {message}");
            return Exit::Agent;
        }
    };
    let request = Request {
        baseline,
        canary,
        profile: args.profile,
        longest: args.max_duration.map_or(args.profile.longest(), Span::get),
        checks: args.checks.clone(),
        policy: Policy { alpha: args.alpha, tolerance: args.tolerance, ..Policy::default() },
    };
    let course = match Course::plan(request) {
        Ok(course) => course,
        Err(error) => return usage(&error.to_string()),
    };
    let started_at = Timestamp::now();
    let (stop, shown) = (Stop::default(), Shown::begin(&course));
    let on_run = |_: &_, progress| shown.advance(progress);
    let verifying = drive(&course, &setup.runner, &stop, &on_run);
    tokio::pin!(verifying, interrupted);
    let mut asked = false;
    let decision = loop {
        tokio::select! {
            decision = &mut verifying => break decision,
            () = &mut interrupted, if !asked => {
                asked = true;
                stop.now(Ended::Shutdown);
            }
            () = shown.tick() => {}
        }
    };
    shown.end();
    let report = Report {
        id: format!("{:016x}", rand::random::<u64>()),
        gateprobe: env!("CARGO_PKG_VERSION").to_owned(),
        gateways: course.addresses.clone(),
        profile: course.profile,
        started_at,
        ended_at: Some(Timestamp::now()),
        done: true,
        progress: 1.0,
        state: State::Decided(Box::new(decision)),
    };
    let next = next::next(&report, &setup);
    let all_written = outputs::write(&report, next.as_ref(), args.output, written);
    // Who stopped it does not want the pipeline to go on.
    exit(
        &report,
        all_written,
        if asked { Exit::Inconclusive } else { Exit::AsAsked(args.inconclusive_exit_code) },
    )
}

fn usage(message: &str) -> Exit {
    let message = message.strip_prefix("gateprobe canary: ").unwrap_or(message);
    eprintln!("gateprobe canary: {message}");
    Exit::Usage
}

/// A report that nobody can read is no pass.
fn exit(report: &Report, all_written: bool, inconclusive: Exit) -> Exit {
    match report.verdict() {
        Some(Verdict::Fail) => Exit::Fail,
        _ if !all_written => Exit::Agent,
        Some(Verdict::Pass) => Exit::Pass,
        Some(Verdict::Inconclusive) | None => inconclusive,
    }
}
