//! What the runs have shown so far.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::decision::Evidence;
use super::plan::{Arm, Run, RunOutcome};

/// Characters of a detail that are kept.
const DETAIL: usize = 300;
/// Kinds of endings that are kept, and told.
const KINDS: usize = 50;

/// All runs, by check.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    checks: BTreeMap<String, CheckData>,
    evidence: Vec<Evidence>,
    /// When the last run ended.
    pub(super) seconds: f64,
}

/// The runs of one check.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckData {
    pub(super) baseline: ArmData,
    pub(super) canary: ArmData,
}

/// The runs of one check against one arm.
#[derive(Debug, Clone, Default)]
pub(super) struct ArmData {
    pub(super) pass: usize,
    pub(super) fail: usize,
    pub(super) inconclusive: usize,
    pub(super) unsupported: usize,
    /// What was measured, by metric with labels.
    pub(super) measures: BTreeMap<String, Vec<f64>>,
    /// Inconclusive runs by their causes.
    causes: BTreeMap<String, usize>,
    /// Failed runs by their reasons.
    pub(super) reasons: BTreeMap<String, usize>,
    /// Critical findings by their reasons.
    pub(super) critical: BTreeMap<String, Critical>,
}

/// How often a critical finding was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Critical {
    /// Runs that made it.
    pub(super) count: usize,
    /// How many conclusive runs there were when it was first made, itself included.
    pub(super) first: usize,
}

impl Data {
    pub(super) fn of(checks: impl Iterator<Item = String>) -> Self {
        Self { checks: checks.map(|check| (check, CheckData::default())).collect(), ..Self::default() }
    }

    pub(super) fn add(&mut self, run: Run) {
        self.seconds = self.seconds.max(run.seconds_since_start);
        let check = self.checks.entry(run.check.clone().into_owned()).or_default();
        let arm = check.arm_mut(run.arm);
        match run.outcome {
            RunOutcome::Pass => arm.pass += 1,
            RunOutcome::Fail => arm.fail += 1,
            RunOutcome::Inconclusive => arm.inconclusive += 1,
            RunOutcome::Unsupported => arm.unsupported += 1,
        }
        let reason = run.reason.unwrap_or(Cow::Borrowed("unknown"));
        if run.outcome == RunOutcome::Fail {
            *arm.reasons.entry(reason.clone().into_owned()).or_default() += 1;
        }
        if run.outcome == RunOutcome::Inconclusive {
            *arm.causes.entry(reason.clone().into_owned()).or_default() += 1;
        }
        if run.critical && run.outcome == RunOutcome::Fail {
            let first = arm.conclusive();
            arm.critical.entry(reason.clone().into_owned()).or_insert(Critical { count: 0, first }).count +=
                1;
        }
        for (metric, value) in run.measures.into_iter().filter(|(_, value)| value.is_finite()) {
            arm.measures.entry(metric).or_default().push(value);
        }
        match run.outcome {
            RunOutcome::Pass => {}
            RunOutcome::Fail => self.keep(run.check, run.arm, &reason, &run.detail, run.critical),
            RunOutcome::Inconclusive => self.keep(run.check, run.arm, &reason, &run.detail, false),
            RunOutcome::Unsupported => self.keep(run.check, run.arm, "unsupported", &run.detail, false),
        }
    }

    fn keep(&mut self, check: Cow<'static, str>, arm: Arm, reason: &str, detail: &str, critical: bool) {
        let alike = |e: &&mut Evidence| e.check == check && e.arm == arm && e.reason == reason;
        if let Some(known) = self.evidence.iter_mut().find(alike) {
            known.count += 1;
            return;
        }
        if self.evidence.len() >= KINDS && !critical {
            return;
        }
        let detail = detail.chars().take(DETAIL).collect();
        let reason = reason.to_owned();
        self.evidence.push(Evidence { check: check.into_owned(), arm, reason, detail, critical, count: 1 });
    }

    /// What the failed and inconclusive runs said: the critical, the canary's and the most frequent first.
    pub(super) fn evidence(&self) -> Vec<Evidence> {
        let mut evidence = self.evidence.clone();
        evidence.sort_by_key(|e| (Reverse(e.critical), Reverse(e.arm), Reverse(e.count)));
        evidence.truncate(KINDS);
        evidence
    }

    pub(super) fn checks(&self) -> impl Iterator<Item = (&str, &CheckData)> {
        self.checks.iter().map(|(name, data)| (name.as_str(), data))
    }

    pub(super) fn check(&self, name: &str) -> Option<&CheckData> {
        self.checks.get(name)
    }
}

impl CheckData {
    pub(super) fn arm(&self, arm: Arm) -> &ArmData {
        match arm {
            Arm::Baseline => &self.baseline,
            Arm::Canary => &self.canary,
        }
    }

    fn arm_mut(&mut self, arm: Arm) -> &mut ArmData {
        match arm {
            Arm::Baseline => &mut self.baseline,
            Arm::Canary => &mut self.canary,
        }
    }

    /// Critical findings that both arms show.
    pub(super) fn shared(&self) -> impl Iterator<Item = (&str, Critical)> {
        let of_baseline = self.baseline.critical.iter();
        of_baseline.filter(|(r, _)| self.canary.critical.contains_key(*r)).map(|(r, c)| (r.as_str(), *c))
    }

    /// Metrics that either arm has measured.
    pub(super) fn metrics(&self) -> Vec<&str> {
        let keys = self.baseline.measures.keys().chain(self.canary.measures.keys());
        let mut keys: Vec<&str> = keys.map(String::as_str).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl ArmData {
    /// Runs that say something about the gateway.
    pub(super) fn conclusive(&self) -> usize {
        self.pass + self.fail
    }

    pub(super) fn runs(&self) -> usize {
        self.conclusive() + self.inconclusive + self.unsupported
    }

    /// Why runs found nothing out, for the most part.
    pub(super) fn cause(&self) -> Option<&str> {
        self.causes.iter().max_by_key(|(_, count)| **count).map(|(cause, _)| cause.as_str())
    }

    /// Whether all that could be found out is that the gateway lacks the feature.
    pub(super) fn lacks_it(&self) -> bool {
        self.unsupported > 0 && self.conclusive() == 0 && self.unsupported >= self.inconclusive
    }

    /// The share of failed runs.
    pub(super) fn failure_ratio(&self) -> Option<f64> {
        let runs = self.conclusive();
        (runs > 0).then(|| self.fail as f64 / runs as f64)
    }

    pub(super) fn values(&self, metric: &str) -> &[f64] {
        self.measures.get(metric).map_or(&[], Vec::as_slice)
    }
}
