//! What is not there is never a pass.

use super::super::{End, Judge, Policy, Verdict};
use super::bench::*;
use super::world::{Fault, QUICK, World, plan as of_profile};

#[test]
fn nothing_is_no_pass() {
    for compare in [false, true] {
        let with = |checks: &[(&str, usize)]| if compare { plan(checks) } else { alone(checks) };
        expect(&Judge::new(with(&[])).done(), Verdict::Inconclusive, "nothing was planned");
        expect(&Judge::new(with(&[("hold", 0)])).done(), Verdict::Inconclusive, "nothing was planned");
        let decision = Judge::new(with(&[("handshake", 30)])).done();
        expect(&decision, Verdict::Inconclusive, "0 conclusive runs, 15 needed");
    }
}

#[test]
fn each_check_needs_data_of_both_arms() {
    for arm in [Baseline, Canary] {
        for (missing, _) in QUICK {
            let mut judge = Judge::new(of_profile(QUICK));
            let runs = World::new(7, Fault::None).pairs(QUICK).into_iter().flatten();
            runs.filter(|run| run.arm != arm || run.check != *missing).for_each(|run| judge.add(run));
            let decision = judge.done();
            expect(
                &decision,
                Verdict::Inconclusive,
                &format!("{missing}: {}: 0 conclusive runs", arm.label()),
            );
        }
    }
}

#[test]
fn too_few_runs_are_no_pass() {
    let mut judge = Judge::new(plan(&[("handshake", 30)]));
    judge.runs(30, Baseline, "handshake", Pass);
    judge.runs(14, Canary, "handshake", Pass);
    expect(&judge.finish(End::TimeUp), Verdict::Inconclusive, "canary: 14 conclusive runs, 15 needed");
    judge.runs(1, Canary, "handshake", Pass);
    let decision = judge.finish(End::TimeUp);
    expect(&decision, Verdict::Pass, "");
    assert_eq!(decision.notes, ["the time was up before all planned runs were made"]);
}

#[test]
fn too_few_runs_in_all_are_no_pass_however_few_were_planned() {
    for (runs, alpha, needed) in [(1, 0.01, 5), (2, 0.01, 5), (4, 0.01, 5), (6, 0.001, 7)] {
        let mut plan = plan(&[("handshake", runs)]);
        plan.policy.alpha = alpha;
        let mut judge = Judge::new(plan);
        judge.runs(runs, Baseline, "handshake", Pass);
        judge.runs(runs, Canary, "handshake", Pass);
        let noun = if runs == 1 { "run" } else { "runs" };
        let told =
            format!("only {runs} conclusive {noun} of the canary in all, and a pass needs {needed}: give it");
        for end in [End::Completed, End::TimeUp] {
            expect(&judge.finish(end), Verdict::Inconclusive, &told);
        }
    }
    let mut judge = Judge::new(alone(&[("handshake", 4)]));
    judge.runs(4, Canary, "handshake", Pass);
    expect(&judge.done(), Verdict::Inconclusive, "only 4 conclusive runs of the canary in all");
    // By as many as could show a difference, or beside others that were looked at well, it is one.
    for checks in
        [&[("handshake", 5)][..], &[("handshake", 2), ("zombie", 3)], &[("handshake", 30), ("zombie", 1)]]
    {
        let mut judge = Judge::new(plan(checks));
        for (check, runs) in checks {
            judge.runs(*runs, Baseline, check, Pass);
            judge.runs(*runs, Canary, check, Pass);
        }
        expect(&judge.done(), Verdict::Pass, "");
    }
}

/// However few runs there are: the share of verifications that let a canary pass which refuses 4 of 10.
#[test]
fn a_canary_that_often_fails_hardly_ever_passes() {
    for runs in 1..=30 {
        let mut passes = 0.0;
        let mut share = 0.6_f64.powi(i32::try_from(runs).expect("few"));
        for failed in 0..=runs {
            let mut judge = Judge::new(plan(&[("handshake", runs)]));
            judge.runs(runs, Baseline, "handshake", Pass);
            judge.runs(failed, Canary, "handshake", Fail);
            judge.runs(runs - failed, Canary, "handshake", Pass);
            if judge.done().verdict == Verdict::Pass {
                passes += share;
            }
            share *= (runs - failed) as f64 / (failed + 1) as f64 * 0.4 / 0.6;
        }
        let bound = if runs < 7 { 0.08 } else { 0.031 };
        assert!(passes < bound, "{passes} by {runs} runs");
    }
}

