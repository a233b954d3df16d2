//! A canary against a baseline.

use super::super::{ALL_CHECKS, End, FAILURES, Judge, RowVerdict, Run, Verdict};
use super::bench::*;

#[test]
fn what_is_alike_passes() {
    let mut judge = Judge::new(plan(&[("heartbeat", 20), ("malformed", 1)]));
    for arm in [Baseline, Canary] {
        judge.times(20, arm, "heartbeat", RTT, 0.02);
        judge.runs(1, arm, "malformed", Pass);
    }
    assert_eq!(judge.interim(), None);
    let decision = judge.done();
    expect(
        &decision,
        Verdict::Pass,
        "as good as the baseline: nothing that matters is worse in 21 runs of 2 checks",
    );
    assert_eq!(row(&decision, "heartbeat", RTT).shift, Some(0.0));
    assert!(decision.notes.is_empty(), "{:?}", decision.notes);
}

#[test]
fn slower_by_as_much_as_matters_fails() {
    let mut judge = Judge::new(plan(&[("heartbeat", 20)]));
    judge.times(20, Baseline, "heartbeat", RTT, 0.02);
    judge.times(20, Canary, "heartbeat", RTT, 0.026);
    let decision = judge.done();
    expect(
        &decision,
        Verdict::Fail,
        "heartbeat gateprobe_heartbeat_rtt_seconds{level=\"protocol\"} is 26 ms (baseline: 20 ms)",
    );
    let row = row(&decision, "heartbeat", RTT);
    assert_eq!((row.verdict, row.effect), (RowVerdict::Worse, Some(1.0)));
    let (low, high) = row.interval.expect("enough runs");
    assert!(low < 0.006 && 0.006 < high && row.p.expect("tested") < 1e-6, "{row:?}");
}

#[test]
fn a_significant_trifle_is_none() {
    for (canary, verdict) in
        [(0.0215, RowVerdict::Same), (0.0235, RowVerdict::Worse), (0.016, RowVerdict::Better)]
    {
        let mut judge = Judge::new(plan(&[("heartbeat", 100)]));
        judge.times(100, Baseline, "heartbeat", RTT, 0.02);
        judge.times(100, Canary, "heartbeat", RTT, canary);
        let decision = judge.done();
        let row = row(&decision, "heartbeat", RTT);
        assert_eq!(row.verdict, verdict, "{row:?}");
        assert_eq!(decision.verdict == Verdict::Pass, verdict != RowVerdict::Worse);
    }
    // 40 % of next to nothing is nothing.
    let mut judge = Judge::new(plan(&[("heartbeat", 100)]));
    judge.times(100, Baseline, "heartbeat", RTT, 0.000_2);
    judge.times(100, Canary, "heartbeat", RTT, 0.000_28);
    expect(&judge.done(), Verdict::Pass, "");
}

#[test]
fn what_weighs_nothing_never_fails() {
    let mut plan = plan(&[("heartbeat", 20)]);
    plan.policy.metrics.get_mut("gateprobe_heartbeat_rtt_seconds").expect("a default").weight = 0.0;
    let mut judge = Judge::new(plan);
    judge.times(20, Baseline, "heartbeat", RTT, 0.02);
    judge.times(20, Canary, "heartbeat", RTT, 0.2);
    let decision = judge.done();
    expect(&decision, Verdict::Pass, "");
    assert_eq!(row(&decision, "heartbeat", RTT).verdict, RowVerdict::NotJudged);
}

#[test]
fn more_failures_fail() {
    let mut judge = Judge::new(plan(&[("handshake", 30), ("heartbeat", 20)]));
    judge.runs(30, Baseline, "handshake", Pass);
    judge.runs(18, Canary, "handshake", Pass);
    judge.runs(12, Canary, "handshake", Fail);
    judge.runs(20, Baseline, "heartbeat", Pass);
    judge.runs(20, Canary, "heartbeat", Pass);
    let decision = judge.done();
    expect(&decision, Verdict::Fail, "handshake failed in 12 of 30 runs (baseline: 0 of 30 runs)");
    assert_eq!(decision.evidence[0].reason, "connect_refused");
    assert_eq!(decision.evidence[0].count, 12);
}

