//! What the server shows of jobs beside their history, and what it may change about them.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::unknown;

/// How a job stands with the agent's schedule.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct JobStanding {
    /// The target's name in the config.
    #[serde(serialize_with = "super::shared")]
    #[schemars(with = "String")]
    pub target: Arc<str>,
    /// The check's kind.
    pub check: &'static str,
    /// Where the gateway is; without user, password and the values of its query.
    pub url: String,
    /// How often it runs.
    pub interval_seconds: f64,
    /// The one deadline of a run.
    pub timeout_seconds: f64,
    /// When its next tick comes, whether it will run then or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub next_run_at: Option<Timestamp>,
    /// Whether a run is in progress.
    pub running: bool,
    /// How many ticks are left out yet, since the gateway asked for patience.
    pub ticks_left_out: u64,
    /// Failed runs in a row; of the worst of its addresses where there are several.
    pub consecutive_failures: u32,
    /// Why and until when it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// What share of its runs must pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo: Option<Objective>,
}

/// A pause that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Paused {
    /// Who says so.
    pub by: PausedBy,
    /// When it ends.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub until: Timestamp,
}

/// Who says that a job does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// The config.
    Config,
    /// Somebody, over the API. Forgotten at a restart.
    Request,
}

/// An objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Objective {
    /// The share of conclusive runs that must pass, above 0 and below 1.
    pub objective: f64,
    /// The rolling time over which it holds.
    pub period_seconds: f64,
}

/// One setting of a check that is in force: what the gateway promised, and what the check does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Promise {
    /// Its path below the check, such as `window.latest`.
    pub setting: String,
    /// As it is written in a config.
    pub value: String,
}

/// What a person should know of the agent itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Notice {
    /// What it is about.
    pub about: About,
    /// A line each, in sentences.
    pub lines: Vec<String>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The config in the files is not the one in force.
    Config,
    /// Settings that a reload can't change wait for a restart.
    Restart,
    /// The agent is ending.
    Drain,
    /// Runs start late: the agent has too much to do.
    Lag,
    /// The collector takes no exports.
    Export,
}

/// Which jobs a change is about: one check of a target, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// The target's name in the config.
    pub target: String,
    /// The check's kind; all of the target's when absent.
    pub check: Option<String>,
}

impl Which {
    /// What is said where no job is meant by it: which name is wrong, what was meant, and what there is. `jobs` are the
    /// targets and checks of the config in force.
    pub fn unknown<'a>(&self, jobs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> String {
        let checks = jobs.clone().filter(|(target, _)| *target == self.target).map(|(_, check)| check);
        match &self.check {
            Some(check) if checks.clone().next().is_some() => {
                format!("the target {:?} has no check {}", self.target, unknown(check, "It has", checks))
            }
            _ => {
                let targets: BTreeSet<&str> = jobs.map(|(target, _)| target).collect();
                let targets = targets.iter().copied();
                format!("the config in force has no target {}", unknown(&self.target, "It has", targets))
            }
        }
    }
}

/// Why nothing was changed. The texts go to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The config in force has no such job: what it has instead ([`Which::unknown`]).
    #[error("{0}")]
    Unknown(String),
    /// It runs already, or is about to.
    #[error("a run is in progress")]
    InProgress,
    /// A pause is in force, which holds for runs out of turn too.
    #[error("paused until {0}")]
    Paused(Timestamp),
    /// Nobody paused it over the API, and the config is not changed this way.
    #[error("paused by the config until {0}: that ends by a change of the config only")]
    PausedByConfig(Timestamp),
    /// The agent is ending.
    #[error("the agent is ending and starts no more runs")]
    Draining,
    /// The last run out of turn was a moment ago; seconds to wait.
    #[error("the last run out of turn was a moment ago; come back in {0} s")]
    TooSoon(u64),
    /// The gateway asked for patience; seconds to wait.
    #[error("the gateway asked for patience and is left alone; the next run is due in {0} s")]
    Patience(u64),
    /// All connections that the target's budget allows are open.
    #[error("the target's budget has no connection left")]
    Budget,
}
