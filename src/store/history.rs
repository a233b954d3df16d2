//! The last runs of each job, bounded in number and in bytes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::failures::Failures;
use super::feed::{Feed, News};
use super::view::{LastRun, RunView, shared};
use crate::model::{Outcome, RunReport};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Runs of one job.
    pub runs_per_job: usize,
    /// Bytes of all jobs together, roughly. When they are used up, the job that takes the most of them
    /// loses its oldest run; the newest run and the last failure of each job stay.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { runs_per_job: 100, bytes: 32 << 20 }
    }
}

/// Which runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<'a> {
    /// Of this target only.
    pub target: Option<&'a str>,
    /// Of this check only.
    pub check: Option<&'a str>,
    /// Of this outcome only. With `fail`, the last failure of each job is found however long ago.
    pub outcome: Option<&'a str>,
    /// At most so many, the newest ones.
    pub limit: usize,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct JobView {
    /// The target's name in the config.
    #[serde(serialize_with = "shared")]
    #[schemars(with = "String")]
    pub target: Arc<str>,
    /// The check's kind.
    pub check: &'static str,
    /// The newest run, without its timeline.
    pub last: LastRun,
    /// The last failure since the agent began; [`History::runs`] has its timeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastRun>,
    /// How many runs are kept.
    pub kept: usize,
}

/// The last runs of a job, with all that is known of them.
#[derive(Debug, Clone)]
pub struct JobRuns {
    /// The target's name in the config.
    pub target: Arc<str>,
    /// The check's kind.
    pub check: &'static str,
    /// The newest first.
    pub runs: Vec<Arc<RunView>>,
    /// The last failure since the agent began.
    pub last_failure: Option<Arc<RunView>>,
    /// When its first run began, of those since the agent began.
    pub first: Timestamp,
}

/// The history of all jobs. Recording is synchronous and quick.
pub struct History {
    inner: Mutex<Inner>,
    bounds: Bounds,
    feed: Feed,
}

type Rule = dyn Fn(&str, &str) -> bool + Send + Sync;

struct Inner {
    jobs: BTreeMap<(Arc<str>, &'static str), Job>,
    bytes: usize,
    recorded: u64,
    kept: Box<Rule>,
}

#[derive(Default)]
struct Job {
    /// The newest first.
    runs: VecDeque<Kept>,
    bytes: usize,
    last_failure: Option<Kept>,
    first: Option<Timestamp>,
    failures: Failures,
}

#[derive(Clone)]
struct Kept {
    number: u64,
    bytes: usize,
    run: Arc<RunView>,
}

impl Default for History {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl History {
    /// An empty history.
    pub fn new(bounds: Bounds) -> Self {
        let inner = Inner { jobs: BTreeMap::new(), bytes: 0, recorded: 0, kept: Box::new(|_, _| true) };
        Self { inner: Mutex::new(inner), bounds, feed: Feed::default() }
    }

    /// Where each run is told of as soon as it is kept.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Keeps a run.
    pub fn record(&self, report: &RunReport) {
        // Copied before the lock is taken.
        let run = Arc::new(RunView::from(report));
        let bytes = run.bytes();
        let mut inner = self.lock();
        if !(inner.kept)(&run.target, run.check) {
            return;
        }
        inner.recorded += 1;
        let kept = Kept { number: inner.recorded, bytes, run: Arc::clone(&run) };
        let job = inner.jobs.entry((Arc::clone(&run.target), run.check)).or_default();
        job.first.get_or_insert(run.started_at);
        if let Outcome::Fail(failure) = report.outcome {
            if failure.is_acute() {
                job.failures.count(run.started_at);
            }
            job.last_failure = Some(kept.clone());
        }
        job.runs.push_front(kept);
        job.bytes += bytes;
        let over = job.runs.len().saturating_sub(self.bounds.runs_per_job.max(1));
        let freed: usize = (0..over).map(|_| job.forget_oldest()).sum();
        inner.bytes = inner.bytes + bytes - freed;
        inner.shrink_to(self.bounds.bytes);
        drop(inner);
        let RunView { check, outcome, reason, .. } = *run;
        self.feed.tell(News::Run { target: Arc::clone(&run.target), check, outcome, reason });
    }

