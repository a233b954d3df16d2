//! `make bench`: what the agent costs and what it adds to what it measures, each against a limit that is
//! measured in the same run. Writes `docs/performance.md`.

mod agent;
mod awake;
mod bare;
mod conversation;
mod machine;
mod measure;
mod peer;
mod report;
mod rows;
mod tls;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

use measure::{STEAL, Subject, Window};
use report::Finding;
use rows::{CPU, MEMORY_WSS, ROUND_TRIP, ROWS, Row};

/// Connections of the largest measurement, and some more.
const DESCRIPTORS: u64 = 6_000;

/// After this nothing is repeated any more.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Parser)]
struct Arguments {
    /// Where to write the page.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The processes that the bench starts of itself.
#[derive(Subcommand)]
enum Part {
    /// Answers.
    Peer { manner: String, folder: PathBuf },
    /// Measures one thing.
    Measure { subject: String },
    /// Keeps a processor awake.
    Spin,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Peer { manner, folder }) => peer::run(&manner, &folder),
        Some(Part::Measure { subject }) => Subject::named(&subject).context("no such subject")?.measure(),
        Some(Part::Spin) => awake::spin(),
        None => run(arguments.write),
    }
}

fn run(write: Option<PathBuf>) -> Result<()> {
    raise_descriptors()?;
    let mut bench = Bench { began: Instant::now(), thrown_away: Vec::new() };
    let findings: Vec<Finding> = ROWS.into_iter().map(|row| bench.find(row)).collect::<Result<_>>()?;
    println!("\n{}", report::terminal(&findings));
    if let Some(path) = write {
        std::fs::write(
            path,
            report::page(&findings, &machine::describe()?, &machine::today(), &bench.thrown_away),
        )?;
    }
    Ok(())
}

struct Bench {
    began: Instant,
    thrown_away: Vec<String>,
}

impl Bench {
    fn find(&mut self, row: Row) -> Result<Finding> {
        let (ours, limit) = match row {
            ROUND_TRIP => return self.round_trip(row),
            CPU => (Subject::Cpu { bare: false }, Subject::Cpu { bare: true }),
            _ => {
                let secure = row == MEMORY_WSS;
                (Subject::Memory { secure, bare: false }, Subject::Memory { secure, bare: true })
            }
        };
        let (limit, ours) = (self.one(limit)?, self.one(ours)?);
        let remark = format!("processors of others: {}", percent(ours.load.others));
        Ok(Finding::new(row, ours.figures[0], limit.figures[0], remark))
    }

    fn round_trip(&mut self, row: Row) -> Result<Finding> {
        let mut windows = self.measure(Subject::RoundTrip)?;
        let above = |window: &Window| window.figures[0] - window.figures[1];
        windows.sort_by(|a, b| above(a).total_cmp(&above(b)));
        let (least, most) = (above(&windows[0]), above(&windows[windows.len() - 1]));
        let Window { figures, load } = &windows[windows.len() / 2];
        let remark = format!(
            "{} windows of 5,000 pings differ by {least:+.1} to {most:+.1} µs; a bare socket of the runtime needs \
             {:.1} µs; processors of others: {}",
            windows.len(),
            figures[2],
            percent(load.others)
        );
        Ok(Finding::new(row, figures[0], figures[1], remark))
    }

    fn one(&mut self, subject: Subject) -> Result<Window> {
        self.measure(subject)?.into_iter().next().context("no window")
    }

    /// The good windows of a subject, measured again where there is none.
    fn measure(&mut self, subject: Subject) -> Result<Vec<Window>> {
        loop {
            let windows = windows(subject)?;
            let (good, bad): (Vec<_>, Vec<_>) =
                windows.into_iter().partition(|window| window.load.steal <= STEAL || !subject.is_time());
            for window in bad {
                let told = format!("{} at {} steal", subject.name(), percent(window.load.steal));
                println!("thrown away: {told}");
                self.thrown_away.push(told);
            }
            if !good.is_empty() {
                return Ok(good);
            }
            ensure!(self.began.elapsed() < PATIENCE, "the hypervisor takes too much for {}", subject.name());
        }
    }
}

fn windows(subject: Subject) -> Result<Vec<Window>> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(["measure", subject.name()]).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} could not be measured", subject.name());
    let mut windows = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let window: Window = serde_json::from_str(line)?;
        let (steal, others) = (percent(window.load.steal), percent(window.load.others));
        println!("{:16} {:>8.2?}  steal {steal}, others {others}", subject.name(), window.figures);
        windows.push(window);
    }
    Ok(windows)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// As the agent does at its start.
fn raise_descriptors() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let most = limit.maximum.unwrap_or(u64::MAX);
    ensure!(most >= DESCRIPTORS, "the limit of open files is {most}; at least {DESCRIPTORS} are needed");
    Ok(())
}
