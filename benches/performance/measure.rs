//! The measurements. Each runs in a process of its own, so that none inherits the memory of another, and
//! writes one line of JSON a window.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use gateprobe::session::{Pings, Talk, Word};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::agent::{self, Checks, Rhythm};
use super::awake::Awake;
use super::bare::{Blocking, Tasks, Tokio};
use super::machine::{Load, Watch, cpu_seconds, private_memory};
use super::peer::{Manner, Peer};
use super::tls;

/// Windows with more of it are thrown away.
pub const STEAL: f64 = 0.05;

/// Good windows of a measurement, and windows at most.
const ROUND_TRIP_WINDOWS: (usize, usize) = (9, 20);
const CPU_WINDOWS: (usize, usize) = (1, 3);

const ROUND_TRIPS: u64 = 5_000;
/// Every order of three: what went before leaves its traces, in the caches and with the scheduler.
const ORDERS: [[u8; 3]; 6] = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]];
/// Connections that are there before memory is looked at: what is needed once is not theirs.
const FIRST: u64 = 1_000;
const HELD_WS: u64 = 2_000;
const HELD_WSS: u64 = 1_000;
const BEATING: u64 = 5_000;
const BEAT_WINDOW: Duration = Duration::from_secs(10);
/// New connections a second.
const PACE: u32 = 1_000;

/// One window of a measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Window {
    /// The figures; which, the measurement says.
    pub figures: Vec<f64>,
    /// Who else had the processors.
    pub load: Load,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Round trips in microseconds: of the agent, of a blocking socket, of a bare socket of the runtime.
    RoundTrip,
    /// Memory in KiB that a connection adds.
    Memory {
        /// By TLS.
        secure: bool,
        /// The limit, not the agent.
        bare: bool,
    },
    /// CPU time in microseconds that a heartbeat takes.
    Cpu {
        /// The limit, not the agent.
        bare: bool,
    },
}

impl Subject {
    const ALL: [(&str, Self); 7] = [
        ("round-trip", Self::RoundTrip),
        ("memory-ws", Self::Memory { secure: false, bare: false }),
        ("memory-ws-bare", Self::Memory { secure: false, bare: true }),
        ("memory-wss", Self::Memory { secure: true, bare: false }),
        ("memory-wss-bare", Self::Memory { secure: true, bare: true }),
        ("cpu", Self::Cpu { bare: false }),
        ("cpu-bare", Self::Cpu { bare: true }),
    ];

    /// The subject of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, subject)| *subject)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, subject)| *subject == self).map_or("", |(name, _)| name)
    }

    /// Whether it is a time, and so suffers from steal.
    pub fn is_time(self) -> bool {
        !matches!(self, Self::Memory { .. })
    }

    /// Measures, and writes each window to standard output.
    pub fn measure(self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        tls::write(folder.path())?;
        // As the agent's own.
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let manner = if self == Self::RoundTrip { Manner::Threads } else { Manner::Tasks };
        let mut peer = Peer::start(manner, folder.path())?;
        let awake = self.is_time().then(Awake::keep).transpose()?;
        let ours: Vec<u32> = awake.iter().flat_map(Awake::processes).chain([peer.process()]).collect();
        runtime.block_on(async {
            let path = folder.path().to_owned();
            // In a task, as checks are: the thread that drives the runtime is none of its workers.
            tokio::spawn(async move {
                match self {
                    Self::RoundTrip => round_trips(&peer, &ours, &path).await,
                    Self::Memory { secure, bare } => memory(&mut peer, &ours, secure, bare, &path).await,
                    Self::Cpu { bare } => cpu(&mut peer, &ours, bare, &path).await,
                }
            })
            .await?
        })
    }
}

fn tell(figures: Vec<f64>, load: Load) -> Result<bool> {
    println!("{}", serde_json::to_string(&Window { figures, load })?);
    Ok(load.steal <= STEAL)
}

async fn round_trips(peer: &Peer, ours: &[u32], folder: &Path) -> Result<()> {
    let mut talk = agent::talk(peer, folder).await?;
    let mut blocking = Blocking::connect(peer.plain)?;
    let mut bare = Tokio::connect(peer.plain).await?;
    let (wanted, most) = ROUND_TRIP_WINDOWS;
    let mut good = 0;
    // The first one is for the caches.
    for window in 0..=most {
        let watch = Watch::begin(ours)?;
        let (mut pings, mut raw, mut runtime) = (Pings::default(), Vec::new(), Vec::new());
        for turn in 0..ROUND_TRIPS {
            for which in ORDERS[turn as usize % ORDERS.len()] {
                match which {
                    0 => ping(&mut talk, &mut pings, turn).await?,
                    1 => raw.push(blocking.exchange()?),
                    _ => runtime.push(bare.exchange().await?),
                }
            }
        }
        let reported: Vec<Duration> = pings.rtts().collect();
        ensure!(reported.len() as u64 == ROUND_TRIPS, "{} pings were answered", reported.len());
        if window > 0 {
            let figures = [reported, raw, runtime].map(|mut times| median(&mut times)).to_vec();
            good += usize::from(tell(figures, watch.end()?)?);
        }
        if good == wanted {
            break;
        }
    }
    Ok(())
}

