//! Drives a verification: pairs of runs of each check, whose order alternates, so that what drifts hits both arms.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::baseline::{Gone, Presence};
use super::course::Course;
use super::critical::is_critical;
use super::dial::failed_phase;
use super::measures::measures;
use super::queue::Queue;
use super::trial::Trial;
use crate::canary::{Arm, Decision, End, Judge, Run, RunOutcome, Verdict};
use crate::model::{Cause, Outcome, Phase, RunReport};
use crate::runner::{Job, Runner};

/// How long a check stays away from gateways one of which asked for patience.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why somebody ended a verification before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Cancelled,
    /// The config of one of the gateways changed, or it is not watched any more.
    Reloaded,
    /// gateprobe itself is ending.
    Shutdown,
}

impl Ended {
    /// The reason in a sentence for people.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Cancelled => "it was cancelled",
            Self::Reloaded => "the config of its gateways was changed by a reload",
            Self::Shutdown => "gateprobe was stopped",
        }
    }
}

/// Ends a verification from outside. Clones end the same one.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    why: Arc<OnceLock<Ended>>,
}

impl Stop {
    /// Ends it; the first reason counts.
    pub fn now(&self, why: Ended) {
        let _ = self.why.set(why);
        self.token.cancel();
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Runs that have ended.
    pub done: usize,
    /// Runs that are planned.
    pub planned: usize,
}

impl Progress {
    /// The share that is done, from 0 to 1.
    pub fn share(self) -> f64 {
        if self.planned == 0 { 0.0 } else { self.done.min(self.planned) as f64 / self.planned as f64 }
    }
}

/// Runs a verification to its end; each run is told as soon as it is over. Whatever happens, there is a decision.
pub async fn drive(
    course: &Course,
    runner: &Runner,
    stop: &Stop,
    on_run: &(dyn Fn(&Run, Progress) + Send + Sync),
) -> Decision {
    let drive = Drive::new(course, runner, on_run);
    // What a panic leaves half done is dropped with the future: runs are handed to the judge in single steps.
    let end = AssertUnwindSafe(drive.to_the_end(stop)).catch_unwind().await;
    let end = end.unwrap_or_else(|_| {
        End::AgentFault("gateprobe panicked; the message is on standard error".to_owned())
    });
    let State { judge, decided, .. } = drive.into_state();
    let mut decision = decided.unwrap_or_else(|| judge.finish(end.clone()));
    if let (End::Cancelled, Some(why @ (Ended::Reloaded | Ended::Shutdown))) = (&end, stop.why.get()) {
        decision.sentence = format!("{} ({}).", decision.sentence.trim_end_matches('.'), why.explain());
    }
    if let (Verdict::Pass, Some(reduced)) = (decision.verdict, course.reduced()) {
        let profile = course.profile.word();
        decision
            .sentence
            .push_str(&format!(" It looked less closely than `{profile}` is meant to: {reduced}."));
    }
    decision.notes.extend(course.notes.iter().cloned());
    decision
}

/// What all trials share.
struct Drive<'a> {
    course: &'a Course,
    runner: &'a Runner,
    on_run: &'a (dyn Fn(&Run, Progress) + Send + Sync),
    /// Ends the runs in progress.
    cut: CancellationToken,
    began: Instant,
    until: Instant,
    /// Connections that an arm's runs may hold at once, so that they do not wait for each other inside of a run.
    seats: (Arc<Semaphore>, Arc<Semaphore>),
    state: Mutex<State>,
}

struct State {
    judge: Judge,
    baseline: Presence,
    decided: Option<Decision>,
    progress: Progress,
    /// Not all runs could be made in time.
    short: bool,
}

/// One run of a pair.
struct Ran {
    run: Run,
    outcome: Outcome,
    /// The phase of getting in that did not succeed.
    failed_phase: Option<Phase>,
    patience: bool,
}

