//! A healthy gateway at the end of a long way with jitter: a thousand runs, and none of them accuses it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gateprobe::gateway::{self, Settings};
use gateprobe::model::{Outcome, RunReport};

use crate::support::relay::Relay;
use crate::support::session::AMPLE;
use crate::support::{Bench, words};

/// Each way, in milliseconds: 100 ± 50.
const DELAY: std::ops::RangeInclusive<u64> = 50..=150;
const TRIALS: usize = 1_000;
const AT_ONCE: usize = 80;
/// Of the runs, those that must pass; a busy machine disturbs some of a round, which then say so.
const ENOUGH: usize = TRIALS - 20;
/// Rounds, at most.
const ROUNDS: usize = 3;

/// A gateway that beats each 600 ms, and waits 1.2 s for the answer. What comes over such a way has been delayed by
/// up to 100 ms more or less than what came before it.
fn settings() -> Settings {
    Settings {
        heartbeat_interval: Some(Duration::from_millis(600)),
        heartbeat_timeout: Duration::from_millis(1_200),
        ..Settings::default()
    }
}

const HEARTBEAT: &str = "pings: 4, every: 300ms, pong_timeout: 1200ms, \
                         server: { pings: 600ms, tolerance: 400ms }";
const ZOMBIE: &str = "beat_within: 600ms, pong_timeout: 1200ms, tolerance: 400ms, \
                      window: { earliest: 1200ms, latest: 1200ms }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_runs_over_a_slow_way_accuse_nobody() {
    let gateway = gateway::start(settings()).await.expect("a gateway");
    let relay = Relay::start(gateway.address(), DELAY).await;
    let target = |check, settings| {
        let url = format!("ws://{}/", relay.address);
        format!("  {check}: {{ url: '{url}', {AMPLE}, checks: {{ {check}: {{ {settings} }} }} }}\n")
    };
    let targets = target("heartbeat", HEARTBEAT) + &target("zombie", ZOMBIE);
    let bench = Bench::new(&format!("lag_bound: 100ms\ntargets:\n{targets}"));
    let mut passed = 0;
    for _ in 0..ROUNDS {
        passed += round(&bench).await;
        if passed >= ENOUGH {
            return;
        }
    }
    panic!("this machine is late all the time: {passed} passed");
}

/// A thousand runs; gives how many passed. What the machine disturbed must say so; nothing may be accused.
async fn round(bench: &Bench) -> usize {
    let began = Instant::now();
    let runs = (0..TRIALS).map(async |trial| {
        let check = if trial % 2 == 0 { "heartbeat" } else { "zombie" };
        bench.run(check).await.remove(0)
    });
    let reports: Vec<RunReport> = futures_util::stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let mut told: BTreeMap<(&str, String), (usize, &str)> = BTreeMap::new();
    for report in &reports {
        told.entry((report.job.check, words(report))).or_insert((0, &report.detail)).0 += 1;
    }
    println!("{TRIALS} runs in {:?}: {told:#?}", began.elapsed());
    let accused = reports.iter().filter(|report| matches!(report.outcome, Outcome::Fail(_))).count();
    assert_eq!(accused, 0, "{told:#?}");
    reports.iter().filter(|report| report.outcome == Outcome::Pass).count()
}
