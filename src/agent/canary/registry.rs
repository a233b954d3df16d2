//! The verifications that the agent knows: those that run, and the last ones that have ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use crate::agent::lock;
use crate::canary::Decision;
use crate::config::Plan;
use crate::gate::{Addresses, Course, Ended, Pending, Progress, Report, State, Stop};
use crate::http::{CanaryRefusal, CanaryRequest};
use crate::model::JobKey;

/// All verifications, the oldest first.
#[derive(Debug, Default)]
pub struct Canaries {
    entries: Mutex<VecDeque<Arc<Verification>>>,
}

/// One verification.
#[derive(Debug)]
pub(in crate::agent) struct Verification {
    id: String,
    request: CanaryRequest,
    gateways: Addresses,
    notes: Vec<String>,
    keys: Vec<JobKey>,
    started_at: Timestamp,
    /// Ends it.
    pub(in crate::agent) stop: Stop,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    progress: Progress,
    decided: Option<(Timestamp, Decision)>,
}

/// How a request is met.
#[derive(Debug)]
pub(super) enum Admission {
    /// By a verification that is there.
    Known(Arc<Verification>),
    /// By this one, which begins.
    Begins(Arc<Verification>),
}

impl Canaries {
    /// Finds the verification of a request by its key, or takes a new one in, if no more than `most` run then. `plan`
    /// is asked only for a new one. Of what has ended, the last `keep` are kept.
    pub(super) fn admit(
        &self,
        request: CanaryRequest,
        (most, keep): (usize, usize),
        plan: impl FnOnce(&CanaryRequest) -> Result<Course, CanaryRefusal>,
    ) -> Result<(Admission, Option<Course>), CanaryRefusal> {
        let mut entries = lock(&self.entries);
        if let Some(known) = by_key(&entries, request.key.as_deref()) {
            let same = known.request == request;
            return if same { Ok((Admission::Known(known), None)) } else { Err(CanaryRefusal::KeyTaken) };
        }
        let running = entries.iter().filter(|entry| !entry.is_over()).count();
        if running >= most {
            return Err(CanaryRefusal::Busy(running));
        }
        let course = plan(&request)?;
        let entry = Arc::new(Verification::new(request, &course));
        entries.push_back(Arc::clone(&entry));
        forget(&mut entries, keep);
        Ok((Admission::Begins(entry), Some(course)))
    }

    /// By its id.
    pub(in crate::agent) fn find(&self, id: &str) -> Option<Arc<Verification>> {
        lock(&self.entries).iter().find(|entry| entry.id == id).cloned()
    }

    /// By the key of its request.
    pub(in crate::agent) fn find_by_key(&self, key: &str) -> Option<Arc<Verification>> {
        by_key(&lock(&self.entries), Some(key))
    }

    /// All of them, the newest first.
    pub(in crate::agent) fn reports(&self) -> Vec<Report> {
        lock(&self.entries).iter().rev().map(|entry| entry.report()).collect()
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        lock(&self.entries).iter().filter(|entry| !entry.is_over()).count()
    }

    /// Ends those whose gateways a new plan does not have as they were.
    pub(in crate::agent) fn keep_only(&self, plan: &Plan) {
        let has = |key: &JobKey| {
            plan.jobs.iter().any(|job| job.key.target == key.target && job.key.config_hash == key.config_hash)
        };
        let entries = lock(&self.entries);
        let changed = entries.iter().filter(|entry| !entry.is_over() && !entry.keys.iter().all(has));
        changed.for_each(|entry| entry.stop.now(Ended::Reloaded));
    }
}

fn by_key(entries: &VecDeque<Arc<Verification>>, key: Option<&str>) -> Option<Arc<Verification>> {
    let key = key?;
    entries.iter().rev().find(|entry| entry.request.key.as_deref() == Some(key)).cloned()
}

fn forget(entries: &mut VecDeque<Arc<Verification>>, keep: usize) {
    let mut over = entries.iter().filter(|entry| entry.is_over()).count();
    entries.retain(|entry| {
        let forgotten = over > keep && entry.is_over();
        over -= usize::from(forgotten);
        !forgotten
    });
}

impl Verification {
    fn new(request: CanaryRequest, course: &Course) -> Self {
        let progress = Progress { done: 0, planned: course.total() };
        Self {
            id: format!("{:016x}", rand::random::<u64>()),
            request,
            gateways: course.addresses.clone(),
            notes: course.notes.clone(),
            keys: course.keys().cloned().collect(),
            started_at: Timestamp::now(),
            stop: Stop::default(),
            standing: Mutex::new(Standing { progress, decided: None }),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn gateways(&self) -> &Addresses {
        &self.gateways
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.standing).decided.is_some()
    }

    pub(super) fn advance(&self, progress: Progress) {
        lock(&self.standing).progress = progress;
    }

    pub(super) fn decide(&self, at: Timestamp, decision: Decision) {
        lock(&self.standing).decided = Some((at, decision));
    }

    /// How it stands.
    pub(in crate::agent) fn report(&self) -> Report {
        let standing = lock(&self.standing);
        let progress = standing.progress;
        let (ended_at, state) = match &standing.decided {
            Some((at, decision)) => (Some(*at), State::Decided(Box::new(decision.clone()))),
            None => {
                let sentence = format!("{} of {} runs are made", progress.done, progress.planned);
                (None, State::Pending(Pending::new(sentence, self.notes.clone())))
            }
        };
        Report {
            id: self.id.clone(),
            gateprobe: env!("CARGO_PKG_VERSION").to_owned(),
            gateways: self.gateways.clone(),
            profile: self.request.profile,
            started_at: self.started_at,
            ended_at,
            done: ended_at.is_some(),
            progress: if ended_at.is_some() { 1.0 } else { progress.share() },
            state,
        }
    }
}
