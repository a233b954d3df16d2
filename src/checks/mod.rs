//! The checks: one module a kind. The config of a check *is* the check.

pub mod handshake;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Failure, Span, Verdict};
use crate::session::{Target, Visit};
pub use handshake::Handshake;

/// Every metric of every check.
pub static METRICS: &[&Descriptor] = handshake::METRICS;

/// A check with all its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSpec {
    /// See [`Handshake`].
    Handshake(Handshake),
}

/// The checks of a target, by kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Dials, upgrades, closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
}

/// What one run may cost a gateway, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Connections opened.
    pub connections: u64,
    /// Connections open at once.
    pub concurrent: u64,
    /// WebSocket messages and control frames sent.
    pub messages: u64,
    /// Bytes sent and received, with headers, without TLS and TCP overhead.
    pub bytes: u64,
}

impl Checks {
    /// The enabled checks.
    pub fn into_specs(self) -> Vec<CheckSpec> {
        let handshake = self.handshake.filter(|check| check.enabled).map(CheckSpec::Handshake);
        handshake.into_iter().collect()
    }
}

impl CheckSpec {
    /// The kind: the word in the config, the file name and the metric prefix.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Handshake(_) => "handshake",
        }
    }

    /// Runs once. Has no deadline of its own: whoever calls puts one over it.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self {
            Self::Handshake(check) => check.run(visit).await,
        }
    }

    /// How often it runs.
    pub fn interval(&self) -> Span {
        match self {
            Self::Handshake(check) => check.interval,
        }
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        match self {
            Self::Handshake(check) => check.timeout,
        }
    }

    /// The same check with another deadline.
    #[must_use]
    pub fn with_timeout(self, timeout: Span) -> Self {
        match self {
            Self::Handshake(check) => Self::Handshake(Handshake { timeout, ..check }),
        }
    }

    /// Whether a run may end with this failure; its counter exists from the start.
    pub fn can_fail_as(&self, failure: Failure) -> bool {
        match self {
            Self::Handshake(_) => !matches!(failure, Failure::TcpNotEnded),
        }
    }

    /// The series of the check's own metrics that exist at 0 before the first run of a target.
    pub fn series_at_zero(&self, target: &Target) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        match self {
            Self::Handshake(check) => check.series_at_zero(target),
        }
    }

    /// The shortest time-out with which a run can still find out what it is for.
    pub fn worst_case(&self) -> Span {
        match self {
            Self::Handshake(check) => check.worst_case(),
        }
    }

    /// What one run costs the gateway, at most.
    pub fn cost(&self) -> Cost {
        match self {
            Self::Handshake(check) => check.cost(),
        }
    }
}
