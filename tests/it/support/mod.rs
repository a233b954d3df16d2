//! What the tests share: plans from YAML, third-party programs, and a run of the binary.

pub mod alertmanager;
pub mod binary;
pub mod certificate;
pub mod check;
pub mod collector;
pub mod neighbour;
pub mod program;
pub mod prometheus;
pub mod raw_client;
pub mod raw_server;
pub mod reference;
pub mod relay;
pub mod session;
pub mod terminal;

use std::path::Path;
use std::sync::Arc;

use gateprobe::agent::Setup;
use gateprobe::checks::CheckSpec;
use gateprobe::config::{self, Plan};
use gateprobe::model::RunReport;
use gateprobe::runner::Job;
use gateprobe::session::{Budget, Limits};
use tokio_util::sync::{CancellationToken, DropGuard};

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

/// Everything that is needed to run the jobs of a YAML text, one at a time or together.
pub struct Bench {
    setup: Setup,
    jobs: Vec<Job>,
    _watch: DropGuard,
}

impl Bench {
    /// Must be called within a runtime.
    pub fn new(yaml: &str) -> Self {
        let (setup, _watch) = Setup::standalone(plan(yaml)).expect("a good setup");
        let ready = |job: &config::Job| {
            let limits = Limits::from(&job.target.settings.budget);
            setup.job(job, &Arc::new(Budget::new(limits))).expect("a job of the plan")
        };
        let jobs = setup.plan.jobs.iter().map(ready).collect();
        Self { setup, jobs, _watch }
    }

    /// Changes the checks, by their targets' names, in a way that no config can.
    pub fn edit(&mut self, change: impl Fn(&str, &mut CheckSpec)) {
        self.jobs.iter_mut().for_each(|job| change(&job.key.target, &mut job.spec));
    }

    /// Books so many messages of a target's budget, as its other checks would.
    pub fn spend(&self, target: &str, messages: usize) {
        for job in self.jobs.iter().filter(|job| &*job.key.target == target) {
            (0..messages).for_each(|_| _ = job.budget.book(1));
        }
    }

    /// Leaves a target alone, as a pause does.
    pub fn release(&self, target: &str) {
        self.jobs.iter().filter(|job| &*job.key.target == target).for_each(|job| job.shelf.release());
    }

    /// Runs every job of a target once.
    pub async fn run(&self, target: &str) -> Vec<RunReport> {
        self.run_jobs(|job| &*job.key.target == target).await
    }

    /// Runs one check of a target once.
    pub async fn run_check(&self, target: &str, check: &str) -> Vec<RunReport> {
        self.run_jobs(|job| &*job.key.target == target && job.key.check == check).await
    }

    async fn run_jobs(&self, chosen: impl Fn(&Job) -> bool) -> Vec<RunReport> {
        let cut = CancellationToken::new();
        let jobs = self.jobs.iter().filter(|job| chosen(job));
        let runs = jobs.map(|job| self.setup.runner.run(job, &cut));
        futures_util::future::join_all(runs).await.into_iter().flatten().collect()
    }
}

/// The target `chat` with every check that there is, in YAML; paused, so that none of them ever runs.
pub fn every_check() -> String {
    let checks: String = CheckSpec::KINDS.iter().map(|kind| format!("{kind}: {{}}, ")).collect();
    format!(
        "targets: {{ chat: {{ url: 'wss://gateway.test/', dialect: json, auth: {{ token: {{ env: TOKEN }} }}, \
         pause: [{{ until: '2999-01-01T00:00:00Z' }}], checks: {{ {checks}}} }} }}\n"
    )
}

/// An outcome as the tables write it: `pass`, or `fail upgrade_timeout`.
pub fn words(report: &RunReport) -> String {
    match report.outcome.reason() {
        Some(reason) => format!("{} {reason}", report.outcome.label()),
        None => report.outcome.label().to_owned(),
    }
}
