//! Without a baseline.

use super::super::{EarlyStop, Judge, Plan, RowVerdict, Verdict};
use super::bench::*;

fn with_threshold(seconds: f64) -> Plan {
    let mut plan = alone(&[("heartbeat", 20)]);
    plan.policy.metrics.get_mut("gateprobe_heartbeat_rtt_seconds").expect("a default").threshold =
        Some(seconds);
    plan
}

#[test]
fn medians_are_held_against_thresholds() {
    for (threshold, verdict, word) in [
        (0.03, Verdict::Pass, "all thresholds are met in 20 runs of 1 check"),
        (0.01, Verdict::Fail, "is 20 ms (threshold: 10 ms)"),
    ] {
        let mut judge = Judge::new(with_threshold(threshold));
        judge.times(20, Canary, "heartbeat", RTT, 0.02);
        expect(&judge.done(), verdict, word);
    }
    let mut judge = Judge::new(with_threshold(0.03));
    judge.runs(17, Canary, "heartbeat", Pass);
    judge.times(3, Canary, "heartbeat", RTT, 0.02);
    expect(&judge.done(), Verdict::Inconclusive, "too few runs");
}

#[test]
fn without_a_threshold_a_metric_is_only_shown() {
    let mut judge = Judge::new(alone(&[("heartbeat", 20)]));
    judge.times(20, Canary, "heartbeat", RTT, 5.0);
    let decision = judge.done();
    expect(&decision, Verdict::Pass, "; times are not judged, because they have none");
    assert_eq!(row(&decision, "heartbeat", RTT).verdict, RowVerdict::NotJudged);
    assert!(decision.runs.iter().all(|counts| counts.arm == Canary));
}

#[test]
fn failed_runs_are_held_against_a_share() {
    for (failed, verdict) in [(0, Verdict::Pass), (1, Verdict::Pass), (2, Verdict::Fail)] {
        let mut judge = Judge::new(alone(&[("handshake", 30)]));
        judge.runs(30 - failed, Canary, "handshake", Pass);
        judge.runs(failed, Canary, "handshake", Fail);
        expect(&judge.done(), verdict, "");
    }
}

#[test]
fn one_failed_run_of_few_is_no_fail_and_no_pass() {
    for (runs, verdict) in [(1, Verdict::Fail), (2, Verdict::Inconclusive), (8, Verdict::Inconclusive)] {
        let mut judge = Judge::new(alone(&[("zombie", runs)]));
        judge.runs(runs - 1, Canary, "zombie", Pass);
        judge.runs(1, Canary, "zombie", Fail);
        expect(&judge.done(), verdict, "zombie");
    }
}

#[test]
fn it_stops_once_no_missing_run_can_mend_it() {
    let mut judge = Judge::new(alone(&[("handshake", 30)]));
    judge.runs(1, Canary, "handshake", Fail);
    assert_eq!(judge.interim(), None, "1 of 30 is good enough");
    judge.runs(1, Canary, "handshake", Fail);
    let decision = judge.interim().expect("2 of 30 is not");
    expect(&decision, Verdict::Fail, "handshake failed in 2 of 2 runs (at most 5 %)");
    assert_eq!(decision.stopped_early, Some(EarlyStop::Certain));
}

#[test]
fn a_critical_finding_fails_at_once() {
    let mut judge = Judge::new(alone(&[("malformed", 2)]));
    judge.add(critical(Canary, "malformed", "malformed_crash"));
    let decision = judge.interim().expect("decided");
    expect(&decision, Verdict::Fail, "The canary fails: malformed found malformed_crash, which is critical");
}
