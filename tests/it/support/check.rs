//! `gateprobe check` as a script runs it, and what it told.

use std::process::Command;

use serde_json::Value;

use super::binary::{finish, gateprobe};
use super::{folder, write};

/// A finished `gateprobe check --output json`.
#[derive(Debug)]
pub struct Checked {
    /// The exit code.
    pub exit: i32,
    /// The runs, as JSON.
    pub runs: Vec<Value>,
}

impl Checked {
    /// The exit code and the outcome of each run, as in `fail not_found`.
    pub fn verdict(&self) -> (i32, Vec<String>) {
        (self.exit, self.runs.iter().map(outcome).collect())
    }

    /// Panics with all that is known, unless there is one run with that outcome and exit code.
    pub fn expect(&self, exit: i32, outcome: &str) -> &Value {
        assert_eq!(self.verdict(), (exit, vec![outcome.to_owned()]), "{:#?}", self.runs);
        &self.runs[0]
    }
}

/// Checks the handshake with a URL, without any config.
pub fn check_url(url: &str) -> Checked {
    checked(gateprobe(&["check", url, "--check", "handshake"]))
}

/// The same, with further arguments.
pub fn check_url_with(url: &str, arguments: &[&str]) -> Checked {
    let mut command = gateprobe(&["check", url]);
    command.args(arguments);
    checked(command)
}

/// Checks every target of a config.
pub fn check_config(yaml: &str) -> Checked {
    check_config_with(yaml, &[])
}

/// The same with variables of the environment.
pub fn check_config_with(yaml: &str, variables: &[(&str, &str)]) -> Checked {
    let folder = folder();
    let mut command = gateprobe(&["check", "--config"]);
    command.arg(write(folder.path(), "gateprobe.yaml", yaml)).envs(variables.iter().copied());
    checked(command)
}

/// The outcome of a run, as in `fail not_found`.
pub fn outcome(run: &Value) -> String {
    let word = |field: &str| run[field].as_str().unwrap_or_default();
    format!("{} {}", word("outcome"), word("reason")).trim_end().to_owned()
}

/// The phases that a run went through, in the order of time.
pub fn phases(run: &Value) -> Vec<&str> {
    let phases = run["phases"].as_array().expect("phases");
    phases.iter().map(|phase| phase["phase"].as_str().expect("a name")).collect()
}

/// The events of a run's timeline that have this name.
pub fn events<'a>(run: &'a Value, name: &str) -> Vec<&'a Value> {
    let events = run["timeline"]["events"].as_array().expect("events");
    events.iter().filter(|event| event["event"] == name).collect()
}

fn checked(mut command: Command) -> Checked {
    // A busy machine makes runs late, and then what may be our own doing is inconclusive, as it should be.
    command.env("GATEPROBE__LAG_BOUND", "10s");
    let output = command.args(["--output", "json"]).output().expect("runs");
    let (exit, stdout, stderr) = finish(output);
    let runs = serde_json::from_str(&stdout);
    let runs = runs.unwrap_or_else(|error| panic!("{error}; it wrote {stdout:?} and {stderr:?}"));
    Checked { exit, runs }
}
