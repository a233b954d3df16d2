//! What is remembered of each job between runs: enough to log transitions, not every failure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{JobKey, Outcome, RunReport};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    target: Arc<str>,
    check: &'static str,
    peer: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    last: Outcome,
    failures: u32,
    acute: u32,
    inconclusive: u32,
}

/// What a run changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The outcome before; none for the first run.
    pub before: Option<Outcome>,
    /// Failed runs in a row, this one included.
    pub consecutive_failures: u32,
    /// The same, but only by what is wrong today.
    pub consecutive_acute_failures: u32,
    /// Inconclusive runs in a row, this one included.
    pub consecutive_inconclusive: u32,
}

/// The last outcome and the failures in a row of every job.
#[derive(Debug, Default)]
pub struct Tally(Mutex<HashMap<Key, State>>);

impl Tally {
    /// Counts a run.
    pub fn count(&self, report: &RunReport) -> Change {
        let key = Key {
            target: Arc::clone(&report.job.target),
            check: report.job.check,
            peer: report.peer.clone(),
        };
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = states.get(&key).copied();
        let in_a_row = before.map_or(0, |state| state.failures);
        let failures = match report.outcome {
            Outcome::Fail(_) => in_a_row.saturating_add(1),
            Outcome::Inconclusive(_) => in_a_row,
            Outcome::Pass | Outcome::Unsupported(_) => 0,
        };
        let acute = match report.outcome {
            Outcome::Fail(failure) if !failure.is_acute() => 0,
            Outcome::Fail(_) => before.map_or(0, |state| state.acute).saturating_add(1),
            Outcome::Inconclusive(_) => before.map_or(0, |state| state.acute),
            Outcome::Pass | Outcome::Unsupported(_) => 0,
        };
        let inconclusive = match report.outcome {
            Outcome::Inconclusive(_) => before.map_or(0, |state| state.inconclusive).saturating_add(1),
            Outcome::Fail(_) | Outcome::Pass | Outcome::Unsupported(_) => 0,
        };
        states.insert(key, State { last: report.outcome, failures, acute, inconclusive });
        Change {
            before: before.map(|state| state.last),
            consecutive_failures: failures,
            consecutive_acute_failures: acute,
            consecutive_inconclusive: inconclusive,
        }
    }

    /// Makes the addresses of a job those of its last run; gives those that are new, and whether the job had
    /// been judged without an address, because its name did not resolve.
    pub fn become_peers(&self, job: &JobKey, peers: &[&str]) -> (Vec<String>, bool) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_job = |key: &Key| key.target == job.target && key.check == job.check;
        let nameless = states.keys().any(|key| of_job(key) && key.peer.is_none());
        states.retain(|key, _| !of_job(key) || key.peer.as_deref().is_some_and(|peer| peers.contains(&peer)));
        let known: Vec<&str> =
            states.keys().filter(|key| of_job(key)).filter_map(|key| key.peer.as_deref()).collect();
        let new = peers.iter().filter(|peer| !known.contains(peer)).map(|peer| (*peer).to_owned()).collect();
        (new, nameless)
    }

    /// Failed runs in a row of each job that has any; of the worst of its addresses.
    pub fn failing(&self) -> HashMap<(Arc<str>, &'static str), u32> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failing = HashMap::new();
        for (key, state) in states.iter().filter(|(_, state)| state.failures > 0) {
            let worst = failing.entry((Arc::clone(&key.target), key.check)).or_insert(0);
            *worst = state.failures.max(*worst);
        }
        failing
    }

    /// Forgets the jobs that are gone.
    pub fn retain(&self, keep: impl Fn(&str, &str) -> bool) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|key, _| keep(&key.target, key.check));
    }
}

