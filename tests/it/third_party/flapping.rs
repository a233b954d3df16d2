//! Clients that come and go, at gateways that nobody here wrote; one tells of itself by Prometheus' own client library.

use serde_json::Value;

use crate::support::check::{Checked, check_config};
use crate::support::program::Program;

fn check(gateway: &Program, observe: &str) -> Checked {
    check_config(&format!(
        "targets: {{ chat: {{ url: '{}', budget: {{ connections_per_second: 100 }}{observe}, checks: {{ flapping: {{ \
         cycles: 12, hold: 20ms, gap: 20ms, clients: 3, client_cycles: 5, settle: 2s, drift: {{ least: 1s }} }} }} }} }}",
        gateway.url("ws")
    ))
}

#[test]
fn python_aiohttp_lets_everybody_in_again() {
    check(&Program::python("python_aiohttp.py", &[]), "").expect(0, "pass");
}

#[test]
fn python_uvicorn_lets_everybody_in_again() {
    check(&Program::python("python_uvicorn.py", &[]), "").expect(0, "pass");
}

#[test]
fn node_ws_lets_everybody_in_again() {
    check(&Program::node("node_ws.mjs", &[]), "").expect(0, "pass");
}

#[test]
fn what_the_gateways_own_metrics_endpoint_tells_is_read() {
    let observed = |options: &[&str], exclusive: bool| {
        let gateway = Program::python("python_websockets.py", options);
        let url = format!("http://127.0.0.1:{}/metrics", gateway.more_ports[0]);
        let observe = format!(
            ", observe: {{ url: '{url}', sessions: 'gateway_sessions_open{{pool=\"a\"}}', \
             memory: process_resident_memory_bytes, exclusive: {exclusive} }}"
        );
        check(&gateway, &observe)
    };
    let healthy = observed(&["--metrics"], true);
    let run = healthy.expect(0, "pass");
    assert!(detail(run).contains("by its own account it had 1 sessions, "), "{run:#}");
    let leaking = observed(&["--metrics", "--leak"], true);
    let run = leaking.expect(1, "fail sessions_leaked");
    assert!(detail(run).contains("the gateway counts 28 sessions more than before"), "{run:#}");
    assert!(detail(run).contains("sessions_leaked confirmed by a second run"), "{run:#}");
    // Others may have come meanwhile: it is only told.
    let shared = observed(&["--metrics", "--leak"], false);
    let run = shared.expect(0, "pass");
    assert!(detail(run).contains("29 sessions"), "{run:#}");
}

fn detail(run: &Value) -> &str {
    run["detail"].as_str().expect("a text")
}