#[test]
fn mostly_inconclusive_is_inconclusive() {
    let mut judge = Judge::new(plan(&[("handshake", 30)]));
    judge.runs(30, Baseline, "handshake", Pass);
    judge.runs(12, Canary, "handshake", Pass);
    judge.runs(18, Canary, "handshake", Inconclusive);
    let decision = judge.done();
    expect(
        &decision,
        Verdict::Inconclusive,
        "canary: 12 conclusive runs, 15 needed, 18 inconclusive (agent_late)",
    );
    assert_eq!((decision.evidence[0].reason.as_str(), decision.evidence[0].count), ("agent_late", 18));
}

#[test]
fn an_end_before_the_end_is_inconclusive() {
    let mut judge = Judge::new(plan(&[("handshake", 30)]));
    judge.runs(30, Baseline, "handshake", Pass);
    judge.runs(30, Canary, "handshake", Fail);
    expect(&judge.done(), Verdict::Fail, "handshake failed in 30 of 30 runs");
    expect(&judge.finish(End::BaselineLost), Verdict::Inconclusive, "the baseline was lost");
    expect(&judge.finish(End::Cancelled), Verdict::Inconclusive, "it was cancelled");
    let never =
        Judge::new(plan(&[("handshake", 30)])).finish(End::BaselineNeverReached("tls_untrusted".into()));
    expect(&never, Verdict::Inconclusive, "is good: the baseline was never reached: tls_untrusted.");
    assert_eq!(never.notes.len(), 1, "more time would not mend it: {:?}", never.notes);
    let fault = End::AgentFault("out of descriptors".to_owned());
    expect(&judge.finish(fault), Verdict::Inconclusive, "the agent itself failed: out of descriptors");
}

#[test]
fn what_neither_supports_is_left_out_and_named() {
    let mut judge = Judge::new(plan(&[("handshake", 30), ("token_refresh", 8)]));
    for arm in [Baseline, Canary] {
        judge.runs(30, arm, "handshake", Pass);
        judge.runs(8, arm, "token_refresh", Unsupported);
    }
    let decision = judge.done();
    expect(&decision, Verdict::Pass, "30 runs of 1 check");
    assert_eq!(decision.notes, ["token_refresh is left out: not supported"]);
}

#[test]
fn what_only_one_supports_is_no_pass() {
    for (with, without, named) in [(Baseline, Canary, "canary"), (Canary, Baseline, "baseline")] {
        let mut judge = Judge::new(plan(&[("token_refresh", 8)]));
        judge.runs(8, with, "token_refresh", Pass);
        judge.runs(8, without, "token_refresh", Unsupported);
        let sentence = format!("token_refresh: the {named} does not support it");
        expect(&judge.done(), Verdict::Inconclusive, &sentence);
    }
}

#[test]
fn nothing_supported_is_inconclusive() {
    let mut judge = Judge::new(plan(&[("token_refresh", 8)]));
    judge.runs(8, Baseline, "token_refresh", Unsupported);
    judge.runs(8, Canary, "token_refresh", Unsupported);
    expect(&judge.done(), Verdict::Inconclusive, "no check is supported");
}

#[test]
fn a_metric_of_one_arm_is_no_pass() {
    let mut judge = Judge::new(plan(&[("heartbeat", 20)]));
    judge.times(20, Baseline, "heartbeat", RTT, 0.02);
    judge.runs(20, Canary, "heartbeat", Pass);
    expect(&judge.done(), Verdict::Inconclusive, "the canary has 0 runs that measured it, the other 20");
}

#[test]
fn a_policy_that_can_not_judge_judges_nothing() {
    for (change, named) in [
        ((|policy| policy.alpha = f64::NAN) as fn(&mut Policy), "alpha is NaN"),
        (|policy| policy.alpha = 0.0, "alpha is 0"),
        (|policy| policy.max_failure_ratio = 1.5, "max_failure_ratio is 1.5"),
        (|policy| policy.tolerance = -0.1, "tolerance is -0.1"),
        (|policy| policy.confidence = 1.0, "confidence is 1"),
        (
            |policy| policy.metrics.values_mut().for_each(|metric| metric.absolute = f64::INFINITY),
            "gateprobe_connect_phase_duration_seconds has a tolerance",
        ),
    ] {
        let mut plan = plan(&[("handshake", 30)]);
        change(&mut plan.policy);
        let mut judge = Judge::new(plan);
        judge.runs(30, Baseline, "handshake", Pass);
        judge.runs(30, Canary, "handshake", Pass);
        judge.add(critical(Canary, "handshake", "origin_not_checked"));
        assert_eq!(judge.interim(), None);
        expect(&judge.done(), Verdict::Inconclusive, named);
    }
}