#[test]
fn a_little_in_each_check_is_found_in_all_together() {
    let checks = ["flapping", "handshake", "heartbeat", "token_refresh", "zombie"];
    let mut judge = Judge::new(plan(&checks.map(|check| (check, 30))));
    for check in checks {
        judge.runs(30, Baseline, check, Pass);
        judge.runs(27, Canary, check, Pass);
        judge.runs(3, Canary, check, Fail);
    }
    let decision = judge.done();
    expect(&decision, Verdict::Fail, "all checks together failed in 15 of 150 runs");
    assert_eq!(row(&decision, ALL_CHECKS, FAILURES).verdict, RowVerdict::Worse);
    assert_eq!(row(&decision, "zombie", FAILURES).verdict, RowVerdict::Same);
}

#[test]
fn what_is_suspect_is_no_pass() {
    // Without others, so few runs would be no pass in any case.
    let with_others = |check, runs| {
        let mut judge = Judge::new(plan(&[("handshake", 30), (check, runs)]));
        judge.runs(30, Baseline, "handshake", Pass);
        judge.runs(30, Canary, "handshake", Pass);
        judge
    };
    let mut judge = with_others("flapping", 3);
    judge.runs(3, Baseline, "flapping", Pass);
    judge.runs(3, Canary, "flapping", Fail);
    let decision = judge.done();
    expect(
        &decision,
        Verdict::Inconclusive,
        "flapping failed in 3 of 3 runs (baseline: 0 of 3 runs), by connect_refused: looks worse",
    );
    // The same by times that are far apart.
    let cleanup = "gateprobe_zombie_cleanup_seconds{mode=\"mute\"}";
    let mut judge = with_others("zombie", 2);
    judge.times(2, Baseline, "zombie", cleanup, 20.0);
    judge.times(2, Canary, "zombie", cleanup, 40.0);
    expect(&judge.done(), Verdict::Inconclusive, "is 40 s (baseline: 20 s): looks worse");
    // Not far apart: shown, but by so few runs nothing can be told.
    let mut judge = with_others("zombie", 2);
    judge.times(2, Baseline, "zombie", cleanup, 20.0);
    judge.times(2, Canary, "zombie", cleanup, 22.0);
    let decision = judge.done();
    expect(&decision, Verdict::Pass, "");
    assert_eq!(row(&decision, "zombie", cleanup).verdict, RowVerdict::NotJudged);
}

#[test]
fn what_is_suspect_is_so_beside_what_is_worse_too() {
    let mut judge = Judge::new(plan(&[("handshake", 30), ("heartbeat", 60), ("flapping", 7)]));
    judge.runs(21, Baseline, "handshake", Pass);
    judge.runs(15, Canary, "handshake", Pass);
    judge.runs(6, Canary, "handshake", Fail);
    judge.runs(1, Baseline, "flapping", Pass);
    judge.runs(1, Canary, "flapping", Fail);
    judge.runs(21, Baseline, "heartbeat", Pass);
    judge.runs(21, Canary, "heartbeat", Fail);
    let decision = judge.interim().expect("the first look");
    expect(&decision, Verdict::Fail, "heartbeat failed in 21 of 21 runs");
    let of = |check| row(&decision, check, FAILURES);
    let (handshake, flapping) = (of("handshake"), of("flapping"));
    assert!(handshake.p.expect("tested") < 0.05);
    assert_eq!(handshake.verdict, RowVerdict::Suspect, "{handshake:#?}");
    assert_eq!(handshake.note.as_deref(), Some("looks worse, but too few runs to tell it from chance"));
    assert_eq!(flapping.verdict, RowVerdict::Suspect, "{flapping:#?}");
    let note = "looks worse, but it was decided before enough runs were made";
    assert_eq!(flapping.note.as_deref(), Some(note));
}

