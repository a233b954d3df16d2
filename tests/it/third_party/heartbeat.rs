//! Pings that other people's gateways answer, and the heartbeat of their own.

use gateprobe::model::RunReport;

use crate::support::program::Program;
use crate::support::session::{config, count, run, samples};
use crate::support::words;

/// Twenty pings, and two beats of a gateway that beats each second.
const BEATING: &str = "pings: 20, every: 50ms, pong_timeout: 2s, server: { pings: 1s, tolerance: 500ms }";

#[test]
fn python_websockets_keeps_its_beat() {
    beats("python_websockets.py", &["--ping-interval", "1", "--ping-timeout", "1"], BEATING);
}

#[test]
fn python_uvicorn_keeps_its_beat() {
    beats("python_uvicorn.py", &["--ping-interval", "1", "--ping-timeout", "1"], BEATING);
}

#[test]
fn python_uvicorn_on_the_older_protocol_keeps_its_beat() {
    let options = ["--ping-interval", "1", "--ping-timeout", "1", "--ws", "websockets"];
    beats("python_uvicorn.py", &options, BEATING);
}

#[test]
fn node_ws_keeps_the_beat_of_its_application() {
    beats("node_ws.mjs", &["--heartbeat", "1"], BEATING);
}

#[test]
fn python_aiohttp_keeps_its_beat() {
    // It pings only when it has heard nothing for so long: pings on that connection would put off its own.
    beats(
        "python_aiohttp.py",
        &["--heartbeat", "1"],
        "pings: 20, every: 200ms, server: { pings: 1s, tolerance: 500ms }",
    );
}

#[test]
fn a_gateway_that_never_pings_breaks_a_promise_that_is_none_of_its_own() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let missing = run(&config(&gateway.url("ws"), "heartbeat", BEATING));
    assert_eq!(words(&missing), "fail beat_missing", "{}", missing.detail);
    let nothing_promised = "pings: 20, every: 10ms, levels: [protocol]";
    assert_pongs(&run(&config(&gateway.url("ws"), "heartbeat", nothing_promised)), 20.0);
}

fn beats(script: &str, options: &[&str], settings: &str) {
    let gateway = Program::gateway(script, options);
    let report = run(&config(&gateway.url("ws"), "heartbeat", settings));
    assert_pongs(&report, 20.0);
    let detail = &report.detail;
    assert!(detail.contains("the gateway's protocol heartbeat came every"), "{detail}");
    let interval = samples(&report, "gateprobe_last_heartbeat_server_interval_seconds", &["protocol"]);
    // None where the machine was late.
    assert!(interval.iter().all(|interval| (0.5..1.5).contains(interval)), "{interval:?}");
}

/// Each ping was answered once and rightly, in a time that two processes of one machine may need.
fn assert_pongs(report: &RunReport, pings: f64) {
    assert_eq!(words(report), "pass", "{}", report.detail);
    let told = |result| count(report, "gateprobe_heartbeat_pings_total", &["protocol", result]);
    let told = ["answered", "lost", "superseded", "duplicated", "mismatched"].map(told);
    assert_eq!(told, [pings, 0.0, 0.0, 0.0, 0.0], "{}", report.detail);
    for rtt in samples(report, "gateprobe_heartbeat_rtt_seconds", &["protocol"]) {
        assert!((5e-6..2.0).contains(&rtt), "{rtt}");
    }
    if let [median] = samples(report, "gateprobe_last_heartbeat_rtt_seconds", &["protocol", "p50"])[..] {
        println!("p50 {:.0} µs; {}", 1e6 * median, report.detail);
        assert!(median < 0.05, "{median}");
    }
}
