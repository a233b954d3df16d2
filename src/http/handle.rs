//! What the server is handed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use super::canary::{CanaryRefusal, CanaryRequest, CanaryStarted};
use super::probe::{ProbeAnswer, ProbeError, ProbeRequest};
use super::standing::{ChangeError, JobStanding, Notice, Promise, Which};
use crate::gate::Report;
use crate::metrics::Recorder;
use crate::store::History;

/// A future in a box, as an object-safe trait needs it.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// All that the server shows or asks.
#[derive(Clone)]
pub struct Parts {
    /// Behind `/metrics`.
    pub metrics: Arc<Recorder>,
    /// Behind the page and `/api/v1/`.
    pub history: Arc<History>,
    /// Behind `/probe`, `/readyz` and `/-/reload`.
    pub agent: Arc<dyn AgentHandle>,
}

/// What the server may ask of the agent. Texts in the answers go to the client as they are: they must hold
/// no secrets.
pub trait AgentHandle: Send + Sync + 'static {
    /// Reads the configuration again. Runs to its end even if the client goes away.
    fn reload(&self) -> Answer<'_, Result<ReloadSummary, ReloadError>>;

    /// Whether the agent does its work; says nothing about its targets.
    fn readiness(&self) -> Readiness;

    /// Runs one check now. Must answer by the deadline that follows from the request and the module; is
    /// dropped when the client goes away.
    fn probe(&self, request: ProbeRequest) -> Answer<'_, Result<ProbeAnswer, ProbeError>>;

    /// Starts a verification, or finds the one that was started by the same key. Answers at once.
    ///
    /// # Errors
    /// When it can't be done, or not now.
    fn start_canary(&self, request: CanaryRequest) -> Result<CanaryStarted, CanaryRefusal>;

    /// A verification by its id.
    fn canary(&self, id: &str) -> Option<Report>;

    /// A verification by the key of the request that started it.
    fn canary_by_key(&self, key: &str) -> Option<Report>;

    /// All verifications that are kept, the newest first.
    fn canaries(&self) -> Vec<Report>;

    /// Ends a verification, which becomes inconclusive.
    fn cancel_canary(&self, id: &str) -> Option<Report>;

    /// How each job of the config in force stands, in its order.
    fn jobs(&self) -> Vec<JobStanding>;

    /// The settings of a check that are in force.
    fn promises(&self, target: &str, check: &str) -> Vec<Promise>;

    /// What is wrong with the agent itself, if anything.
    fn notices(&self) -> Vec<Notice>;

    /// Begins a run out of turn; returns when it is begun, not when it has ended.
    fn run_now(&self, which: &Which) -> Result<(), ChangeError>;

    /// Pauses jobs until a moment, as long as the agent runs; a later call replaces an earlier one.
    fn pause(&self, which: &Which, until: Timestamp) -> Result<(), ChangeError>;

    /// Ends what [`AgentHandle::pause`] began.
    fn resume(&self, which: &Which) -> Result<(), ChangeError>;

    /// The token that whoever changes something has to show; without one, only programs on this machine may.
    fn token(&self) -> Option<SecretString> {
        None
    }
}

/// Whether the agent is ready, and why (not).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// True if the agent does its work.
    pub ready: bool,
    /// A line each, for `?verbose`.
    pub reasons: Vec<String>,
}

/// What a reload changed, in jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReloadSummary {
    /// Jobs that are new.
    pub added: usize,
    /// Jobs that are gone.
    pub removed: usize,
    /// Jobs that began anew, because their configuration changed.
    pub changed: usize,
    /// Jobs that were not disturbed.
    pub unchanged: usize,
    /// What the configuration is warned of, a line each.
    pub warnings: Vec<String>,
}

impl ReloadSummary {
    /// All but the warnings, in a line.
    pub fn counts(&self) -> String {
        let Self { added, removed, changed, unchanged, .. } = self;
        format!("reloaded: {added} added, {removed} removed, {changed} changed, {unchanged} unchanged")
    }
}

impl fmt::Display for ReloadSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.counts())?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

/// Why nothing was reloaded; the agent goes on with the configuration that it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// The new configuration has mistakes, a line each.
    #[error("the configuration is not valid")]
    Config(Vec<String>),
    /// The agent could not do it, a line each.
    #[error("the agent could not reload")]
    Agent(Vec<String>),
}
