//! How many runs each check makes: as many as the profile wants, as far as time and budget allow.

use std::iter::successors;
use std::time::Duration;

use super::trial::Trial;
use crate::runner::Job;
use crate::session::Limits;

/// The part of the time that is planned to be used: the rest is for gateways that are not well.
const PLANNED: f64 = 0.85;
/// More time than this is not proposed.
const DAY: f64 = 86_400.0;

/// The part of the time that is planned for.
pub(super) fn planned(longest: Duration) -> Duration {
    longest.mul_f64(PLANNED)
}

/// Runs in an arm, all checks together.
pub(super) fn total(trials: &[Trial]) -> usize {
    trials.iter().map(|trial| trial.runs).sum()
}

/// Lets what is few by its nature make more runs where it is all there is: no verdict rests on fewer than `enough`.
pub(super) fn top_up(trials: &mut [Trial], enough: usize) {
    while trials.iter().map(|trial| trial.wanted).sum::<usize>() < enough {
        let Some(fewest) = trials.iter_mut().min_by_key(|trial| trial.wanted) else { return };
        fewest.wanted += 1;
    }
}

/// Gives each check its runs.
pub(super) fn allot(trials: &mut [Trial], longest: Duration) {
    trials.iter_mut().for_each(|trial| trial.runs = trial.wanted.min(trial.fit(planned(longest))));
    pace(trials, longest);
}

/// The least time in which `enough` runs would fit, a quarter too long at most; none within a day. It changes nothing.
pub(super) fn least_time(trials: &mut [Trial], enough: usize) -> Option<Duration> {
    let times =
        successors(Some(1.0_f64), |seconds| Some(seconds * 1.25)).take_while(|seconds| *seconds <= DAY);
    let kept: Vec<usize> = trials.iter().map(|trial| trial.runs).collect();
    let least = times.map(|seconds| Duration::from_secs(seconds.ceil() as u64)).find(|time| {
        allot(trials, *time);
        total(trials) >= enough
    });
    trials.iter_mut().zip(kept).for_each(|(trial, runs)| trial.runs = runs);
    least
}

/// Takes runs away where the budget lets too few connections through for all of them: from what spends the most, so
/// that a check with a few long runs is not the one that can't be told from chance.
fn pace(trials: &mut [Trial], longest: Duration) {
    while dialling(trials) > planned(longest) {
        let several = trials.iter_mut().filter(|trial| trial.runs > 1);
        let Some(most) = several.max_by_key(|trial| trial.dials()) else { return };
        most.runs -= 1;
    }
}

/// How long the slower arm's budget makes all connections take.
pub(super) fn dialling(trials: &[Trial]) -> Duration {
    let shared = trials.iter().any(Trial::shares_budget);
    let of = |job: &Job, runs: usize| {
        let Limits { connections_per_second, .. } = job.budget.limits();
        let rate = connections_per_second.filter(|rate| *rate > 0.0);
        rate.map_or(0.0, |rate| (job.spec.cost().connections * runs as u64) as f64 / rate)
    };
    let canary: f64 = trials.iter().map(|trial| of(&trial.canary, trial.runs)).sum();
    let baseline: f64 =
        trials.iter().filter_map(|trial| Some(of(trial.baseline.as_ref()?, trial.runs))).sum();
    let seconds = if shared { canary + baseline } else { canary.max(baseline) };
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