#[test]
fn the_sentence_names_where_and_why() {
    let mut judge = Judge::new(plan(&[("handshake", 25), ("heartbeat", 20)]));
    judge.runs(25, Baseline, "handshake", Pass);
    judge.runs(20, Baseline, "heartbeat", Pass);
    judge.runs(19, Canary, "handshake", Pass);
    judge.runs(16, Canary, "heartbeat", Pass);
    for (count, check, reason) in [
        (5, "handshake", "unavailable"),
        (1, "handshake", "connect_refused"),
        (4, "heartbeat", "unavailable"),
    ] {
        (0..count).for_each(|_| judge.add(Run { reason: Some(reason.into()), ..run(Canary, check, Fail) }));
    }
    let told = "all checks together failed in 10 of 45 runs (baseline: 0 of 45 runs), of which handshake 6, \
                heartbeat 4, mostly by unavailable";
    expect(&judge.done(), Verdict::Fail, told);
}

#[test]
fn a_critical_finding_fails_once_the_baseline_had_its_chance() {
    let mut judge = Judge::new(plan(&[("token_refresh", 8), ("handshake", 30)]));
    judge.add(critical(Canary, "token_refresh", "bad_token_accepted"));
    assert_eq!(judge.interim(), None, "the baseline was not asked yet");
    judge.runs(1, Baseline, "token_refresh", Pass);
    let decision = judge.interim().expect("decided");
    expect(&decision, Verdict::Fail, "token_refresh found bad_token_accepted, which is critical");
    assert_eq!(decision.rows[0].verdict, RowVerdict::Critical);
    assert!(decision.evidence[0].critical && decision.stopped_early.is_some());
    expect(&judge.finish(End::BaselineLost), Verdict::Fail, "bad_token_accepted");
    expect(&judge.finish(End::Cancelled), Verdict::Inconclusive, "cancelled");
}

#[test]
fn a_critical_finding_of_both_is_told_and_not_held_against_the_canary() {
    let mut judge = Judge::new(plan(&[("token_refresh", 8)]));
    for arm in [Baseline, Canary] {
        (0..8).for_each(|_| judge.add(critical(arm, "token_refresh", "bad_token_accepted")));
    }
    assert_eq!(judge.interim(), None);
    let decision = judge.done();
    expect(&decision, Verdict::Pass, "");
    assert!(decision.notes[0].contains("bad_token_accepted in the baseline too"), "{:?}", decision.notes);
    // Another one is the canary's own.
    judge.add(critical(Canary, "token_refresh", "expired_session_survives"));
    expect(&judge.done(), Verdict::Fail, "expired_session_survives");
}

#[test]
fn a_baseline_that_fails_itself_says_little() {
    let mut judge = Judge::new(plan(&[("handshake", 30)]));
    judge.runs(15, Baseline, "handshake", Fail);
    judge.runs(15, Baseline, "handshake", Pass);
    judge.runs(15, Canary, "handshake", Fail);
    judge.runs(15, Canary, "handshake", Pass);
    expect(&judge.done(), Verdict::Inconclusive, "the baseline fails so often itself that it says little");
    judge.runs(30, Canary, "handshake", Fail);
    judge.runs(30, Canary, "handshake", Fail);
    expect(&judge.done(), Verdict::Fail, "handshake failed in 75 of 90 runs");
}

#[test]
fn the_detail_is_bounded_and_what_is_no_number_is_left_out() {
    let mut judge = Judge::new(plan(&[("heartbeat", 20)]));
    judge.times(20, Baseline, "heartbeat", RTT, 0.02);
    judge.times(19, Canary, "heartbeat", RTT, 0.02);
    judge.add(measured(Canary, "heartbeat", RTT, f64::NAN));
    judge.add(measured(Canary, "heartbeat", RTT, f64::INFINITY));
    judge.add(Run { detail: "ü".repeat(10_000), ..run(Canary, "heartbeat", Fail) });
    (0..1_000).for_each(|at| {
        judge.add(Run {
            reason: Some(format!("reason {at}").into()),
            ..run(Canary, "heartbeat", Inconclusive)
        });
    });
    let decision = judge.done();
    assert_eq!(row(&decision, "heartbeat", RTT).n_canary, 19);
    assert!(decision.evidence.len() <= 50);
    assert!(decision.evidence.iter().all(|e| e.detail.chars().count() <= 300));
}
