//! What a person may do next where it is no pass: the hint that `gateprobe check` has for the same outcome.

use std::sync::Arc;

use crate::agent::Setup;
use crate::canary::{Arm, Decision, Evidence, Verdict};
use crate::gate::Report;
use crate::model::{Cause, Failure, Outcome};
use crate::runner::{Job, advice};
use crate::session::{Budget, Limits};

/// A hint.
pub(super) struct Next {
    /// The evidence that it is for, by its place in the decision.
    pub(super) below: usize,
    /// What to try.
    pub(super) text: String,
}

/// The hint for what weighs most of what was seen.
pub(super) fn next(report: &Report, setup: &Setup) -> Option<Next> {
    let decision = report.decision().filter(|decision| decision.verdict != Verdict::Pass)?;
    let arm = concerned(decision);
    let of_arm = decision.evidence.iter().enumerate().filter(|(_, found)| found.arm == arm);
    // What is about the connection itself says more than what could not begin without one.
    let (knows, asks): (Vec<_>, Vec<_>) = of_arm
        .filter_map(|(below, found)| Some((below, found, outcome(&found.reason)?)))
        .partition(|(_, _, outcome)| *outcome != Outcome::Inconclusive(Cause::Precondition));
    let (below, found, outcome) = knows.into_iter().chain(asks).next()?;
    let job = job(report, setup, found)?;
    let text = advice::on(outcome, &found.detail, &job)?.into_owned();
    Some(Next { below, text })
}

/// The canary; where no run of the baseline passed and it is no fail, the baseline: without it nothing can be told.
fn concerned(decision: &Decision) -> Arm {
    let of_baseline = || decision.runs.iter().filter(|counts| counts.arm == Arm::Baseline);
    let never_passed = of_baseline().count() > 0 && of_baseline().all(|counts| counts.pass == 0);
    match decision.verdict {
        Verdict::Inconclusive if never_passed => Arm::Baseline,
        _ => Arm::Canary,
    }
}

fn outcome(reason: &str) -> Option<Outcome> {
    let failure = Failure::ALL.iter().find(|failure| failure.reason() == reason);
    let cause = Cause::ALL.iter().find(|cause| cause.reason() == reason);
    failure.map(|failure| Outcome::Fail(*failure)).or(cause.map(|cause| Outcome::Inconclusive(*cause)))
}

/// The job that made those runs.
fn job(report: &Report, setup: &Setup, found: &Evidence) -> Option<Job> {
    let address = match found.arm {
        Arm::Baseline => report.gateways.baseline.as_ref()?,
        Arm::Canary => &report.gateways.canary,
    };
    let of_target = || setup.plan.jobs.iter().filter(|job| *job.key.target == *address.name);
    let planned = of_target().find(|job| job.key.check == found.check).or_else(|| of_target().next())?;
    setup.job(planned, &Arc::new(Budget::new(Limits::default())))
}
