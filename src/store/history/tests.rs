use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::model::{Cause, Event, EventKind, Failure, JobKey, Timeline};

/// A run whose detail is its number.
fn run(target: &str, check: &'static str, outcome: Outcome, number: u64) -> RunReport {
    RunReport {
        job: JobKey { target: target.into(), check, config_hash: number },
        peer: None,
        started_at: UNIX_EPOCH + Duration::from_secs(number),
        duration: Duration::from_millis(5),
        outcome,
        detail: number.to_string(),
        next: None,
        timeline: Timeline::default(),
        first: Duration::ZERO,
        trace: Default::default(),
        samples: Vec::new(),
    }
}

/// The same with a timeline of about 10 KiB.
fn large(target: &str, number: u64) -> RunReport {
    let note = || Event { at_ns: 0, connection: 0, kind: EventKind::Note { text: "x".repeat(1000) } };
    let events = (0..10).map(|_| note()).collect();
    RunReport {
        next: None,
        timeline: Timeline { events, dropped: 0 },
        first: Duration::ZERO,
        trace: Default::default(),
        ..run(target, "handshake", Outcome::Pass, number)
    }
}

fn details(runs: &[Arc<RunView>]) -> Vec<&str> {
    runs.iter().map(|run| run.detail.as_str()).collect()
}

const FAIL: Outcome = Outcome::Fail(Failure::Unavailable);

#[test]
fn the_newest_runs_come_first_and_can_be_chosen() {
    let history = History::default();
    for (number, target, check) in
        [(1, "a", "handshake"), (2, "b", "handshake"), (3, "a", "heartbeat"), (4, "a", "handshake")]
    {
        history.record(&run(target, check, Outcome::Pass, number));
    }
    let of = |target, check, limit| {
        details(&history.runs(Query { target, check, limit, outcome: None })).join(",")
    };
    assert_eq!(of(None, None, 10), "4,3,2,1");
    assert_eq!(of(None, None, 2), "4,3");
    assert_eq!(of(Some("a"), None, 10), "4,3,1");
    assert_eq!(of(Some("a"), Some("handshake"), 1), "4");
    assert_eq!(of(None, Some("handshake"), 10), "4,2,1");
    assert_eq!(of(Some("c"), None, 10), "");
    assert_eq!(history.jobs().len(), 3);
}

#[test]
fn a_job_keeps_its_last_runs_and_its_last_failure() {
    let history = History::new(Bounds { runs_per_job: 3, ..Bounds::default() });
    history.record(&run("a", "handshake", FAIL, 1));
    for number in 2..=9 {
        history.record(&run("a", "handshake", Outcome::Pass, number));
    }
    history.record(&run("a", "handshake", Outcome::Inconclusive(Cause::AgentLag), 10));
    assert_eq!(details(&history.runs(Query { limit: 10, ..Query::default() })), ["10", "9", "8"]);
    let job = history.job("a", "handshake").unwrap();
    assert_eq!((job.last.outcome, job.last.reason, job.kept), ("inconclusive", Some("agent_lag"), 3));
    assert_eq!(job.last_failure.unwrap().detail, "1");
    assert_eq!(history.job("a", "heartbeat"), None);
    let failures = |limit| {
        let runs = history.runs(Query { outcome: Some("fail"), limit, ..Query::default() });
        details(&runs).join(",")
    };
    assert_eq!((failures(0).as_str(), failures(9).as_str()), ("", "1"), "the last one is never forgotten");
    history.record(&run("a", "handshake", FAIL, 11));
    assert_eq!(failures(9), "11");
}

#[test]
fn bytes_are_bounded_at_the_cost_of_the_greediest_job() {
    let history = History::new(Bounds { runs_per_job: 100, bytes: 100_000 });
    for number in 0..50 {
        history.record(&large("greedy", number));
        history.record(&run("modest", "handshake", Outcome::Pass, number));
    }
    assert_eq!(history.job("modest", "handshake").unwrap().kept, 50);
    let greedy = history.job("greedy", "handshake").unwrap().kept;
    assert!((2..10).contains(&greedy), "{greedy}");
    assert!(history.lock().bytes <= 100_000);
    let real: usize = history.lock().jobs.values().flat_map(|job| &job.runs).map(|run| run.bytes).sum();
    assert_eq!(history.lock().bytes, real);
}

#[test]
fn a_tiny_bound_still_leaves_each_job_its_newest_run() {
    let history = History::new(Bounds { runs_per_job: 0, bytes: 0 });
    for number in 1..=3 {
        history.record(&large("a", number));
        history.record(&large("b", number));
    }
    assert_eq!(details(&history.runs(Query { limit: 10, ..Query::default() })), ["3", "3"]);
}

#[test]
fn removed_jobs_are_forgotten_and_stay_so() {
    let history = History::default();
    let all = || {
        for (target, check) in [("a", "handshake"), ("a", "heartbeat"), ("b", "handshake")] {
            history.record(&run(target, check, FAIL, 1));
        }
    };
    all();
    history.retain(|target, check| target == "a" && check == "handshake");
    assert_eq!(history.jobs().len(), 1);
    all();
    assert_eq!(history.jobs().len(), 1);
    assert_eq!(history.runs(Query { limit: 9, ..Query::default() }).len(), 2);
    history.retain(|_, _| true);
    all();
    assert_eq!(history.jobs().len(), 3);
}

#[test]
fn a_certificate_that_expires_soon_spends_no_error_budget() {
    let history = History::default();
    let soon = Outcome::Fail(Failure::TlsExpiresSoon);
    for (number, outcome) in (1..).zip([soon, FAIL, soon, Outcome::Pass]) {
        history.record(&run("a", "handshake", outcome, number));
    }
    assert_eq!(history.failed_since(&"a".into(), "handshake", Timestamp::UNIX_EPOCH), 1);
}