    /// Forgets each job that is gone. The rule stays in force until the next call, so that the last report
    /// of a removed job, which may come late, can't bring it back.
    pub fn retain(&self, keep: impl Fn(&str, &str) -> bool + Send + Sync + 'static) {
        let mut inner = self.lock();
        inner.jobs.retain(|(target, check), _| keep(target, check));
        inner.bytes = inner.jobs.values().map(|job| job.bytes).sum();
        inner.kept = Box::new(keep);
    }

    /// The newest runs first.
    pub fn runs(&self, query: Query<'_>) -> Vec<Arc<RunView>> {
        let inner = self.lock();
        let wanted = inner.jobs.iter().filter(|((target, check), _)| {
            query.target.is_none_or(|wanted| wanted == &**target)
                && query.check.is_none_or(|wanted| wanted == *check)
        });
        let mut runs: Vec<Kept> = wanted.flat_map(|(_, job)| job.newest(query).cloned()).collect();
        drop(inner);
        runs.sort_by_key(|kept| std::cmp::Reverse(kept.number));
        runs.into_iter().take(query.limit).map(|kept| kept.run).collect()
    }

    /// How each job stands, in the order of targets and checks.
    pub fn jobs(&self) -> Vec<JobView> {
        let inner = self.lock();
        inner.jobs.iter().filter_map(|((target, check), job)| job.view(target, check)).collect()
    }

    /// How one job stands; `None` if it has not run.
    pub fn job(&self, target: &str, check: &str) -> Option<JobView> {
        let inner = self.lock();
        let mut jobs = inner.jobs.iter();
        let ((target, check), job) = jobs.find(|((of, kind), _)| &**of == target && *kind == check)?;
        job.view(target, check)
    }

    /// At most so many of the newest runs of each job.
    pub fn recent(&self, limit: usize) -> Vec<JobRuns> {
        let inner = self.lock();
        inner.jobs.iter().filter_map(|((target, check), job)| job.recent(target, check, limit)).collect()
    }

    /// The same of one job.
    pub fn recent_of(&self, target: &str, check: &str, limit: usize) -> Option<JobRuns> {
        let inner = self.lock();
        let mut jobs = inner.jobs.iter();
        let ((target, check), job) = jobs.find(|((of, kind), _)| &**of == target && *kind == check)?;
        job.recent(target, check, limit)
    }

    /// How many runs of a job failed acutely since a moment, by the hour, as far as the agent was there.
    pub fn failed_since(&self, target: &Arc<str>, check: &'static str, moment: Timestamp) -> u64 {
        let inner = self.lock();
        inner.jobs.get(&(Arc::clone(target), check)).map_or(0, |job| job.failures.since(moment))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves at worst a wrong sum of bytes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Inner {
    fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let with_spare = self.jobs.values_mut().filter(|job| job.runs.len() > 1);
            let Some(greediest) = with_spare.max_by_key(|job| job.bytes) else { return };
            self.bytes -= greediest.forget_oldest();
        }
    }
}

impl Job {
    /// Returns the bytes that it took.
    fn forget_oldest(&mut self) -> usize {
        let freed = self.runs.pop_back().map_or(0, |kept| kept.bytes);
        self.bytes -= freed;
        freed
    }

    fn newest<'a>(&'a self, query: Query<'a>) -> impl Iterator<Item = &'a Kept> {
        let oldest = self.runs.back().map_or(u64::MAX, |kept| kept.number);
        let forgotten_failure = self.last_failure.iter().filter(move |kept| kept.number < oldest);
        let only_failures = query.outcome == Some("fail");
        let all = self.runs.iter().chain(forgotten_failure.filter(move |_| only_failures));
        all.filter(move |kept| query.outcome.is_none_or(|outcome| outcome == kept.run.outcome))
            .take(query.limit)
    }

    fn recent(&self, target: &Arc<str>, check: &'static str, limit: usize) -> Option<JobRuns> {
        Some(JobRuns {
            target: Arc::clone(target),
            check,
            runs: self.runs.iter().take(limit).map(|kept| Arc::clone(&kept.run)).collect(),
            last_failure: self.last_failure.as_ref().map(|kept| Arc::clone(&kept.run)),
            first: self.first?,
        })
    }

    fn view(&self, target: &Arc<str>, check: &'static str) -> Option<JobView> {
        Some(JobView {
            target: Arc::clone(target),
            check,
            last: LastRun::from(&*self.runs.front()?.run),
            last_failure: self.last_failure.as_ref().map(|kept| LastRun::from(&*kept.run)),
            kept: self.runs.len(),
        })
    }
}

#[cfg(test)]
mod tests;
