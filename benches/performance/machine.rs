//! The machine: what it is, and who else had its processors.

use std::fs;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Clock ticks a second in `/proc`: a constant of the kernel's interface (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Who had the processors besides us, as a share of all of them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Load {
    /// The hypervisor, for other guests.
    pub steal: f64,
    /// Other processes on this machine, and the kernel on its own account.
    pub others: f64,
}

/// A window of time in which the processors are watched.
pub struct Watch {
    processes: Vec<u32>,
    began: Ticks,
}

#[derive(Debug, Clone, Copy)]
struct Ticks {
    all: f64,
    busy: f64,
    steal: f64,
    /// Of the processes that take part in the measurement.
    ours: f64,
}

impl Watch {
    /// Begins; these processes and this one are ours.
    pub fn begin(others: &[u32]) -> Result<Self> {
        let processes: Vec<u32> = others.iter().copied().chain([std::process::id()]).collect();
        Ok(Self { began: Ticks::now(&processes)?, processes })
    }

    /// Ends.
    pub fn end(self) -> Result<Load> {
        let (began, ended) = (self.began, Ticks::now(&self.processes)?);
        let all = (ended.all - began.all).max(1.0);
        let busy = ended.busy - began.busy - (ended.ours - began.ours);
        Ok(Load { steal: (ended.steal - began.steal) / all, others: (busy / all).max(0.0) })
    }
}

impl Ticks {
    fn now(processes: &[u32]) -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let first = stat.lines().next().context("/proc/stat is empty")?;
        let fields: Vec<f64> =
            first.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal: proc_stat(5).
        let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = fields[..] else {
            anyhow::bail!("/proc/stat has too few fields");
        };
        let busy = user + nice + system + irq + softirq;
        let ours = processes.iter().map(|process| ticks(&process.to_string())).sum::<Result<f64>>()?;
        Ok(Self { all: busy + idle + iowait + steal, busy, steal, ours })
    }
}

/// User and system time of this process so far, in seconds; to a hundredth.
pub fn cpu_seconds() -> Result<f64> {
    Ok(ticks("self")? / TICKS)
}

fn ticks(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the program's name, is in parentheses and may hold anything; 14 and 15 are the times.
    let (_, rest) = stat.rsplit_once(')').context("no stat")?;
    let mut times = rest.split_whitespace().skip(11).map(str::parse::<f64>);
    Ok(times.next().context("no utime")?? + times.next().context("no stime")??)
}

/// Memory of this process that is its own and was written to, in KiB.
pub fn private_memory() -> Result<f64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    Ok(line.and_then(|rest| rest.split_whitespace().next()).context("no Private_Dirty")?.parse()?)
}

/// Processors, their model and the kernel; nothing that names this machine.
pub fn describe() -> Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("of unknown model", |(_, model)| model.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let version: String = kernel.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores ({model}), Linux {}", version.trim_end_matches('.')))
}

/// Today, by UTC.
pub fn today() -> String {
    Timestamp::now().strftime("%Y-%m-%d").to_string()
}
