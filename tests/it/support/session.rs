//! The checks of a session: the config of a target that has one, a run of it, and what the run measured.

use gateprobe::model::{Cause, Outcome, RunReport};

use super::Bench;

/// A budget that no run of the tests has to wait for.
pub const AMPLE: &str = "budget: { connections: 1000, connections_per_second: 1000, \
                         messages_per_second: 100000, bytes_per_second: 100000000 }";

/// A config with one target, `chat`, and one check with these settings.
pub fn config(url: &str, check: &str, settings: &str) -> String {
    format!("targets: {{ chat: {{ url: '{url}', {AMPLE}, checks: {{ {check}: {{ {settings} }} }} }} }}")
}

/// A machine that stands still now and then does so hardly that often in a row.
const ATTEMPTS: usize = 5;

/// Runs the one check of [`config`]; again where the machine disturbed it.
pub fn run(yaml: &str) -> RunReport {
    undisturbed(|| (run_once(yaml), ())).0
}

/// Tries again where the machine disturbed a run.
pub fn undisturbed<T>(mut trial: impl FnMut() -> (RunReport, T)) -> (RunReport, T) {
    let mut last = trial();
    for _ in 1..ATTEMPTS {
        if !disturbed(&last.0) {
            break;
        }
        last = trial();
    }
    last
}

/// Whether the run accuses nobody because this machine was late.
pub fn disturbed(report: &RunReport) -> bool {
    report.outcome == Outcome::Inconclusive(Cause::AgentLag)
}

/// Runs the one check of [`config`], once, on a runtime of its own.
pub fn run_once(yaml: &str) -> RunReport {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async { Bench::new(yaml).run("chat").await.remove(0) })
}

/// The values of a metric's series, in the order in which they were measured.
pub fn samples(report: &RunReport, name: &str, labels: &[&str]) -> Vec<f64> {
    let wanted = report.samples.iter().filter(|sample| sample.metric.name == name && sample.labels == labels);
    wanted.map(|sample| sample.value).collect()
}

/// The sum of a counter in the run.
pub fn count(report: &RunReport, name: &str, labels: &[&str]) -> f64 {
    samples(report, name, labels).iter().sum()
}
