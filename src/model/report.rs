//! What the runner hands to the sinks: metrics, history, and later the learner.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Outcome, Timeline, TraceContext};
use crate::metrics::Sample;

/// The identity of a job: the same key before and after a reload means that nothing about it changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobKey {
    /// The target's name in the config.
    pub target: Arc<str>,
    /// The check's kind.
    pub check: &'static str,
    /// A hash of everything in the config that shapes the job.
    pub config_hash: u64,
}

/// What a check concluded, before the runner weighs it against the agent's own condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// One sentence with the particulars: numbers and names, no payloads, no secrets.
    pub detail: String,
}

impl Verdict {
    /// A verdict with its particulars.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into() }
    }
}

/// One finished run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Which job.
    pub job: JobKey,
    /// The resolved address that the run was pinned to, where the target asks for all of them.
    pub peer: Option<String>,
    /// Wall-clock time at the start.
    pub started_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// What was found out.
    pub outcome: Outcome,
    /// The particulars in one sentence.
    pub detail: String,
    /// What a person may try next, where more can be said than the outcome's own sentence.
    pub next: Option<Cow<'static, str>>,
    /// What happened on the wire.
    pub timeline: Timeline,
    /// How much of `duration` was a first run, which this one was to confirm: the timeline begins after it.
    pub first: Duration,
    /// The run among the traces.
    pub trace: TraceContext,
    /// What was measured, by metric.
    pub samples: Vec<Sample>,
}
