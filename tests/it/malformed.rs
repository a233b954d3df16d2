//! `malformed` against the reference gateway, where it is about more than one fault and its name: tokens, readers that
//! do not read, patience that is asked for, budgets, and what a target takes for right.

use std::path::Path;
use std::time::Duration;

use gateprobe::auth::Algorithm;
use gateprobe::gateway::{self, EventKind, Handle, JwtRules, Settings};
use gateprobe::model::RunReport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::session::{AMPLE, count, disturbed};
use crate::support::{Bench, folder, words, write};

const QUICK: &str = "every: 10ms, within: 1s, slow_within: 3s, ";

fn config(gateway: &Handle, target: &str, check: &str) -> String {
    slow_config(gateway, target, &format!("{QUICK}{check}"))
}

fn slow_config(gateway: &Handle, target: &str, check: &str) -> String {
    let url = gateway.url();
    let checks = format!("checks: {{ malformed: {{ {check} }} }}");
    format!("lag_bound: 300ms\ntargets: {{ chat: {{ url: '{url}', {target}, {checks} }} }}")
}

/// A run that the machine did not disturb.
async fn run(bench: &Bench) -> RunReport {
    for _ in 0..5 {
        let report = bench.run("chat").await.remove(0);
        if !disturbed(&report) {
            return report;
        }
    }
    panic!("the machine is too busy to measure anything");
}

fn set(gateway: &Handle, fault: &str) {
    gateway.set_fault(fault.parse().expect("a fault")).expect("a fault that shows");
}