impl<'a> Drive<'a> {
    fn new(
        course: &'a Course,
        runner: &'a Runner,
        on_run: &'a (dyn Fn(&Run, Progress) + Send + Sync),
    ) -> Self {
        let began = Instant::now();
        let state = State {
            judge: Judge::new(course.for_judge()),
            baseline: Presence::default(),
            decided: None,
            progress: Progress { done: 0, planned: course.total() },
            short: false,
        };
        Self {
            course,
            runner,
            on_run,
            cut: CancellationToken::new(),
            began,
            until: began + course.longest,
            seats: seats(course),
            state: Mutex::new(state),
        }
    }

    async fn to_the_end(&self, stop: &Stop) -> End {
        let trials = join_all(self.course.trials.iter().map(|trial| self.trial(trial)));
        tokio::pin!(trials);
        let end = tokio::select! {
            biased;
            () = stop.token.cancelled() => End::Cancelled,
            () = sleep_until(self.until) => End::TimeUp,
            _ = &mut trials => End::Completed,
        };
        if end != End::Completed {
            self.cut.cancel();
            // Runs that are cut end at once.
            trials.await;
            return end;
        }
        tokio::select! {
            biased;
            () = stop.token.cancelled() => return End::Cancelled,
            () = sleep_until(self.until) => {}
            () = self.ask_baseline() => {}
        }
        let state = self.state();
        match (state.baseline.gone(), state.short) {
            (Some(Gone::NeverReached(why)), _) => End::BaselineNeverReached(why),
            (Some(Gone::Lost), _) => End::BaselineLost,
            (None, true) => End::TimeUp,
            (None, false) => End::Completed,
        }
    }

    /// One check, its lanes side by side.
    async fn trial(&self, trial: &Trial) {
        let queue = Queue::new(trial.runs, trial.spare());
        join_all((0..trial.lanes).map(|_| self.lane(trial, &queue))).await;
    }

    /// One pair of runs after the other.
    async fn lane(&self, trial: &Trial, queue: &Queue) {
        while let Some(number) = queue.next() {
            if number >= trial.lanes && Instant::now() + trial.pair() > self.until {
                // What only takes the place of another is not missed.
                self.state().short |= number < trial.runs;
                return;
            }
            let runs = self.pair(trial, number.is_multiple_of(2)).await;
            if self.cut.is_cancelled() {
                return;
            }
            let patience = runs.iter().any(|ran| ran.patience);
            let told_nothing = runs.iter().any(|ran| ran.run.outcome == RunOutcome::Inconclusive);
            if told_nothing && queue.one_more() {
                self.state().progress.planned += runs.len();
            }
            self.take(runs);
            if patience {
                let _ = self.cut.run_until_cancelled(sleep(PATIENCE)).await;
            }
        }
    }

    /// A run in each arm; whether the baseline's comes first, where they are not long enough to go on at once.
    async fn pair(&self, trial: &Trial, baseline_first: bool) -> Vec<Ran> {
        let canary = self.run(Arm::Canary, &trial.canary, trial.wait());
        let Some(baseline) = &trial.baseline else { return vec![canary.await] };
        let baseline = self.run(Arm::Baseline, baseline, trial.wait());
        if trial.at_once() {
            let (baseline, canary) = tokio::join!(baseline, canary);
            return vec![baseline, canary];
        }
        match baseline_first {
            true => vec![baseline.await, canary.await],
            false => vec![canary.await, baseline.await],
        }
    }

    /// A run, which begins after such a time at the earliest.
    async fn run(&self, arm: Arm, job: &Job, wait: Duration) -> Ran {
        let _ = self.cut.run_until_cancelled(sleep(wait)).await;
        let seats = match arm {
            Arm::Baseline => &self.seats.0,
            Arm::Canary => &self.seats.1,
        };
        let wanted = job.spec.cost().concurrent.clamp(1, room(job) as u64);
        let seated = seats.acquire_many(u32::try_from(wanted).unwrap_or(u32::MAX));
        // Never closed; none only where the run is cut before it began.
        let _seats = self.cut.run_until_cancelled(seated).await;
        let reports = Box::pin(self.runner.run(job, &self.cut)).await;
        job.shelf.let_go().await;
        told(arm, job.key.check, &reports, self.began.elapsed())
    }