/// Logs what changed: each failing job once when it begins to fail, or fails for another reason, and once
/// when it has healed.
pub fn log(report: &RunReport, change: Change) {
    let (target, check) = (&*report.job.target, report.job.check);
    // What there is none of is left out of the line.
    let peer = report.peer.as_deref();
    let (outcome, detail) = (report.outcome, Some(report.detail.as_str()).filter(|text| !text.is_empty()));
    let reason = outcome.reason().unwrap_or_default();
    let duration_ms = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX);
    let changed = change.before != Some(outcome);
    match outcome {
        Outcome::Pass if change.before.is_some() && changed => {
            tracing::info!(target, check, peer, duration_ms, "healed");
        }
        Outcome::Fail(failure) if changed => {
            let text = failure.explain();
            tracing::warn!(target, check, peer, reason, detail, duration_ms, "failing: {text}");
        }
        Outcome::Inconclusive(cause) if changed => {
            let text = cause.explain();
            tracing::warn!(target, check, peer, reason, detail, duration_ms, "inconclusive: {text}");
        }
        Outcome::Unsupported(why) if changed => {
            let text = why.explain();
            tracing::info!(target, check, peer, reason, detail, "unsupported: {text}");
        }
        _ => tracing::debug!(target, check, peer, %outcome, detail, duration_ms, "run"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::model::{Cause, Failure, Timeline};

    fn report(outcome: Outcome) -> RunReport {
        RunReport {
            job: JobKey { target: "chat".into(), check: "handshake", config_hash: 1 },
            peer: None,
            started_at: SystemTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            outcome,
            detail: String::new(),
            next: None,
            timeline: Timeline::default(),
            first: Duration::ZERO,
            trace: Default::default(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn inconclusive_runs_neither_add_to_a_streak_nor_end_it() {
        let tally = Tally::default();
        let fail = Outcome::Fail(Failure::ConnectRefused);
        let inconclusive = Outcome::Inconclusive(Cause::EgressLost);
        let streaks: Vec<u32> = [fail, fail, inconclusive, fail, Outcome::Pass, inconclusive, fail]
            .into_iter()
            .map(|outcome| tally.count(&report(outcome)).consecutive_failures)
            .collect();
        assert_eq!(streaks, [1, 2, 2, 3, 0, 0, 1]);
    }

    #[test]
    fn a_certificate_that_expires_soon_fails_the_check_and_is_no_outage() {
        let tally = Tally::default();
        let soon = Outcome::Fail(Failure::TlsExpiresSoon);
        let down = Outcome::Fail(Failure::ConnectRefused);
        let inconclusive = Outcome::Inconclusive(Cause::EgressLost);
        let streaks: Vec<(u32, u32)> = [soon, soon, down, inconclusive, down, soon, Outcome::Pass]
            .into_iter()
            .map(|outcome| tally.count(&report(outcome)))
            .map(|change| (change.consecutive_failures, change.consecutive_acute_failures))
            .collect();
        assert_eq!(streaks, [(1, 0), (2, 0), (3, 1), (3, 1), (4, 2), (5, 0), (0, 0)]);
    }

    #[test]
    fn any_other_outcome_ends_a_streak_of_inconclusive_runs() {
        let tally = Tally::default();
        let inconclusive = Outcome::Inconclusive(Cause::EgressLost);
        let streaks: Vec<u32> =
            [inconclusive, inconclusive, Outcome::Fail(Failure::ConnectRefused), inconclusive, Outcome::Pass]
                .into_iter()
                .map(|outcome| tally.count(&report(outcome)).consecutive_inconclusive)
                .collect();
        assert_eq!(streaks, [1, 2, 0, 1, 0]);
    }

    #[test]
    fn addresses_come_and_go() {
        let tally = Tally::default();
        let key = report(Outcome::Pass).job;
        tally.count(&report(Outcome::Fail(Failure::DnsTimeout)));
        let (new, nameless) = tally.become_peers(&key, &["192.0.2.1", "192.0.2.2"]);
        assert!(new.len() == 2 && nameless);
        for peer in ["192.0.2.1", "192.0.2.2"] {
            tally.count(&RunReport { peer: Some(peer.to_owned()), ..report(Outcome::Pass) });
        }
        let (new, nameless) = tally.become_peers(&key, &["192.0.2.2", "192.0.2.3"]);
        assert!(new == ["192.0.2.3"] && !nameless);
        assert_eq!(tally.0.lock().expect("whole").len(), 1, "the address that went is forgotten");
    }

    #[test]
    fn the_first_run_has_nothing_before_it_and_gone_jobs_are_forgotten() {
        let tally = Tally::default();
        assert_eq!(tally.count(&report(Outcome::Pass)).before, None);
        assert_eq!(tally.count(&report(Outcome::Pass)).before, Some(Outcome::Pass));
        tally.retain(|_, _| false);
        assert_eq!(tally.count(&report(Outcome::Pass)).before, None);
    }
}