/// As `heartbeat` does it.
async fn ping(talk: &mut Talk, pings: &mut Pings, id: u64) -> Result<()> {
    let sent = talk.ping(id.to_be_bytes().to_vec()).await;
    pings.sent(id, sent.map_err(|word| anyhow::anyhow!("{word:?}"))?);
    match talk.next(Instant::now() + Duration::from_secs(5)).await {
        Word::Pong { payload, at } => {
            pings.answered_up_to(u64::from_be_bytes(payload.as_ref().try_into()?), at)
        }
        other => bail!("no pong but {other:?}"),
    }
    Ok(())
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// What beats: kept alive until the end of a measurement.
enum Beating {
    Agent(Checks),
    Bare(Vec<Tasks>),
}

impl Beating {
    async fn add(
        &mut self,
        peer: &Peer,
        secure: bool,
        folder: &Path,
        rhythm: Rhythm,
        more: u64,
    ) -> Result<()> {
        match self {
            Self::Agent(checks) => checks.run(more),
            Self::Bare(tasks) => tasks.push(Tasks::start(peer, secure, folder, rhythm, more, PACE).await?),
        }
        Ok(())
    }

    fn disturbed(&mut self) -> bool {
        match self {
            Self::Agent(checks) => checks.disturbed(),
            Self::Bare(tasks) => tasks.iter_mut().any(Tasks::disturbed),
        }
    }

    async fn end(self) {
        if let Self::Agent(checks) = self {
            checks.end().await;
        }
    }
}

fn beating(peer: &Peer, secure: bool, bare: bool, folder: &Path, rhythm: Rhythm) -> Result<Beating> {
    Ok(if bare {
        Beating::Bare(Vec::new())
    } else {
        Beating::Agent(Checks::new(peer, secure, folder, rhythm, PACE)?)
    })
}

async fn memory(peer: &mut Peer, ours: &[u32], secure: bool, bare: bool, folder: &Path) -> Result<()> {
    let held = if secure { HELD_WSS } else { HELD_WS };
    let mut beating = beating(peer, secure, bare, folder, Rhythm::Seldom)?;
    // The upgrade is an answer as well.
    let answers = if bare { 1 } else { 2 };
    beating.add(peer, secure, folder, Rhythm::Seldom, FIRST).await?;
    peer.reaches(FIRST, FIRST * answers).await?;
    let before = settled_memory().await?;
    let watch = Watch::begin(ours)?;
    beating.add(peer, secure, folder, Rhythm::Seldom, held).await?;
    let all = FIRST + held;
    peer.reaches(all, all * answers).await?;
    let after = settled_memory().await?;
    ensure!(peer.count()?.open == all && !beating.disturbed(), "not all connections were held");
    tell(vec![(after - before) / held as f64], watch.end()?)?;
    beating.end().await;
    Ok(())
}

/// Private memory in KiB once it does not change any more, or after five seconds.
async fn settled_memory() -> Result<f64> {
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    let mut last = 0.0;
    for _ in 0..20 {
        ticks.tick().await;
        let now = private_memory()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

async fn cpu(peer: &mut Peer, ours: &[u32], bare: bool, folder: &Path) -> Result<()> {
    let mut beating = beating(peer, false, bare, folder, Rhythm::EverySecond)?;
    beating.add(peer, false, folder, Rhythm::EverySecond, BEATING).await?;
    // Each has beaten twice at least.
    peer.reaches(BEATING, 3 * BEATING).await?;
    let (wanted, most) = CPU_WINDOWS;
    let mut good = 0;
    for _ in 0..most {
        let watch = Watch::begin(ours)?;
        let (first, spent) = (peer.count()?.answered, cpu_seconds()?);
        tokio::time::sleep(BEAT_WINDOW).await;
        let beats = peer.count()?.answered - first;
        let spent = cpu_seconds()? - spent;
        let due = BEATING * BEAT_WINDOW.as_secs();
        ensure!(beats.abs_diff(due) < due / 20 && !beating.disturbed(), "{beats} beats in place of {due}");
        good += usize::from(tell(vec![spent / beats as f64 * 1e6], watch.end()?)?);
        if good == wanted {
            break;
        }
    }
    beating.end().await;
    Ok(())
}
