//! A job as the page sees it: where the schedule, the history and the objective come together.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::http::JobStanding;
use crate::store::{History, JobRuns, RunView};

/// Runs in a sparkline.
pub(super) const SPARK: usize = 30;

/// Runs of one name's addresses begin together; so far apart at most.
const TOGETHER: SignedDuration = SignedDuration::from_secs(2);

/// How a job stands, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Failing,
    Inconclusive,
    Stale,
    Unsupported,
    Waiting,
    Paused,
    Passing,
}

impl State {
    pub(super) const ALL: [Self; 7] = [
        Self::Failing,
        Self::Inconclusive,
        Self::Stale,
        Self::Unsupported,
        Self::Waiting,
        Self::Paused,
        Self::Passing,
    ];

    /// The word on the page, in `?state=` and as a class.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Inconclusive => "inconclusive",
            Self::Stale => "stale",
            Self::Unsupported => "unsupported",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Passing => "passing",
        }
    }

    /// Of a run by the label of its outcome.
    pub(super) fn of_outcome(outcome: &str) -> Self {
        match outcome {
            "pass" => Self::Passing,
            "fail" => Self::Failing,
            "unsupported" => Self::Unsupported,
            _ => Self::Inconclusive,
        }
    }
}

/// A job with what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) standing: JobStanding,
    pub(super) state: State,
    /// The newest first.
    pub(super) runs: Vec<Arc<RunView>>,
    pub(super) last_failure: Option<Arc<RunView>>,
    pub(super) budget: Option<Budget>,
}

/// What is left of the failures that an objective allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Budget {
    /// Failed runs since the agent knows of the job, at most those of the period.
    pub(super) failed: u64,
    /// Failed runs that the objective allows in its period.
    pub(super) allowed: f64,
    /// Since when the agent counts.
    pub(super) since: Timestamp,
    /// Whether that is the whole period.
    pub(super) whole: bool,
}

impl Budget {
    /// The share that is left; below 0 where more is spent than there was.
    pub(super) fn left(&self) -> f64 {
        1.0 - self.failed as f64 / self.allowed.max(f64::MIN_POSITIVE)
    }
}

impl Row {
    pub(super) fn new(
        standing: JobStanding,
        known: Option<JobRuns>,
        history: &History,
        now: Timestamp,
    ) -> Self {
        let budget = known.as_ref().and_then(|known| budget(&standing, known, history, now));
        let (runs, last_failure) = known.map(|known| (known.runs, known.last_failure)).unwrap_or_default();
        let state = state(&standing, &runs, now);
        Self { standing, state, runs, last_failure, budget }
    }

    /// The run that says how the job stands: the worst of those that began last.
    pub(super) fn speaking(&self) -> Option<&Arc<RunView>> {
        worst(&self.runs)
    }

    /// Where the page of the job is.
    pub(super) fn path(&self) -> String {
        path(&self.standing.target, self.standing.check)
    }

    /// Those that matter most come first: the worst state, then the longest in it, then by name.
    pub(super) fn order(&self) -> impl Ord + use<'_> {
        let failures = std::cmp::Reverse(self.standing.consecutive_failures);
        (self.state, failures, &*self.standing.target, self.standing.check)
    }
}

/// Where the page of a job is. Names are plain: letters, digits, `-` and `_`.
pub(super) fn path(target: &str, check: &str) -> String {
    format!("/targets/{target}/{check}")
}

fn worst(runs: &[Arc<RunView>]) -> Option<&Arc<RunView>> {
    let newest = runs.first()?;
    let together =
        runs.iter().take_while(|run| newest.started_at.duration_since(run.started_at).abs() < TOGETHER);
    let mut seen: Vec<&Option<String>> = Vec::new();
    let latest = together.filter(|run| {
        let new = !seen.contains(&&run.peer);
        seen.push(&run.peer);
        new
    });
    // The first of equals, which is the newest.
    latest.min_by_key(|run| State::of_outcome(run.outcome))
}

fn state(standing: &JobStanding, runs: &[Arc<RunView>], now: Timestamp) -> State {
    if standing.paused.is_some() {
        return State::Paused;
    }
    let Some(run) = worst(runs) else { return State::Waiting };
    match State::of_outcome(run.outcome) {
        // Green that is old is no green.
        State::Passing if is_stale(standing, run, now) => State::Stale,
        state => state,
    }
}

fn is_stale(standing: &JobStanding, run: &RunView, now: Timestamp) -> bool {
    let patience = 3.0 * standing.interval_seconds + 2.0 * standing.timeout_seconds;
    let left_out = standing.ticks_left_out as f64 * standing.interval_seconds;
    let ended = now.duration_since(run.started_at).as_secs_f64() - run.duration_seconds;
    ended > patience + left_out && !standing.running
}

fn budget(standing: &JobStanding, known: &JobRuns, history: &History, now: Timestamp) -> Option<Budget> {
    let slo = standing.slo?;
    let period = SignedDuration::try_from_secs_f64(slo.period_seconds).ok()?;
    let begin = now.checked_sub(period).ok()?;
    let peers = known.runs.first().map_or(1, |_| peers(&known.runs));
    let runs = slo.period_seconds / standing.interval_seconds.max(0.001) * peers as f64;
    Some(Budget {
        failed: history.failed_since(&known.target, known.check, begin),
        allowed: (1.0 - slo.objective) * runs,
        since: known.first.max(begin),
        whole: known.first <= begin,
    })
}

/// How many addresses the newest runs went to.
pub(super) fn peers(runs: &[Arc<RunView>]) -> usize {
    let Some(newest) = runs.first() else { return 1 };
    let together =
        runs.iter().take_while(|run| newest.started_at.duration_since(run.started_at).abs() < TOGETHER);
    let mut peers: Vec<&str> = together.filter_map(|run| run.peer.as_deref()).collect();
    peers.sort_unstable();
    peers.dedup();
    peers.len().max(1)
}
