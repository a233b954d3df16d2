//! What goes in: the plan of a verification, and its runs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::statistics::fisher::Table;

/// Beyond any number of runs that an alpha may ask for: by chance, so many failures in one arm alone are as good as
/// impossible.
const MOST: usize = 1_000;

/// One of the two gateways that are held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The gateway that is known to be good enough.
    Baseline,
    /// The gateway in question.
    Canary,
}

impl Arm {
    /// Both, the baseline first.
    pub const ALL: [Self; 2] = [Self::Baseline, Self::Canary];

    /// Its word in outputs and labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Canary => "canary",
        }
    }
}

/// How one run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The gateway did the right thing.
    Pass,
    /// It did not.
    Fail,
    /// It could not be found out.
    Inconclusive,
    /// The gateway has no such feature.
    Unsupported,
}

/// One run of one check against one arm: the unit of all that is counted and compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Against which gateway.
    pub arm: Arm,
    /// The check, as the config names it.
    pub check: Cow<'static, str>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why it failed or was inconclusive.
    pub reason: Option<Cow<'static, str>>,
    /// The same for people; may hold what a gateway said.
    pub detail: String,
    /// Whether the reason is a finding of the security or crash kind, of which one is enough.
    pub critical: bool,
    /// When it ended, in seconds since the verification began.
    pub seconds_since_start: f64,
    /// Per metric with its labels, such as `gateprobe_heartbeat_rtt_seconds{level="protocol"}`, the median of what the
    /// run measured, in the metric's base unit. Samples inside a run are not independent of each other.
    pub measures: BTreeMap<String, f64>,
}

/// What is to be verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whether there is a baseline. If not, the canary is held against absolute thresholds.
    pub compare: bool,
    /// Runs an arm that each check is planned to make.
    pub checks: BTreeMap<String, usize>,
    /// By what it is judged.
    pub policy: Policy,
}

/// By what a canary is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The nominal rate of a false `fail`, over all comparisons and looks together; in (0, 0.5).
    pub alpha: f64,
    /// Least shift that matters, as a share of the baseline's median; 0.25 is a quarter.
    pub tolerance: f64,
    /// The metrics that are judged, by their names without labels; others are left out.
    pub metrics: BTreeMap<String, MetricPolicy>,
    /// Least rise of the share of failed runs that matters, beside being significant.
    pub failure_tolerance: f64,
    /// Largest share of failed runs that is good enough where there is no baseline.
    pub max_failure_ratio: f64,
    /// Conclusive runs an arm that a pass needs at least, all checks together; and each check, if that many are
    /// planned.
    pub min_runs: usize,
    /// Share of the planned runs that must have been conclusive for a pass.
    pub min_share: f64,
    /// Share of failed runs from which a baseline is too broken to be compared with.
    pub broken_baseline: f64,
    /// Shares of the planned runs at which the data are looked at before the end.
    pub looks: Vec<f64>,
    /// Confidence of the intervals that are shown, of one shift by itself.
    pub confidence: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            tolerance: 0.25,
            metrics: default_metrics(),
            failure_tolerance: 0.005,
            max_failure_ratio: 0.05,
            min_runs: 5,
            min_share: 0.5,
            broken_baseline: 0.5,
            looks: vec![1.0 / 3.0, 2.0 / 3.0],
            confidence: 0.95,
        }
    }
}

/// How one metric is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricPolicy {
    /// Which way is worse.
    pub direction: Direction,
    /// Least shift that matters as a share of the baseline's median; `Policy::tolerance` where not set.
    pub tolerance: Option<f64>,
    /// Least shift that matters, in the metric's base unit.
    pub absolute: f64,
    /// How much it counts: the sentence names the heaviest first, and what weighs 0 is shown, never judged.
    pub weight: f64,
    /// Worst median that is good enough where there is no baseline, in the metric's base unit.
    pub threshold: Option<f64>,
}

impl Default for MetricPolicy {
    fn default() -> Self {
        Self {
            direction: Direction::HigherIsWorse,
            tolerance: None,
            absolute: 0.0,
            weight: 1.0,
            threshold: None,
        }
    }
}

/// Which way of a metric is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// As with times.
    HigherIsWorse,
    /// As with shares of what was delivered.
    LowerIsWorse,
}

