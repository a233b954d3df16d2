//! Ends before the plan's.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::{EarlyStop, Judge, Verdict};
use super::bench::*;

#[test]
fn an_outage_stops_at_the_first_look() {
    let mut judge = Judge::new(plan(&[("handshake", 60), ("heartbeat", 60)]));
    let mut made = 0;
    let decision = loop {
        for check in ["handshake", "heartbeat"] {
            judge.runs(1, Baseline, check, Pass);
            judge.runs(1, Canary, check, Fail);
        }
        made += 1;
        if let Some(decision) = judge.interim() {
            break decision;
        }
    };
    assert_eq!(made, 20, "a third of 60");
    assert_eq!(decision.stopped_early, Some(EarlyStop::Significant));
    expect(&decision, Verdict::Fail, "failed in");
    assert!(decision.notes.is_empty(), "{:?}", decision.notes);
}

#[test]
fn a_pass_is_never_early() {
    let mut judge = Judge::new(plan(&[("handshake", 60)]));
    for _ in 0..60 {
        judge.runs(1, Baseline, "handshake", Fail);
        judge.runs(1, Canary, "handshake", Pass);
        assert_eq!(judge.interim(), None);
    }
}

#[test]
fn what_is_certain_stays_whatever_the_missing_runs_say() {
    let mut random = StdRng::seed_from_u64(11);
    let mut certain = 0;
    for _ in 0..200 {
        let mut plan = plan(&[("handshake", 60)]);
        plan.policy.looks = vec![2.0 / 3.0];
        let mut judge = Judge::new(plan);
        let failing = random.random_range(0.3..1.0);
        for left in (0..60).rev() {
            for (arm, share) in [(Baseline, 0.0), (Canary, failing)] {
                judge.runs(1, arm, "handshake", if random.random_bool(share) { Fail } else { Pass });
            }
            let Some(decision) = judge.clone().interim() else { continue };
            if decision.stopped_early != Some(EarlyStop::Certain) {
                break;
            }
            certain += 1;
            for _ in 0..20 {
                let mut judge = judge.clone();
                let (heal, other) = (random.random::<f64>(), random.random::<f64>());
                for _ in 0..left {
                    judge.runs(
                        1,
                        Canary,
                        "handshake",
                        if random.random_bool(heal) { Pass } else { Inconclusive },
                    );
                    judge.runs(1, Baseline, "handshake", if random.random_bool(other) { Fail } else { Pass });
                    drop(judge.interim());
                }
                expect(&judge.done(), Verdict::Fail, "handshake failed");
            }
            break;
        }
    }
    assert!(certain > 20, "{certain}");
}
