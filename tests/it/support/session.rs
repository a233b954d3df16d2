//! The checks of a session: the config of a target that has one, a run of it, and what the run measured.

use gateprobe::model::RunReport;

use super::Bench;

/// A budget that no run of the tests has to wait for.
pub const AMPLE: &str = "budget: { connections: 1000, connections_per_second: 1000, \
                         messages_per_second: 100000, bytes_per_second: 100000000 }";

/// A config with one target, `chat`, and one check with these settings.
pub fn config(url: &str, check: &str, settings: &str) -> String {
    format!("targets: {{ chat: {{ url: '{url}', {AMPLE}, checks: {{ {check}: {{ {settings} }} }} }} }}")
}

/// Runs the one check of [`config`], once, on a runtime of its own.
pub fn run(yaml: &str) -> RunReport {
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
