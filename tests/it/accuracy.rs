//! The times that the checks measure, held against what the gateway itself wrote down: a process of its own, with the
//! same clock (CLOCK_MONOTONIC).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::future::join_all;
use gateprobe::model::RunReport;

use crate::support::reference::{Entry, Reference, connections_from};
use crate::support::session::{AMPLE, samples};
use crate::support::{Bench, words};

/// A busy machine may spoil a round, but hardly so many in a row.
const ROUNDS: usize = 5;
/// Runs begin one after another: the next one must not find the clocks of all others at one moment.
const APART: Duration = Duration::from_millis(37);
/// What half of the times of any round may be off by, at most, in seconds.
const MEDIAN: f64 = 0.002;
/// What hardly any may be off by on an idle machine.
const P99: f64 = 0.005;

const OPTIONS: [&str; 4] = ["--heartbeat-interval", "500ms", "--heartbeat-timeout", "1s"];
const ZOMBIE: &str = "zombie: { recovery: false, tolerance: 400ms, window: { earliest: 1s, latest: 1s } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_time_to_clean_up_is_the_gateways_own() {
    let mut told = Vec::new();
    for _ in 0..ROUNDS {
        let errors = cleanup_errors(25).await;
        told.push(tell(&errors));
        if percentile(&errors, 50) < MEDIAN {
            println!("zombies: {}", told.join("; "));
            return;
        }
    }
    panic!("{told:#?}");
}

/// Needs an idle machine: `make accuracy`.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs an idle machine: make accuracy"]
async fn a_hundred_clean_ups_are_timed_to_five_milliseconds() {
    let errors = cleanup_errors(100).await;
    println!("zombies: {}", tell(&errors));
    assert!(percentile(&errors, 50) < MEDIAN && percentile(&errors, 99) < P99, "{}", tell(&errors));
}

/// By how much each measured time is off; sorted. The runs come from addresses of their own, by which the gateway's
/// log tells them apart.
async fn cleanup_errors(count: u8) -> Vec<f64> {
    let gateway = Reference::start(&OPTIONS);
    let reports = run_from_each(&gateway, count, ZOMBIE).await;
    let log = gateway.log();
    let mut errors = Vec::new();
    for (address, report) in reports {
        assert_eq!(words(&report), "pass", "{}", report.detail);
        let connections = connections_from(&log, address);
        let own: Vec<f64> = connections.iter().filter_map(|events| own_cleanup(events)).collect();
        let measured = samples(&report, "gateprobe_zombie_cleanup_seconds", &["mute"]);
        match (&own[..], &measured[..]) {
            ([own], [measured]) => errors.push((measured - own).abs()),
            // The machine was late, and the run knows it.
            ([_], []) => {}
            _ => panic!("{own:?} {measured:?}; {log:#?}"),
        }
    }
    errors.sort_by(f64::total_cmp);
    errors
}

/// From the first ping to the Close, where the gateway cleaned up.
fn own_cleanup(events: &[&Entry]) -> Option<f64> {
    let pinged = events.iter().find(|entry| entry.event == "ping_sent")?;
    let closed = events.iter().find(|entry| entry.event == "close_sent" && entry.code == Some(1011))?;
    Some((closed.monotonic_ns - pinged.monotonic_ns) as f64 / 1e9)
}

/// Runs a check once from each of so many addresses.
async fn run_from_each(gateway: &Reference, count: u8, check: &str) -> Vec<(IpAddr, RunReport)> {
    let sources: Vec<Ipv4Addr> = (1..=count).map(|number| Ipv4Addr::new(127, 0, 1, number)).collect();
    let targets: String = sources
        .iter()
        .map(|source| {
            let network = format!("network: {{ source: {source} }}");
            format!(
                "  from-{source}: {{ url: '{}', {network}, {AMPLE}, checks: {{ {check} }} }}\n",
                gateway.url
            )
        })
        .collect::<String>()
        .replace("from-127.0.1.", "from-");
    let bench = Bench::new(&format!("targets:\n{targets}"));
    let began = tokio::time::Instant::now();
    let runs = sources.into_iter().map(async |source| {
        let number = source.octets()[3];
        tokio::time::sleep_until(began + APART * u32::from(number)).await;
        (IpAddr::V4(source), bench.run(&format!("from-{number}")).await.remove(0))
    });
    join_all(runs).await
}

fn tell(errors: &[f64]) -> String {
    let [median, p99] = [50, 99].map(|percent| 1e3 * percentile(errors, percent));
    format!("{} times off by p50 {median:.2} ms, p99 {p99:.2} ms", errors.len())
}

/// By nearest rank; without bound where there is nothing.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
}
