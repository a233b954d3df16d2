//! What the tests share: plans from YAML, third-party programs, and a run of the binary.

pub mod binary;
pub mod program;

use std::path::Path;
use std::sync::Arc;

use gateprobe::agent;
use gateprobe::config::{self, Plan};
use gateprobe::model::RunReport;
use gateprobe::runner::Job;
use gateprobe::session::Budget;
use tokio_util::sync::CancellationToken;

/// A folder of its own for each test; removed at its end.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Writes a file and gives its path.
pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("written");
    path
}

/// The plan that a YAML text makes.
pub fn plan(yaml: &str) -> Plan {
    let folder = folder();
    let file = write(folder.path(), "gateprobe.yaml", yaml);
    match config::load(&[file], std::iter::empty()) {
        Ok((plan, _)) => plan,
        Err(problems) => panic!("the test's own config is wrong:\n{problems}\n{yaml}"),
    }
}

/// Runs every job of a plan once, side by side.
pub async fn run_once(plan: &Plan) -> Vec<RunReport> {
    let (runner, _watch) = agent::standalone_runner(plan).expect("a runner");
    let cut = CancellationToken::new();
    let jobs: Vec<Job> = plan
        .jobs
        .iter()
        .map(|job| {
            let target = plan.target(&job.target).expect("its target");
            job.ready(target, &Arc::new(Budget::new(target.limits)))
        })
        .collect();
    let runs = jobs.iter().map(|job| runner.run(job, &cut));
    futures_util::future::join_all(runs).await.into_iter().flatten().collect()
}

/// An outcome as the tables write it: `pass`, or `fail upgrade_timeout`.
pub fn words(report: &RunReport) -> String {
    match report.outcome.reason() {
        Some(reason) => format!("{} {reason}", report.outcome.label()),
        None => report.outcome.label().to_owned(),
    }
}
