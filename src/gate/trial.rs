//! One check of a verification, and how its runs lie in time.

use std::sync::Arc;
use std::time::Duration;

use super::fit::LONG;
use crate::model::JobKey;
use crate::runner::Job;

/// The part of a long run by which each of its arms may begin later: a gateway that looks for the dead every so often
/// would else be met at the same moment of its round by all runs of one arm, and at another by those of the other.
const SPREAD: u32 = 3;

/// One check, again and again in both arms.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) check: &'static str,
    pub(super) baseline: Option<Job>,
    pub(super) canary: Job,
    /// Runs in each arm that it is meant to make.
    pub(super) wanted: usize,
    /// Those that fit in time and budget.
    pub(super) runs: usize,
    /// What a run takes with a gateway that is well.
    pub(super) typical: Duration,
    /// Pairs of runs that go on at the same time.
    pub(super) lanes: usize,
}

impl Trial {
    /// Whether both arms run at once: what waits for long is held against the same moments so, in half of the time.
    pub(super) fn at_once(&self) -> bool {
        self.typical >= LONG
    }

    /// What the next run in each arm takes: half of the spread, since hardly a run uses up its typical time.
    pub(super) fn pair(&self) -> Duration {
        let in_turn = self.baseline.is_some() && !self.at_once();
        if in_turn { self.typical * 2 } else { self.typical + self.spread() / 2 }
    }

    /// How much later than the other an arm of a pair may begin, at most.
    fn spread(&self) -> Duration {
        if self.at_once() { self.typical / SPREAD } else { Duration::ZERO }
    }

    /// How long an arm waits before its next run, by chance.
    pub(super) fn wait(&self) -> Duration {
        self.spread().mul_f64(rand::random())
    }

    /// Pairs that may take the place of such as found nothing out: a quarter, and one at least.
    pub(super) fn spare(&self) -> usize {
        self.runs.div_ceil(4)
    }

    /// How many pairs fit into such a time.
    pub(super) fn fit(&self, time: Duration) -> usize {
        let rounds = (time.as_secs_f64() / self.pair().as_secs_f64().max(1e-3)) as usize;
        rounds * self.lanes
    }

    /// Connections of all runs of an arm.
    pub(super) fn dials(&self) -> u64 {
        self.canary.spec.cost().connections * self.runs as u64
    }

    /// Connections that a run holds at once.
    fn seats(&self) -> usize {
        usize::try_from(self.canary.spec.cost().concurrent).unwrap_or(usize::MAX).max(1)
    }

    /// Whether both arms spend the same budget.
    pub(super) fn shares_budget(&self) -> bool {
        self.baseline.as_ref().is_some_and(|job| Arc::ptr_eq(&job.budget, &self.canary.budget))
    }

    /// Connections that all checks of an arm may hold at once.
    fn room(&self) -> usize {
        let of = |job: &Job| job.budget.limits().connections;
        let room = self.baseline.as_ref().map_or(usize::MAX, of).min(of(&self.canary));
        if self.shares_budget() { room / 2 } else { room }
    }

    /// The keys of its jobs in the config.
    pub(super) fn keys(&self) -> impl Iterator<Item = &JobKey> {
        [Some(&self.canary), self.baseline.as_ref()].into_iter().flatten().map(|job| &job.key)
    }
}

/// Lets the longest check, if it is one that mostly waits, run several times at once: as often as leaves all others the
/// connections that they need, or they would wait for it.
pub(super) fn abreast(trials: &mut [Trial]) {
    let Some(at) = (0..trials.len()).max_by_key(|at| trials[*at].typical) else { return };
    let all: usize = trials.iter().map(Trial::seats).sum();
    let trial = &mut trials[at];
    if trial.at_once() {
        let beside = all - trial.seats();
        trial.lanes = (trial.room().saturating_sub(beside) / trial.seats()).clamp(1, trial.wanted.max(1));
    }
}
