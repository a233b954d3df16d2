//! When and how other people's gateways let go of a client that answers nothing, held against what their own
//! sources promise, and against their own clock.

use std::collections::BTreeMap;

use gateprobe::model::RunReport;

use crate::support::check::check_url_with;
use crate::support::program::Program;
use crate::support::session::{config, count, disturbed, run, run_once, samples};
use crate::support::words;

/// How far a measured time may be from the promise.
const EXACT: f64 = 0.050;
/// Silent connections in a run; the median counts.
const ZOMBIES: usize = 3;
/// A busy machine may spoil a run, but hardly so many in a row.
const ATTEMPTS: usize = 5;

/// A gateway that lets go of who does not answer its ping.
struct Cleaner {
    script: &'static str,
    options: &'static [&'static str],
    /// From its ping, in seconds.
    promise: f64,
    /// How it lets go: the series of the metric, and the words of the verdict.
    by: (&'static str, &'static str),
}

const CLOSE: (&str, &str) = ("close", "Close 1011");
const FIN: (&str, &str) = ("fin", "FIN without a Close, by the gateway or a hop before it");

/// `Connection.keepalive` (websockets/asyncio/connection.py) pings and waits for the pong, for `ping_timeout`; then
/// `Protocol.fail` sends Close 1011 and ends TCP at once. The time counts from the ping.
const WEBSOCKETS: Cleaner = Cleaner {
    script: "python_websockets.py",
    options: &["--ping-interval", "0.8", "--ping-timeout", "1.2"],
    promise: 1.2,
    by: CLOSE,
};

/// uvicorn has several WebSocket protocols, with a keep-alive each. `auto` is `websockets-sansio`:
/// `send_keepalive_ping` starts a timer of `ws_ping_timeout`, and `keepalive_timeout` sends Close 1011 and ends TCP.
/// (`wsproto` has the same lines, and needs a library that is not installed here.)
const UVICORN: Cleaner = Cleaner { script: "python_uvicorn.py", ..WEBSOCKETS };

/// `websockets` leaves it to the library's older protocol (`keepalive_ping` in websockets/legacy/protocol.py), which
/// sends Close 1011 too, and then ends its own side of TCP.
const UVICORN_LEGACY: Cleaner = Cleaner {
    script: "python_uvicorn.py",
    options: &["--ping-interval", "0.8", "--ping-timeout", "1.2", "--ws", "websockets"],
    ..WEBSOCKETS
};

/// `WebSocketResponse` (aiohttp/web_ws.py) pings when nothing came for `heartbeat`, and ends TCP when nothing came
/// for `heartbeat / 2` after that, without a Close.
const AIOHTTP: Cleaner =
    Cleaner { script: "python_aiohttp.py", options: &["--heartbeat", "2"], promise: 1.0, by: FIN };

/// The library `ws` does nothing by itself. Its README proposes to ping so often, and to `terminate` at the next
/// beat who has not answered, which destroys the socket without a Close.
const NODE_WITH_README: Cleaner =
    Cleaner { script: "node_ws.mjs", options: &["--heartbeat", "1.2"], promise: 1.2, by: FIN };

#[test]
fn python_websockets_cleans_with_close_1011() {
    cleans(&WEBSOCKETS);
}

#[test]
fn python_uvicorn_cleans_with_close_1011() {
    cleans(&UVICORN);
}

#[test]
fn python_uvicorn_on_the_older_protocol_cleans_with_close_1011() {
    cleans(&UVICORN_LEGACY);
}

#[test]
fn python_aiohttp_cleans_without_a_close() {
    cleans(&AIOHTTP);
}

#[test]
fn node_ws_cleans_without_a_close_where_the_application_does_it() {
    cleans(&NODE_WITH_README);
}

/// One run: what was said of it, and what the gateway itself says when it ended the silent ones.
struct Trial {
    report: RunReport,
    /// The times that were measured, and the gateway's own, from its first ping to the end; sorted, in seconds.
    measured: Vec<f64>,
    own: Vec<f64>,
}

impl Cleaner {
    fn start(&self) -> Program {
        Program::gateway(self.script, &[self.options, &["--stamps"]].concat())
    }

    fn trial(&self, settings: &str) -> Trial {
        let gateway = self.start();
        let report = run_once(&config(&gateway.url("ws"), "zombie", settings));
        let mut measured = samples(&report, "gateprobe_zombie_cleanup_seconds", &["mute"]);
        measured.sort_by(f64::total_cmp);
        Trial { report, measured, own: self.own_times(&gateway.end()) }
    }

    /// Of those that were pinged once and then let go of in the gateway's way. Who answers is pinged again.
    fn own_times(&self, stamps: &str) -> Vec<f64> {
        let mut clients: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
        for line in stamps.lines() {
            if let [word, client, at] = line.split(' ').collect::<Vec<_>>()[..]
                && let Ok(nanos) = at.parse::<u64>()
            {
                clients.entry(client).or_default().push((word, nanos as f64 / 1e9));
            }
        }
        let last = if self.by == CLOSE { "CLOSE" } else { "END" };
        let silent = clients.values().filter_map(|events| match events[..] {
            [("PING", pinged), (word, at), ..] if word == last => Some(at - pinged),
            _ => None,
        });
        let mut times: Vec<f64> = silent.collect();
        times.sort_by(f64::total_cmp);
        times
    }
}