/// Why a policy can't judge.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// No test has such a level.
    #[error("alpha is {0}, not above 0 and below 0.5")]
    Alpha(f64),
    /// No interval has such a confidence.
    #[error("confidence is {0}, not above 0 and below 1")]
    Confidence(f64),
    /// A share that is no share.
    #[error("{0} is {1}, not from 0 to 1")]
    Share(&'static str, f64),
    /// A metric's tolerance, least shift, weight or threshold is not a number from 0 up.
    #[error("{0} has a tolerance, least shift, weight or threshold that is not a number from 0 up")]
    Metric(String),
    /// A tolerance that is not a number from 0 up.
    #[error("tolerance is {0}, not a number from 0 up")]
    Tolerance(f64),
}

impl Policy {
    /// Conclusive runs an arm that a pass needs, all checks together: `min_runs`, and where two gateways are compared
    /// as many as could show at all that one of them is worse. By fewer, a canary that never answers would be no worse
    /// than a baseline that always does.
    pub fn enough(&self, compare: bool) -> usize {
        let by_chance = |runs: usize| {
            let apart = Table { failed: runs, runs, other_failed: 0, other_runs: runs };
            apart.greater() > self.alpha
        };
        let least = if compare { (1..MOST).find(|runs| !by_chance(*runs)).unwrap_or(MOST) } else { 1 };
        self.min_runs.max(least)
    }

    /// Whether it can judge: what is no number compares as "not worse" with everything.
    ///
    /// # Errors
    /// The first value that is out of bounds.
    pub fn check(&self) -> Result<(), PolicyError> {
        let from_zero = |value: f64| value.is_finite() && value >= 0.0;
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return Err(PolicyError::Alpha(self.alpha));
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(PolicyError::Confidence(self.confidence));
        }
        if !from_zero(self.tolerance) {
            return Err(PolicyError::Tolerance(self.tolerance));
        }
        let shares = [
            ("failure_tolerance", self.failure_tolerance),
            ("max_failure_ratio", self.max_failure_ratio),
            ("min_share", self.min_share),
            ("broken_baseline", self.broken_baseline),
        ];
        if let Some((name, value)) = shares.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(PolicyError::Share(name, value));
        }
        let bad = |metric: &MetricPolicy| {
            let values = [metric.tolerance, Some(metric.absolute), Some(metric.weight), metric.threshold];
            !values.into_iter().flatten().all(from_zero)
        };
        match self.metrics.iter().find(|(_, metric)| bad(metric)) {
            Some((name, _)) => Err(PolicyError::Metric(name.clone())),
            None => Ok(()),
        }
    }
}

fn default_metrics() -> BTreeMap<String, MetricPolicy> {
    // Name, share of the baseline's median, least shift in seconds, weight. A reader of a chat feels a tenth of a
    // second, a reader of quotes a few milliseconds; the clean-up of zombies is told in heartbeats.
    let metrics = [
        ("gateprobe_heartbeat_rtt_seconds", Some(0.15), 0.001, 2.0),
        ("gateprobe_connect_phase_duration_seconds", None, 0.005, 1.0),
        ("gateprobe_flap_connect_seconds", None, 0.005, 1.0),
        ("gateprobe_token_refresh_duration_seconds", None, 0.02, 1.0),
        ("gateprobe_network_switch_seconds", None, 0.05, 1.0),
        ("gateprobe_zombie_cleanup_seconds", None, 1.0, 1.0),
        ("gateprobe_last_expired_session_close_seconds", None, 1.0, 1.0),
    ];
    let policy =
        |tolerance, absolute, weight| MetricPolicy { tolerance, absolute, weight, ..Default::default() };
    metrics.into_iter().map(|(name, t, a, w)| (name.to_owned(), policy(t, a, w))).collect()
}

/// How a verification came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All planned runs were made.
    Completed,
    /// The time that was given is over.
    TimeUp,
    /// Somebody stopped it.
    Cancelled,
    /// The baseline is not there any more.
    BaselineLost,
    /// The baseline never let anybody in; why.
    BaselineNeverReached(String),
    /// The agent itself failed; what happened.
    AgentFault(String),
}