async fn gateway_of_tokens(folder: &Path) -> (Handle, String) {
    let key = write(folder, "key", "a secret of thirty-two bytes and some more");
    let jwt = JwtRules::read(Algorithm::HS256.into(), &key).expect("a key");
    let gateway =
        gateway::start(Settings { jwt: Some(jwt), ..Settings::default() }).await.expect("a gateway");
    let auth = format!("{AMPLE}, auth: {{ token: {{ mint: {{ algorithm: HS256, key_file: {key:?} }} }} }}");
    (gateway, auth)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_token_that_is_taken_is_named() {
    let folder = folder();
    let (gateway, auth) = gateway_of_tokens(folder.path()).await;
    let tokens = "vectors: [token_missing, token_garbled, token_alg_none, token_wrong_key, token_expired]";
    let bench = Bench::new(&config(&gateway, &auth, tokens));
    let healthy = run(&bench).await;
    assert_eq!(words(&healthy), "pass", "{}", healthy.detail);
    assert_eq!(count(&healthy, "gateprobe_malformed_verdicts_total", &["ok"]), 5.0);
    for (fault, named) in [
        ("jwt_expired_accepted", vec!["token_expired"]),
        ("jwt_unsigned_accepted", vec!["token_alg_none"]),
        ("jwt_forged_accepted", vec!["token_garbled", "token_wrong_key"]),
    ] {
        set(&gateway, fault);
        let report = run(&bench).await;
        assert_eq!(words(&report), "fail malformed_accepted", "{fault}: {}", report.detail);
        let findings: Vec<&str> =
            report.detail.split("; ").filter_map(|part| part.split(": ").next()).collect();
        assert_eq!(findings, named, "{fault}: {}", report.detail);
        gateway.clear_all();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_none_of_ours_is_told_and_not_judged() {
    let folder = folder();
    let token = gateway::Token::new("opaque");
    let gateway = gateway::start(Settings { token, ..Settings::default() }).await.expect("a gateway");
    let file = write(folder.path(), "token", "opaque");
    let auth = format!("{AMPLE}, auth: {{ token: {{ file: {file:?} }} }}");
    let report = run(&Bench::new(&config(&gateway, &auth, "groups: [handshake]"))).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert!(report.detail.contains("3 not asked, no such token can be made"), "{}", report.detail);
    let unasked = ["token_expired", "not_asked", "not_judged"];
    assert_eq!(count(&report, "gateprobe_malformed_vectors_total", &unasked), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_must_be_let_go_of_as_promised() {
    let folder = folder();
    let settings = Settings {
        heartbeat_interval: Some(Duration::from_millis(400)),
        heartbeat_timeout: Duration::from_millis(800),
        close_timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    let gateway = gateway::start(settings).await.expect("a gateway");
    let dialect = "dialect: 1\nname: own\nheartbeat: { pings: { interval: 400ms } }\n\
                   zombie: { origin: unanswered_beat, window: 800ms }\n";
    let dialect = write(folder.path(), "own.yaml", dialect);
    let target = format!("{AMPLE}, dialect: {dialect:?}");
    let bench = Bench::new(&config(&gateway, &target, "caution: true, vectors: [reader_slow]"));
    let report = run(&bench).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    set(&gateway, "zombies_kept");
    let report = run(&bench).await;
    assert_eq!(words(&report), "fail malformed_accepted", "{}", report.detail);
    assert!(report.detail.starts_with("reader_slow: ignored"), "{}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_asks_for_patience_gets_it() {
    let gateway = gateway::start(Settings::default()).await.expect("a gateway");
    let bench = Bench::new(&config(&gateway, AMPLE, "groups: [framing]"));
    set(&gateway, "rate_limit=4");
    let report = run(&bench).await;
    assert_eq!(words(&report), "inconclusive throttled", "{}", report.detail);
    let sent =
        report.samples.iter().filter(|sample| sample.metric.name == "gateprobe_malformed_vectors_total");
    assert!(sent.count() < 4, "the run goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_budget_does_not_let_us_send_is_no_pass() {
    let gateway = gateway::start(Settings::default()).await.expect("a gateway");
    let budget = "budget: { connections_per_second: 100, messages_per_second: 10 }";
    let vectors = "vectors: [rsv1, rsv2], timeout: 25s";
    let bench = Bench::new(&slow_config(&gateway, budget, vectors));
    let report = run(&bench).await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    // What other checks of the target had booked before: twenty-three of the twenty-five seconds.
    bench.spend("chat", 230);
    let report = run(&bench).await;
    assert_eq!(words(&report), "inconclusive budget", "{}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_says_what_it_takes_for_right() {
    let gateway = gateway::start(Settings::default()).await.expect("a gateway");
    set(&gateway, "malformed_wrong_code=framing");
    let only = |reactions: &str| format!("vectors: [rsv1, rsv2], reactions: {{ {reactions} }}");
    for (reactions, expected) in [
        ("", "fail malformed_reaction"),
        ("framing: [1000]", "pass"),
        ("framing: [1000], rsv1: [1002]", "fail malformed_reaction"),
    ] {
        let report = run(&Bench::new(&config(&gateway, AMPLE, &only(reactions)))).await;
        assert_eq!(words(&report), expected, "{reactions}: {}", report.detail);
    }
}

/// What is done with a connection.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// It reaches the gateway.
    Forward,
    /// It is accepted and ended.
    Drop,
    /// It is refused for want of capacity.
    Refuse,
}

/// A balancer before a gateway that treats the connections by their number, from 1 on.
async fn balancer(gateway: &Handle, act: fn(usize) -> Act) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let behind = gateway.url().trim_start_matches("ws://").trim_end_matches('/').to_owned();
    tokio::spawn(async move {
        for number in 1.. {
            let Ok((mut client, _)) = listener.accept().await else { return };
            let behind = behind.clone();
            tokio::spawn(async move {
                match act(number) {
                    Act::Forward => {
                        let mut server = TcpStream::connect(behind).await.expect("the gateway");
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                    Act::Drop => {}
                    Act::Refuse => {
                        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
                        let _ = client.read(&mut [0; 2_048]).await;
                        let _ = client.write_all(answer).await;
                    }
                }
            });
        }
    });
    format!("ws://{address}/")
}

/// The bystander is the first connection, the probe before any vector the second; then a shot and a probe each.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_only_what_several_tries_confirm() {
    let gateway = gateway::start(Settings::default()).await.expect("a gateway");
    type Balancer = fn(usize) -> Act;
    let cases: [(Balancer, &str, &str); 6] = [
        (|number| if number == 4 { Act::Drop } else { Act::Forward }, "pass", ""),
        (|number| if number == 5 { Act::Drop } else { Act::Forward }, "pass", ""),
        (|number| if number >= 4 { Act::Drop } else { Act::Forward }, "fail malformed_crash", "rsv1: "),
        (
            |number| if number >= 5 { Act::Drop } else { Act::Forward },
            "fail malformed_crash",
            "rsv1: some time later",
        ),
        (|number| if number == 4 { Act::Refuse } else { Act::Forward }, "fail unavailable", "after rsv1: "),
        (
            |number| if number >= 2 { Act::Drop } else { Act::Forward },
            "inconclusive precondition",
            "before any vector",
        ),
    ];
    for (act, expected, says) in cases {
        let url = balancer(&gateway, act).await;
        let check = format!("{QUICK}vectors: [rsv1, rsv2]");
        let checks = format!("checks: {{ malformed: {{ {check} }} }}");
        let yaml = format!("lag_bound: 300ms\ntargets: {{ chat: {{ url: '{url}', {AMPLE}, {checks} }} }}");
        let report = Bench::new(&yaml).run("chat").await.remove(0);
        assert_eq!(words(&report), expected, "{}", report.detail);
        assert!(report.detail.contains(says), "{}", report.detail);
    }
}

/// It is alive, whatever its reason: that is no crash.
#[tokio::test(flavor = "multi_thread")]
async fn a_bystander_that_is_closed_by_a_close_is_told_as_that() {
    let gateway = gateway::start(Settings::default()).await.expect("a gateway");
    set(&gateway, "session_closed_after=1500ms");
    let bench = Bench::new(&slow_config(&gateway, AMPLE, "every: 100ms, groups: [framing]"));
    let report = run(&bench).await;
    assert_eq!(words(&report), "fail session_closed", "{}", report.detail);
    assert!(report.detail.starts_with("after "), "it names the vector before: {}", report.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_restarts_is_not_accused() {
    let gateway = gateway::start(Settings::default()).await.expect("a gateway");
    let bench = Bench::new(&slow_config(&gateway, AMPLE, "every: 100ms, groups: [framing]"));
    let (report, ()) = tokio::join!(bench.run("chat"), async {
        gateway.wait_event(0, |event| matches!(event, EventKind::Offence { .. })).await;
        gateway.shutdown().await;
    });
    assert_eq!(words(&report[0]), "inconclusive restarting", "{}", report[0].detail);
}

/// The bystander grows slow while a request is still dripping: the rest of it is never sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_shot_is_broken_off_when_the_bystander_suffers() {
    let patience = Duration::from_secs(10);
    let gateway = gateway::start(Settings { handshake_timeout: patience, ..Settings::default() }).await;
    let gateway = gateway.expect("a gateway");
    let check =
        "vectors: [header_slow], caution: true, slow_within: 20s, bystander_every: 50ms, pong_timeout: 2s";
    let bench = Bench::new(&slow_config(&gateway, AMPLE, check));
    let (report, dripped) = tokio::join!(bench.run("chat"), async {
        let mut began = gateway.wait_event(0, |event| *event == EventKind::Accepted).await;
        // The bystander, the probe before, and the one that drips.
        for _ in 0..2 {
            began = gateway.wait_event(began.seq + 1, |event| *event == EventKind::Accepted).await;
        }
        set(&gateway, "pong_delay=600ms");
        let mut ended = began.clone();
        loop {
            let closed = |event: &EventKind| matches!(event, EventKind::TcpClosed { .. });
            ended = gateway.wait_event(ended.seq + 1, closed).await;
            if ended.connection == began.connection {
                break;
            }
        }
        // Well again, so that the second run finds nothing.
        gateway.clear_all();
        Duration::from_nanos(ended.monotonic_ns - began.monotonic_ns)
    });
    assert!(dripped < patience * 4 / 5, "it went on for {dripped:?}, until the gateway hung up");
    let report = &report[0];
    assert_eq!(words(report), "pass", "{}", report.detail);
    assert!(report.detail.contains("bystander_slowed not confirmed"), "{}", report.detail);
}
