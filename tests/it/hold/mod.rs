//! Connections that are held between the runs of `hold`: what a deploy does to them, who is accused and who is not.

mod agent;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use gateprobe::checks::CheckSpec;
use gateprobe::checks::hold::Assertion;
use gateprobe::gateway::{self, EventKind, Handle, Settings, monotonic_ns};
use gateprobe::model::RunReport;
use tokio::time::{Instant, timeout};

use crate::support::relay::Relay;
use crate::support::session::{AMPLE, count, samples};
use crate::support::{Bench, words};

const HOLD: &str = "connections: 4, watch: 300ms, every: 200ms, pong_timeout: 2s, connect_timeout: 2s";
const BACK: &str = "back_within: 5s";

/// A busy machine may be late without an end of the runs' own being so.
fn bench(address: SocketAddr, more: &str) -> Bench {
    let target = format!("{{ url: 'ws://{address}/', {AMPLE}, checks: {{ hold: {{ {HOLD}, {more} }} }} }}");
    Bench::new(&format!("lag_bound: 10s\ntargets: {{ chat: {target} }}"))
}

async fn start() -> Handle {
    gateway::start(Settings::default()).await.expect("a gateway")
}

async fn run(bench: &Bench) -> RunReport {
    bench.run("chat").await.remove(0)
}

/// Waits until a gateway has so many connections.
async fn until_open(gateway: &Handle, wanted: usize) {
    let (mut since, limit) = (0, Instant::now() + Duration::from_secs(60));
    while gateway.open_connections() != wanted {
        assert!(Instant::now() < limit, "{} open instead of {wanted}", gateway.open_connections());
        let events = timeout(Duration::from_millis(50), gateway.wait_events(since)).await;
        since = events.ok().and_then(|events| events.last().map(|event| event.seq + 1)).unwrap_or(since);
    }
}

/// When the gateway's log has an event, by the wall clock.
fn wall(monotonic: u64) -> SystemTime {
    SystemTime::now() - Duration::from_nanos(monotonic_ns() - monotonic)
}

