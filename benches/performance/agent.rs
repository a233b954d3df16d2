//! The agent's own way to a gateway: the `heartbeat` check from a config, run by the runner.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use gateprobe::agent::Setup;
use gateprobe::config::Loader;
use gateprobe::runner::Job;
use gateprobe::session::{Ask, Budget, Limits, Talk, Visit};
use gateprobe::wire::{Dialer, Record};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::peer::Peer;
use super::tls::AUTHORITY;

/// The most that one check may hold.
const CONNECTIONS: u64 = 1_000;

/// How long anything here may take at most.
const LONG: Duration = Duration::from_secs(3_600);

/// Which heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// One each ten seconds: nearly always idle.
    Seldom,
    /// One a second.
    EverySecond,
}

impl Rhythm {
    fn settings(self) -> &'static str {
        match self {
            Self::Seldom => "pings: 100, every: 10s",
            Self::EverySecond => "pings: 1000",
        }
    }
}

/// The checks of one measurement.
pub struct Checks {
    setup: Arc<Setup>,
    job: Arc<Job>,
    cut: CancellationToken,
    runs: JoinSet<()>,
    _watch: DropGuard,
}

impl Checks {
    /// Checks of a peer, new connections at this rate a second. Must be called within a runtime.
    pub fn new(peer: &Peer, secure: bool, folder: &Path, rhythm: Rhythm, pace: u32) -> Result<Self> {
        let (scheme, address) = if secure { ("wss", peer.secure) } else { ("ws", peer.plain) };
        let setup = plan(scheme, address, folder, rhythm, pace)?;
        let (setup, watch) = Setup::standalone(setup).map_err(|error| anyhow!("{error}"))?;
        let job = setup.plan.jobs.first().context("no job")?;
        let budget = Budget::new(Limits::from(&job.target.settings.budget));
        let job = setup.job(job, &Arc::new(budget)).context("no target")?;
        let (setup, job) = (Arc::new(setup), Arc::new(job));
        Ok(Self { setup, job, cut: CancellationToken::new(), runs: JoinSet::new(), _watch: watch })
    }

    /// Runs as many checks side by side as it takes for so many connections, in steps of a thousand.
    pub fn run(&mut self, connections: u64) {
        for _ in 0..connections.div_ceil(CONNECTIONS) {
            let (setup, job, cut) = (Arc::clone(&self.setup), Arc::clone(&self.job), self.cut.clone());
            self.runs.spawn(async move {
                for report in setup.runner.run(&job, &cut).await {
                    if !cut.is_cancelled() {
                        eprintln!("a check ended early: {}", report.detail);
                    }
                }
            });
        }
    }

    /// Whether a run has ended before its time.
    pub fn disturbed(&mut self) -> bool {
        self.runs.try_join_next().is_some()
    }

    /// Ends them all.
    pub async fn end(mut self) {
        self.cut.cancel();
        while self.runs.join_next().await.is_some() {}
    }
}

fn plan(
    scheme: &str,
    address: SocketAddr,
    folder: &Path,
    rhythm: Rhythm,
    pace: u32,
) -> Result<gateprobe::config::Plan> {
    let tls = match scheme {
        "wss" => format!("tls: {{ ca_file: '{}' }}", folder.join(AUTHORITY).display()),
        _ => String::new(),
    };
    let heartbeat = rhythm.settings();
    let yaml = format!(
        "targets:
  peer:
    url: {scheme}://{address}/
    budget: {{ connections: 20000, connections_per_second: {pace}, messages_per_second: 1000000, \
         bytes_per_second: 1000000000 }}
    checks:
      heartbeat: {{ connections: {CONNECTIONS}, connect_timeout: 30s, levels: [protocol], {heartbeat}, \
         interval: 1h, timeout: 1h }}
    {tls}
"
    );
    let loader = Loader::new(std::iter::empty(), Timestamp::now());
    let (plan, _) = loader.text("bench", yaml.as_bytes()).load().map_err(|problems| anyhow!("{problems}"))?;
    Ok(plan)
}

/// A conversation as a check begins it.
pub async fn talk(peer: &Peer, folder: &Path) -> Result<Talk> {
    let setup = Setup::new(plan("ws", peer.plain, folder, Rhythm::Seldom, 1_000)?, Default::default())
        .map_err(|error| anyhow!("{error}"))?;
    let target = setup.target("peer").context("no target")?;
    let settings = &setup.plan.targets.first().context("no target")?.settings;
    let budget = Arc::new(Budget::new(Limits::from(&settings.budget)));
    let dialer = Dialer::new(&setup.plan.resolver())?;
    let visit = Visit::new(target, &dialer, &budget, None, Instant::now() + LONG);
    let opened = visit.open(&Ask::default(), &Record::new()).await;
    let opened = opened.map_err(|refusal| anyhow!("{refusal:?}"))?;
    Talk::begin(&visit, opened, Duration::from_secs(5)).await.map_err(|verdict| anyhow!("{}", verdict.detail))
}