    /// Hands the runs of a pair to the judge, and asks whether it may stop.
    fn take(&self, runs: Vec<Ran>) {
        let mut state = self.state();
        for Ran { run, outcome, failed_phase, .. } in runs {
            if run.arm == Arm::Baseline {
                state.baseline.see(outcome, failed_phase, &run.detail);
            }
            state.progress.done += 1;
            (self.on_run)(&run, state.progress);
            state.judge.add(run);
        }
        if state.decided.is_none() {
            state.decided = state.judge.interim();
        }
        if state.decided.is_some() || state.baseline.gone().is_some() {
            self.cut.cancel();
        }
    }

    /// Where the last run did not reach the baseline, whether it is gone: more runs of the first check, which tell
    /// only that.
    async fn ask_baseline(&self) {
        let job = self.course.trials.iter().find_map(|trial| trial.baseline.as_ref());
        let Some(job) = job else { return };
        let doubtful = |presence: &Presence| presence.in_doubt() && presence.gone().is_none();
        while !self.cut.is_cancelled() && doubtful(&self.state().baseline) {
            let Ran { run, outcome, failed_phase, .. } = self.run(Arm::Baseline, job, Duration::ZERO).await;
            self.state().baseline.see(outcome, failed_phase, &run.detail);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked held whole values only.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_state(self) -> State {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connections that all checks of a job's gateway may hold at once.
fn room(job: &Job) -> usize {
    job.budget.limits().connections.max(1)
}

/// Of each arm; both are the same where they share a budget.
fn seats(course: &Course) -> (Arc<Semaphore>, Arc<Semaphore>) {
    let of = |job: Option<&Job>| Arc::new(Semaphore::new(job.map_or(1, room).min(Semaphore::MAX_PERMITS)));
    let first = course.trials.first();
    let canary = first.map(|trial| &trial.canary);
    let baseline = first.and_then(|trial| trial.baseline.as_ref());
    let of_canary = of(canary);
    let shared = matches!((baseline, canary), (Some(a), Some(b)) if Arc::ptr_eq(&a.budget, &b.budget));
    (if shared { Arc::clone(&of_canary) } else { of(baseline) }, of_canary)
}

/// What a run tells the judge. Where each address was visited, the worst of them speaks for the run.
fn told(arm: Arm, check: &'static str, reports: &[RunReport], at: Duration) -> Ran {
    let worst = reports.iter().max_by_key(|report| rank(report.outcome));
    // A run has a report at least.
    let outcome = worst.map_or(Outcome::Inconclusive(Cause::AgentPanic), |report| report.outcome);
    let run = Run {
        arm,
        check: Cow::Borrowed(check),
        outcome: match outcome {
            Outcome::Pass => RunOutcome::Pass,
            Outcome::Fail(_) => RunOutcome::Fail,
            Outcome::Inconclusive(_) => RunOutcome::Inconclusive,
            Outcome::Unsupported(_) => RunOutcome::Unsupported,
        },
        reason: outcome.reason().map(Cow::Borrowed),
        detail: worst.map(|report| report.detail.clone()).unwrap_or_default(),
        critical: matches!(outcome, Outcome::Fail(failure) if is_critical(failure)),
        seconds_since_start: at.as_secs_f64(),
        measures: measures(reports),
    };
    let failed_phase = worst.and_then(|report| failed_phase(report.outcome, &report.timeline));
    let patience = reports.iter().any(|report| report.outcome.asks_for_patience());
    Ran { run, outcome, failed_phase, patience }
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Fail(failure) if is_critical(failure) => 4,
        Outcome::Fail(_) => 3,
        Outcome::Inconclusive(_) => 2,
        Outcome::Pass => 1,
        Outcome::Unsupported(_) => 0,
    }
}
