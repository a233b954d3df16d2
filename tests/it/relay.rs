//! A healthy gateway at the end of a long way with jitter: a thousand runs, and none of them accuses it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gateprobe::gateway::{self, Settings};
use gateprobe::model::RunReport;

use crate::support::relay::Relay;
use crate::support::session::{AMPLE, disturbed};
use crate::support::{Bench, words};

/// Each way, in milliseconds: 100 ± 50.
const DELAY: std::ops::RangeInclusive<u64> = 50..=150;
const TRIALS: usize = 1_000;
const AT_ONCE: usize = 80;
/// Of the runs, those that may say that the machine itself was late.
const DISTURBED: f64 = 0.02;
/// A machine that stands still for a moment disturbs all runs of that moment; it does hardly so in every round.
const ROUNDS: usize = 3;

/// A gateway that beats each 300 ms, and waits 600 ms for the answer. What comes over such a way has been delayed by
/// up to 100 ms more or less than what came before it.
fn settings() -> Settings {
    Settings {
        heartbeat_interval: Some(Duration::from_millis(300)),
        heartbeat_timeout: Duration::from_millis(600),
        ..Settings::default()
    }
}

const HEARTBEAT: &str = "pings: 4, every: 300ms, pong_timeout: 600ms, \
                         server: { pings: 300ms, tolerance: 200ms }";
const ZOMBIE: &str = "beat_within: 300ms, pong_timeout: 600ms, tolerance: 200ms, \
                      window: { earliest: 600ms, latest: 600ms }";

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
    for _ in 0..ROUNDS {
        if round(&bench).await as f64 <= DISTURBED * TRIALS as f64 {
            return;
        }
    }
    panic!("this machine is late all the time");
}

/// A thousand runs; gives how many of them the machine disturbed.
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
    let disturbed = reports.iter().filter(|report| disturbed(report)).count();
    let passed = reports.iter().filter(|report| words(report) == "pass").count();
    assert_eq!(passed + disturbed, TRIALS, "{told:#?}");
    disturbed
}