/// The times that a report tells, after each "at".
fn told_times(report: &RunReport) -> Vec<SystemTime> {
    let words = report.detail.split([' ', ',']);
    words.filter_map(|word| word.parse::<jiff::Timestamp>().ok()).map(SystemTime::from).collect()
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// The relay's delay, the gateway's own way to its socket, and a busy machine.
const NEAR: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_that_drains_is_told_from_one_that_cuts() {
    let [first, second] = [start().await, start().await];
    let relay = Relay::balancing(&[first.address(), second.address()], 1..=3).await;
    let bench = bench(relay.address, BACK);
    let report = run(&bench).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!((first.open_connections(), second.open_connections()), (2, 2));

    // One after the other makes room for its successor.
    let third = start().await;
    relay.send_to(&[third.address()]);
    let mut log = first.log_reader();
    first.shutdown().await;
    until_open(&third, 2).await;
    let drained = log.rest().into_iter().find(|event| event.kind == EventKind::Draining).expect("drained");
    let report = run(&bench).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    let told = "a restart: 2 of 4 drained (Close 1001) at ";
    assert!(report.detail.contains(told) && report.detail.contains("back after"), "{}", report.detail);
    let [at] = told_times(&report)[..] else { panic!("not one event: {}", report.detail) };
    assert!(apart(at, wall(drained.monotonic_ns)) < NEAR, "{}", report.detail);
    assert_eq!(count(&report, "gateprobe_hold_ends_total", &["gateway", "drained"]), 2.0);
    let backs = samples(&report, "gateprobe_hold_back_seconds", &[]);
    assert!(backs.len() == 2 && backs.iter().all(|back| *back < 5.0), "{backs:?}");

    // This one is killed.
    let before = SystemTime::now();
    second.cut().await;
    let after = SystemTime::now();
    until_open(&third, 4).await;
    let report = run(&bench).await;
    // A relay passes a reset on as an end.
    assert_eq!(words(&report), "fail connection_cut", "{}", report.detail);
    assert!(report.detail.contains("lost together: 2 of 4 cut (FIN) at "), "{}", report.detail);
    let at = told_times(&report)[0];
    assert!(at >= before - NEAR && at <= after + NEAR, "{}", report.detail);
    assert_eq!(count(&report, "gateprobe_hold_ends_total", &["unknown", "fin"]), 2.0);

    let report = run(&bench).await;
    assert_eq!(words(&report), "pass", "told once: {}", report.detail);
    assert_eq!(samples(&report, "gateprobe_held_connections", &[]), [4.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_to_come_back_later_does_so() {
    let json = |delay| Settings { json: true, reconnect_delay: delay, ..Settings::default() };
    for (seconds, told) in
        [(2, ", asked to come back in 2s, back after "), (0, ", asked to come back at once, back after ")]
    {
        let delay = Duration::from_secs(seconds);
        let first = gateway::start(json(Some(delay))).await.expect("a gateway");
        let second = gateway::start(json(None)).await.expect("a gateway");
        let relay = Relay::start(first.address(), 0..=1).await;
        let checks = format!("checks: {{ hold: {{ {HOLD}, back_within: 2s }} }}");
        let target = format!("{{ url: 'ws://{}/', dialect: json, {AMPLE}, {checks} }}", relay.address);
        let bench = Bench::new(&format!("lag_bound: 10s\ntargets: {{ chat: {target} }}"));
        assert_eq!(words(&run(&bench).await), "pass");
        relay.send_to(&[second.address()]);
        let mut log = first.log_reader();
        first.shutdown().await;
        let report = run(&bench).await;
        assert_eq!(words(&report), "pass", "{}", report.detail);
        assert!(report.detail.contains("a restart: 4 of 4 drained (Close 1001) at "), "{}", report.detail);
        assert!(report.detail.contains(told), "{}", report.detail);
        let asked = log.rest().into_iter().find(|event| event.kind == EventKind::Draining).expect("drained");
        let back =
            second.events(0).into_iter().find(|event| event.kind == EventKind::Accepted).expect("back");
        let away = Duration::from_nanos(back.monotonic_ns - asked.monotonic_ns);
        assert!(away >= delay, "back after {away:?}, asked for {delay:?}");
        assert_eq!(count(&report, "gateprobe_hold_ends_total", &["gateway", "drained"]), 4.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_resets_is_told_from_one_that_ends() {
    // No relay: a reset must arrive as one. Both gateways listen on one port, one after the other; at an address of
    // their own, so that nobody else is given the port meanwhile.
    let at = |listen| gateway::start(Settings { listen, ..Settings::default() });
    let first = at("127.1.46.1:0".parse().expect("an address")).await.expect("a gateway");
    let address = first.address();
    let bench = bench(address, BACK);
    assert_eq!(words(&run(&bench).await), "pass");
    first.cut().await;
    // A program that another test is just starting has this one's sockets until its exec, and so the port.
    let limit = Instant::now() + Duration::from_secs(60);
    let second = loop {
        match at(address).await {
            Ok(second) => break second,
            Err(gateway::Error::Bind { .. }) if Instant::now() < limit => tokio::task::yield_now().await,
            Err(error) => panic!("again: {error}"),
        }
    };
    until_open(&second, 4).await;
    let report = run(&bench).await;
    assert_eq!(words(&report), "fail connection_reset", "{}", report.detail);
    assert!(report.detail.contains("4 of 4 cut (RST)"), "{}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_gateway_whose_successor_refuses_has_failed_to_come_back() {
    let refusing = || {
        let faults = vec!["upgrade_status=503".parse().expect("a fault")];
        gateway::start(Settings { faults, ..Settings::default() })
    };
    for (without, expected) in
        [(None, "fail reconnect_failed"), (Some(Assertion::ComesBack), "inconclusive precondition")]
    {
        let [first, second] = [start().await, refusing().await.expect("a gateway")];
        let relay = Relay::start(first.address(), 0..=1).await;
        let mut bench = bench(relay.address, "back_within: 1s");
        bench.edit(|_, spec| match spec {
            CheckSpec::Hold(check) => check.without = without,
            _ => unreachable!("the only check"),
        });
        assert_eq!(words(&run(&bench).await), "pass");
        relay.send_to(&[second.address()]);
        first.shutdown().await;
        let first_look = run(&bench).await;
        if without.is_none() {
            assert_eq!(words(&first_look), expected, "{}", first_look.detail);
        }
        // Once accused, it is `handshake` that goes on to count.
        let report = run(&bench).await;
        assert_eq!(words(&report), "inconclusive precondition", "{}", report.detail);
        assert_eq!(samples(&report, "gateprobe_held_connections", &[]), [0.0]);
        second.clear_all();
        until_open(&second, 4).await;
        assert_eq!(words(&run(&bench).await), "pass");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_lost_among_several_is_told_as_one() {
    let gateway = start().await;
    let relay = Relay::start(gateway.address(), 0..=1).await;
    let bench = bench(relay.address, BACK);
    assert_eq!(words(&run(&bench).await), "pass");
    let next = gateway.events(0).last().expect("some").seq;
    relay.cut_one();
    gateway.wait_event(next, |kind| *kind == EventKind::Upgraded).await;
    let report = run(&bench).await;
    assert_eq!(words(&report), "fail connection_cut", "{}", report.detail);
    assert!(report.detail.starts_with("1 of 4 cut (FIN) at "), "{}", report.detail);
}

/// The control endpoint was dead when the connection was cut, and is back when the run reads of it.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_while_our_own_way_out_is_broken_accuses_nobody() {
    let gateway = start().await;
    let relay = Relay::start(gateway.address(), 0..=1).await;
    let control = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = control.local_addr().expect("its address");
    let target = format!("url: 'ws://{}/', {AMPLE}, checks: {{ hold: {{ {HOLD}, {BACK} }} }}", relay.address);
    let control_yaml = format!("control: {{ address: '{address}', timeout: 2s }}");
    let bench = Bench::new(&format!("lag_bound: 10s\n{control_yaml}\ntargets: {{ chat: {{ {target} }} }}"));
    assert_eq!(words(&run(&bench).await), "pass");
    // Once the gateway answers, it is asked whether it does, too.
    drop(control.accept().expect("asked"));
    drop(control);
    let next = gateway.events(0).last().expect("some").seq;
    relay.cut_one();
    gateway.wait_event(next, |kind| *kind == EventKind::Upgraded).await;
    let control = std::net::TcpListener::bind(address).expect("the same port");
    let report = run(&bench).await;
    assert_eq!(words(&report), "inconclusive egress_lost", "{}", report.detail);
    let next = gateway.events(0).last().expect("some").seq;
    relay.cut_one();
    gateway.wait_event(next, |kind| *kind == EventKind::Upgraded).await;
    assert_eq!(words(&run(&bench).await), "fail connection_cut");
    drop(control);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_lets_go_politely_and_accuses_nobody() {
    let gateway = start().await;
    let bench = bench(gateway.address(), BACK);
    assert_eq!(words(&run(&bench).await), "pass");
    bench.release("chat");
    until_open(&gateway, 0).await;
    let goodbyes = |code| {
        let of = move |kind: &EventKind| *kind == EventKind::CloseReceived { code: Some(code) };
        gateway.events(0).into_iter().filter(|event| of(&event.kind)).count()
    };
    assert_eq!(goodbyes(1000), 4);
    let report = run(&bench).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert!(gateway.open_connections() == 4 && !report.detail.contains(" of 4 "), "{}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_throws_out_again_and_again_is_left_alone() {
    let faults = vec!["close_after_upgrade=1001".parse().expect("a fault")];
    let gateway = gateway::start(Settings { faults, ..Settings::default() }).await.expect("a gateway");
    let bench = bench(gateway.address(), BACK);
    let began = Instant::now();
    let report = run(&bench).await;
    let accepted = gateway.events(0).into_iter().filter(|event| event.kind == EventKind::Accepted).count();
    // Each waits for 0, 0, 250, 500, 1000, 2000 ms and so on, at least.
    let waited = began.elapsed().as_secs_f64() / 0.25;
    let most = 4 * (3 + waited.max(1.0).log2().ceil() as usize);
    assert!(accepted <= most, "{accepted} connections in {:?}, {most} at most", began.elapsed());
    assert_ne!(words(&report), "pass", "{}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_as_old_as_the_gateway_lets_it_become_accuses_nobody() {
    let gateway = start().await;
    let bench = bench(gateway.address(), &format!("{BACK}, lifetime: 1s"));
    assert_eq!(words(&run(&bench).await), "pass");
    gateway.set_fault("session_closed_after=1500ms".parse().expect("a fault")).expect("shows");
    let closed = |kind: &EventKind| *kind == EventKind::CloseSent { code: Some(1011) };
    gateway.wait_event(0, closed).await;
    gateway.clear_all();
    until_open(&gateway, 4).await;
    let report = run(&bench).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert!(report.detail.contains("as old as the gateway lets them become"), "{}", report.detail);
}
