//! What comes out: the verdict and what it rests on.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::plan::Arm;

/// The version of a [`Decision`]'s body.
pub const VERSION: u32 = 1;

/// The name of a row that compares failed runs.
pub const FAILURES: &str = "failures";

/// The check of the row that takes all checks together.
pub const ALL_CHECKS: &str = "all";

/// The verdict on a canary, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Decision {
    /// The version of this body.
    pub canary: u32,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict and its main reason, for people.
    pub sentence: String,
    /// Why no more runs were needed, where it ended before its plan did.
    pub stopped_early: Option<EarlyStop>,
    /// When the last run ended, in seconds since the verification began.
    pub seconds: f64,
    /// The nominal rate of a false `fail`, over all comparisons and looks.
    pub alpha: f64,
    /// Counts of runs, by check and arm.
    pub runs: Vec<RunCounts>,
    /// What was compared, the heaviest and worst first.
    pub rows: Vec<Row>,
    /// Why it is not a pass, or what its reader should know: one sentence each.
    pub notes: Vec<String>,
    /// What the failed and inconclusive runs said, the critical and most frequent first; bounded.
    pub evidence: Vec<Evidence>,
}

/// Whether the canary may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing that matters is worse.
    Pass,
    /// Something is worse.
    Fail,
    /// It could not be found out.
    Inconclusive,
}

impl Verdict {
    /// Its word in outputs and labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Why a verification could end before its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EarlyStop {
    /// A critical finding, which the baseline does not show.
    Critical,
    /// Whatever the missing runs say, it stays a `fail`.
    Certain,
    /// Significant at an interim look, at the level that is spent on it.
    Significant,
}

impl EarlyStop {
    /// The reason in words.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Critical => "one critical finding is enough",
            Self::Certain => "no missing run could have changed the verdict",
            Self::Significant => "the difference was significant before the end",
        }
    }
}

/// How the runs of one check against one arm ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunCounts {
    /// The check.
    pub check: String,
    /// The arm.
    pub arm: Arm,
    /// Runs that were planned.
    pub planned: usize,
    /// Runs that passed.
    pub pass: usize,
    /// Runs that failed.
    pub fail: usize,
    /// Runs that could not find out.
    pub inconclusive: usize,
    /// Runs that met a gateway without the feature.
    pub unsupported: usize,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// The check; `all` for all of them together.
    pub check: String,
    /// The metric with its labels, or `failures`.
    pub metric: String,
    /// `seconds`, `bytes` or `ratio`; of `failures`, the share of conclusive runs.
    pub unit: Cow<'static, str>,
    /// The baseline's median, or share of failed runs.
    pub baseline: Option<f64>,
    /// The canary's median, or share of failed runs.
    pub canary: Option<f64>,
    /// Runs of the baseline that are in it.
    pub n_baseline: usize,
    /// Runs of the canary that are in it.
    pub n_canary: usize,
    /// By how much the canary is higher, in `unit`: of times by Hodges and Lehmann, of failures the difference.
    pub shift: Option<f64>,
    /// The shift's confidence interval, of this row by itself.
    pub interval: Option<(f64, f64)>,
    /// One-sided p-value of "the canary is not worse", before the correction for many comparisons.
    pub p: Option<f64>,
    /// Cliff's delta, from -1 to 1: above 0 where runs of the canary tend to be higher. Of failures, the difference.
    pub effect: Option<f64>,
    /// The absolute threshold it was held against, in `unit`.
    pub threshold: Option<f64>,
    /// What was found.
    pub verdict: RowVerdict,
    /// Why, where the verdict does not say it.
    pub note: Option<String>,
    /// How much it counts; what weighs 0 is only shown.
    pub weight: f64,
}

/// What one comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowVerdict {
    /// A finding of the security or crash kind.
    Critical,
    /// Significantly worse, by as much as matters.
    Worse,
    /// Worse than the absolute threshold.
    OverThreshold,
    /// Looks worse, but too few runs to tell it from chance: no pass with such a row.
    Suspect,
    /// Too few runs to say anything: no pass with such a row.
    NotEnough,
    /// Significantly better, by as much as would matter.
    Better,
    /// Nothing that is both significant and large enough to matter.
    Same,
    /// Only shown: it weighs 0, or so few runs were planned that no difference could be significant.
    NotJudged,
}

impl RowVerdict {
    /// Its word in outputs and labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Worse => "worse",
            Self::OverThreshold => "over_threshold",
            Self::Suspect => "suspect",
            Self::NotEnough => "not_enough",
            Self::Better => "better",
            Self::Same => "same",
            Self::NotJudged => "not_judged",
        }
    }

    /// Whether such a row is a `fail` by itself.
    pub fn fails(self) -> bool {
        matches!(self, Self::Critical | Self::Worse | Self::OverThreshold)
    }

    /// Whether there is no pass with such a row, though it is no `fail` by itself.
    pub fn blocks(self) -> bool {
        matches!(self, Self::Suspect | Self::NotEnough)
    }
}

/// Runs that ended alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// The check.
    pub check: String,
    /// The arm.
    pub arm: Arm,
    /// Why they failed or were inconclusive.
    pub reason: String,
    /// What the first of them said, cut to a bounded length; may hold what a gateway said.
    pub detail: String,
    /// Whether it is a finding of the security or crash kind.
    pub critical: bool,
    /// How many they are.
    pub count: usize,
}
