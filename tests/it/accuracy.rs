//! The times that the checks measure, held against what the gateway itself wrote down: a process of its own, with the
//! same clock (CLOCK_MONOTONIC). A client by hand beside them tells what this machine lets anybody measure.

use std::net::{IpAddr, Ipv4Addr};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join_all;
use gateprobe::model::RunReport;

use crate::support::raw_client::RawClient;
use crate::support::reference::{Entry, Reference, connections_from};
use crate::support::session::{AMPLE, disturbed, samples};
use crate::support::{Bench, words};

/// Runs in a round.
const AT_ONCE: u8 = 25;
/// A busy machine may spoil a round, but hardly so many in a row.
const ROUNDS: usize = 5;
/// Runs begin one after another: the next one must not find the clocks of all others at one moment.
const APART: Duration = Duration::from_millis(37);
/// What half of the times may be off by, at most, in seconds.
const MEDIAN: f64 = 0.002;
/// What hardly any may be off by on an idle machine.
const P99: f64 = 0.005;

const OPTIONS: [&str; 4] = ["--heartbeat-interval", "500ms", "--heartbeat-timeout", "1s"];
const ZOMBIE: &str = "zombie: { recovery: false, tolerance: 400ms, window: { earliest: 1s, latest: 1s } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_time_to_clean_up_is_the_gateways_own() {
    let mut told = Vec::new();
    for _ in 0..ROUNDS {
        let (errors, by_hand) = cleanup_errors().await;
        told.push(tell(&errors, &by_hand));
        // What a busy machine does to anybody is not our error.
        if percentile(&errors, 50) < MEDIAN + percentile(&by_hand, 50) {
            println!("clean-up: {}", told.join("; "));
            return;
        }
    }
    panic!("{told:#?}");
}

/// By `make accuracy`.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs an idle machine: make accuracy"]
async fn a_hundred_clean_ups_are_timed_to_five_milliseconds() {
    let (mut errors, mut by_hand) = (Vec::new(), Vec::new());
    for _ in 0..100 / AT_ONCE {
        let round = cleanup_errors().await;
        errors = sorted([errors, round.0].concat());
        by_hand = sorted([by_hand, round.1].concat());
    }
    println!("clean-up: {}", tell(&errors, &by_hand));
    assert!(errors.len() >= 98 && percentile(&errors, 50) < MEDIAN && percentile(&errors, 99) < P99);
}

/// A round-trip time is what the gateway kept the ping for, by its own stamps, and the way: never less.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_round_trip_time_is_what_the_gateway_took_and_the_way() {
    let mut told = Vec::new();
    for _ in 0..ROUNDS {
        let excess = rtt_excess().await;
        told.push(tell(&excess, &[]));
        // One of them may be less: a gateway that loses its turn after the write notes late that it has answered.
        if (0.0..MEDIAN).contains(&percentile(&excess, 50)) {
            println!("round trip: {}", told.join("; "));
            return;
        }
    }
    panic!("{told:#?}");
}

/// By how much the mean round-trip time of each run is longer than what the gateway took; sorted.
async fn rtt_excess() -> Vec<f64> {
    let gateway = Reference::start(&["--fault", "pong_delay=20ms"]);
    let reports = run_from_each(&gateway, "heartbeat: { pings: 10, every: 50ms }").await;
    let log = gateway.log();
    let mut excess = Vec::new();
    for (address, report) in reports {
        assert!(words(&report) == "pass" || disturbed(&report), "{}", report.detail);
        // None where the machine was late, and the run knows it.
        let measured = samples(&report, "gateprobe_heartbeat_rtt_seconds", &["protocol"]);
        let connections = connections_from(&log, address);
        let of = |event: &str| -> Vec<f64> {
            let events = connections.iter().flatten().filter(|entry| entry.event == event);
            events.map(|entry| entry.monotonic_ns as f64 / 1e9).collect()
        };
        let (came, answered) = (of("ping_received"), of("pong_sent"));
        assert_eq!((came.len(), answered.len()), (10, 10), "{address}");
        let took = answered.iter().zip(&came).map(|(answered, came)| answered - came).sum::<f64>() / 10.0;
        if measured.len() == 10 {
            excess.push(measured.iter().sum::<f64>() / 10.0 - took);
        }
    }
    sorted(excess)
}

/// By how much each time to clean up is off, ours and those taken by hand; sorted. Each run comes from an address of
/// its own, by which the gateway's log tells them apart.
async fn cleanup_errors() -> (Vec<f64>, Vec<f64>) {
    let gateway = Reference::start(&OPTIONS);
    let by_hand = clients_by_hand(&gateway);
    let reports = run_from_each(&gateway, ZOMBIE).await;
    let by_hand = tokio::task::spawn_blocking(move || {
        by_hand.into_iter().map(|thread| thread.join().expect("a time")).collect::<Vec<_>>()
    });
    let by_hand = by_hand.await.expect("threads");
    let log = gateway.log();
    let own = |address| {
        let connections = connections_from(&log, address);
        let own: Vec<f64> = connections.iter().filter_map(|events| own_cleanup(events)).collect();
        assert_eq!(own.len(), 1, "{address}: {connections:#?}");
        own[0]
    };
    let mut errors = Vec::new();
    for (address, report) in reports {
        assert!(words(&report) == "pass" || disturbed(&report), "{}", report.detail);
        // None where the machine was late, and the run knows it.
        let measured = samples(&report, "gateprobe_zombie_cleanup_seconds", &["mute"]);
        errors.extend(measured.iter().map(|measured| (measured - own(address)).abs()));
    }
    let by_hand = by_hand.iter().map(|(address, time)| (time.as_secs_f64() - own(*address)).abs());
    (sorted(errors), sorted(by_hand.collect()))
}

/// From the first ping to the Close, where the gateway cleaned up.
fn own_cleanup(events: &[&Entry]) -> Option<f64> {
    let pinged = events.iter().find(|entry| entry.event == "ping_sent")?;
    let closed = events.iter().find(|entry| entry.event == "close_sent" && entry.code == Some(1011))?;
    Some((closed.monotonic_ns - pinged.monotonic_ns) as f64 / 1e9)
}

/// As many silent clients, in the same rhythm, without anything of ours.
fn clients_by_hand(gateway: &Reference) -> Vec<JoinHandle<(IpAddr, Duration)>> {
    let to = gateway.address();
    let client = |number: u8| {
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 2, number));
        std::thread::spawn(move || {
            std::thread::park_timeout(APART * u32::from(number));
            let client = RawClient::connect(from, to).expect("a connection");
            (from, client.ping_to_close().expect("a Close"))
        })
    };
    (1..=AT_ONCE).map(client).collect()
}

/// Runs a check once from each address.
async fn run_from_each(gateway: &Reference, check: &str) -> Vec<(IpAddr, RunReport)> {
    let sources: Vec<Ipv4Addr> = (1..=AT_ONCE).map(|number| Ipv4Addr::new(127, 0, 1, number)).collect();
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

fn tell(errors: &[f64], by_hand: &[f64]) -> String {
    let figures = |errors: &[f64]| {
        let [median, p99] = [50, 99].map(|percent| 1e3 * percentile(errors, percent));
        format!("p50 {median:.2} ms, p99 {p99:.2} ms")
    };
    let beside = if by_hand.is_empty() { String::new() } else { format!(" (by hand: {})", figures(by_hand)) };
    format!("{} times off by {}{beside}", errors.len(), figures(errors))
}

fn sorted(mut errors: Vec<f64>) -> Vec<f64> {
    errors.sort_by(f64::total_cmp);
    errors
}

/// By nearest rank; without bound where there is nothing.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
}