/// The time is as promised, but for what the gateway itself was late; the rest of the verdict is told as it was.
fn cleans(cleaner: &Cleaner) {
    let promise = (1e3 * cleaner.promise).round();
    let settings = format!(
        "zombies: {ZOMBIES}, tolerance: 500ms, window: {{ earliest: {promise}ms, latest: {promise}ms }}"
    );
    let mut told = Vec::new();
    for _ in 0..ATTEMPTS {
        let trial = cleaner.trial(&settings);
        if disturbed(&trial.report) {
            told.push(trial.report.detail.clone());
            continue;
        }
        assert_how(cleaner, &trial);
        let lateness = median(&trial.own) - cleaner.promise;
        assert!(lateness > -0.002, "the gateway itself was early: {:?}", trial.own);
        // A run in which we were late has no times.
        if let [.., _] = trial.measured[..] {
            let error = median(&trial.measured) - cleaner.promise;
            told.push(format!(
                "{:+.1} ms from the promise, the gateway {:+.1} ms",
                1e3 * error,
                1e3 * lateness
            ));
            if error > -EXACT && error < EXACT + lateness {
                println!("{}: {}", cleaner.script, told.join("; "));
                return;
            }
        }
    }
    panic!("{}: never within {EXACT} s: {told:#?}", cleaner.script);
}

fn assert_how(cleaner: &Cleaner, trial: &Trial) {
    let (report, (by, told)) = (&trial.report, cleaner.by);
    let detail = &report.detail;
    assert_eq!(words(report), "pass", "{detail}; its own times: {:?}", trial.own);
    assert_eq!(trial.own.len(), ZOMBIES, "the gateway's own stamps: {:?}", trial.own);
    assert_eq!(count(report, "gateprobe_zombies_total", &["mute", "cleaned"]), ZOMBIES as f64);
    assert_eq!(count(report, "gateprobe_zombie_evictions_total", &["mute", by]), ZOMBIES as f64, "{detail}");
    assert_eq!(count(report, "gateprobe_false_evictions_total", &[]), 0.0);
    let codes = samples(report, "gateprobe_last_zombie_close_code", &["mute"]);
    assert!(codes.iter().all(|code| *code == 1011.0), "{codes:?}");
    assert_eq!(!codes.is_empty(), cleaner.by == CLOSE);
    let said = format!("after the first heartbeat that it left unanswered ({told})");
    assert!(detail.contains(&said) && detail.contains(&format!("{ZOMBIES} of {ZOMBIES} mute")), "{detail}");
    assert!(detail.contains("one that answered again was kept"), "{detail}");
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

#[test]
fn node_ws_leaks_by_any_clock() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let leaks = |window: &str, told: &str| {
        let settings = format!("tolerance: 400ms, beat_within: 600ms, window: {{ {window}, latest: 1s }}");
        let report = run(&config(&gateway.url("ws"), "zombie", &settings));
        let detail = &report.detail;
        assert_eq!(words(&report), "fail zombie_leaked", "{detail}");
        assert!(detail.contains("was still there") && detail.contains(told), "{detail}");
        assert!(detail.contains("confirmed by a second run"), "{detail}");
        assert_eq!(count(&report, "gateprobe_zombies_total", &["mute", "leaked"]), 1.0);
        assert!(samples(&report, "gateprobe_zombie_cleanup_seconds", &["mute"]).is_empty());
    };
    leaks("origin: unanswered_beat", "after it had gone silent; 1s is promised");
    leaks("origin: last_client_data", "after its last data; 1s is promised");
}

#[test]
fn node_ws_leaks_by_the_promise_of_the_command_line() {
    let gateway = Program::node("node_ws.mjs", &["--heartbeat", "0.5", "--keep"]);
    let told = check_url_with(&gateway.url("ws"), &["--check", "zombie", "--zombie-window", "2s"]);
    let run = told.expect(1, "fail zombie_leaked");
    let detail = run["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("after the first heartbeat that it left unanswered; 2s is promised"), "{detail}");
    let gateway = WEBSOCKETS.start();
    let told = check_url_with(&gateway.url("ws"), &["--check", "zombie", "--zombie-window", "2s"]);
    told.expect(0, "pass");
}

#[test]
fn without_a_promise_nobody_is_accused_and_the_time_is_told() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let report = run(&config(&gateway.url("ws"), "zombie", "watch: 1500ms"));
    let detail = &report.detail;
    assert_eq!(words(&report), "unsupported promise", "{detail}");
    assert!(detail.contains("0 of 1 mute: still there after 1.5"), "{detail}");
    assert!(samples(&report, "gateprobe_zombie_cleanup_seconds", &["mute"]).is_empty());

    let gateway = WEBSOCKETS.start();
    let times = |report: &RunReport| samples(report, "gateprobe_zombie_cleanup_seconds", &["mute"]);
    // What a late machine measured is not kept: again.
    let mut trials = (0..5).map(|_| run(&config(&gateway.url("ws"), "zombie", "watch: 4s")));
    let report = trials.find(|report| !times(report).is_empty()).expect("a time");
    let detail = &report.detail;
    assert_eq!(words(&report), "unsupported promise", "{detail}");
    assert!(detail.contains("1 of 1 mute: let go of 1"), "{detail}");
    assert!(detail.contains("after the first heartbeat that it left unanswered (Close 1011)"), "{detail}");
    let times = times(&report);
    assert!(matches!(times[..], [time] if (1.15..2.0).contains(&time)), "{times:?}");
}

#[test]
fn another_promise_than_the_gateway_keeps_is_told_as_broken() {
    let gateway = WEBSOCKETS.start();
    let check = |window: &str| {
        let settings = format!("tolerance: 200ms, recovery: false, window: {{ {window} }}");
        run(&config(&gateway.url("ws"), "zombie", &settings))
    };
    // It takes 1.2 s.
    let late = check("latest: 800ms");
    assert_eq!(words(&late), "fail zombie_leaked", "{}", late.detail);
    let early = check("earliest: 1600ms, latest: 3s");
    assert_eq!(words(&early), "fail evicted_early", "{}", early.detail);
    assert!(early.detail.contains("not before 1.6s is promised"), "{}", early.detail);
}
