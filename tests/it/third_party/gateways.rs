//! WebSocket libraries and nginx: what passes, and what does not.

use serde_json::Value;

use crate::support::certificate::Certificate;
use crate::support::check::{Checked, check_config, check_url, events, phases};
use crate::support::folder;
use crate::support::program::{ClosedPort, Program};

#[test]
fn python_websockets_passes_and_its_faults_are_named() {
    // It ends the connection without a word on what is not HTTP.
    right_and_wrong("python_websockets.py", "tls_closed");
}

#[test]
fn python_aiohttp_passes_and_its_faults_are_named() {
    right_and_wrong("python_aiohttp.py", "tls_protocol");
}

#[test]
fn python_uvicorn_passes_and_its_faults_are_named() {
    right_and_wrong("python_uvicorn.py", "tls_protocol");
}

#[test]
fn node_ws_passes_and_its_faults_are_named() {
    right_and_wrong("node_ws.mjs", "tls_protocol");
}

/// `no_tls`: what comes of TLS towards the gateway's plain port.
fn right_and_wrong(script: &str, no_tls: &str) {
    let gateway = Program::gateway(script, &["--subprotocol", "chat.v2"]);
    let passed = check_url(&gateway.url("ws"));
    let run = passed.expect(0, "pass");
    assert_eq!(phases(run)[..], ["budget", "tcp", "upgrade", "session", "close"], "{run:#}");
    assert_polite(run);
    subprotocols(&gateway);
    check_url(&gateway.url("wss")).expect(1, &format!("fail {no_tls}"));

    let folder = folder();
    let certificate = Certificate::new(folder.path(), &["127.0.0.1"]);
    let secured = Program::gateway(script, &certificate.options());
    check_url(&secured.url("wss")).expect(1, "fail tls_untrusted");
    let trusted = check_trusting(&secured.url("wss"), &certificate);
    let run = trusted.expect(0, "pass");
    assert_eq!(phases(run)[..], ["budget", "tcp", "tls", "upgrade", "session", "close"], "{run:#}");
    assert_eq!(events(run, "tls_up")[0]["version"], "TLSv1.3", "{run:#}");
    assert_polite(run);

    let port = gateway.port;
    drop(gateway);
    let _closed = ClosedPort::of(port);
    check_url(&format!("ws://127.0.0.1:{port}/")).expect(1, "fail connect_refused");
}

/// The gateway selects the first of ours that it knows; one that knows none fails only where that is required.
fn subprotocols(gateway: &Program) {
    let offering = |offered: &str, required: bool| {
        let url = gateway.url("ws");
        check_config(&format!(
            "targets: {{ chat: {{ url: '{url}', subprotocols: [{offered}], \
             checks: {{ handshake: {{ require_subprotocol: {required} }} }} }} }}"
        ))
    };
    offering("chat.v3, chat.v2", true).expect(0, "pass");
    offering("chat.v3", false).expect(0, "pass");
    offering("chat.v3", true).expect(1, "fail subprotocol_mismatch");
}

#[test]
fn a_certificate_for_another_name_is_no_certificate_for_this_one() {
    let folder = folder();
    let certificate = Certificate::new(folder.path(), &["gateway.test"]);
    let gateway = Program::python("python_websockets.py", &certificate.options());
    check_trusting(&gateway.url("wss"), &certificate).expect(1, "fail tls_wrong_name");
    let ca = certificate.ca.display();
    let by_name = check_config(&format!(
        "targets: {{ chat: {{ url: '{}', tls: {{ ca_file: '{ca}', server_name: gateway.test }} }} }}",
        gateway.url("wss")
    ));
    by_name.expect(0, "pass");
}

#[test]
fn a_path_that_the_gateway_does_not_know_is_not_found() {
    let gateway = Program::python("python_aiohttp.py", &["--path", "/socket"]);
    let base = gateway.url("ws");
    check_url(&format!("{base}socket")).expect(0, "pass");
    let checked = check_url(&format!("{base}sockets"));
    let run = checked.expect(1, "fail not_found");
    assert_eq!(events(run, "http")[0]["status"], 404, "{run:#}");
    assert!(run["detail"].as_str().is_some_and(|detail| detail.contains("404")), "{run:#}");
}

#[test]
fn nginx_passes_what_is_behind_it_and_is_unavailable_when_nothing_is() {
    let folder = folder();
    let certificate = Certificate::new(folder.path(), &["127.0.0.1"]);
    let backend = Program::node("node_ws.mjs", &[]);
    let upstream = backend.address();
    let plain = Program::python("nginx.py", &["--upstream", &upstream]);
    let [cert, certificate_file, key, key_file] = certificate.options();
    let options = ["--upstream", &upstream, cert, certificate_file, key, key_file];
    let secured = Program::python("nginx.py", &options);
    assert_polite(check_url(&plain.url("ws")).expect(0, "pass"));
    assert_polite(check_trusting(&secured.url("wss"), &certificate).expect(0, "pass"));
    check_url(&secured.url("wss")).expect(1, "fail tls_untrusted");
    // Where nginx itself answers, by 204.
    check_url(&format!("{}.nginx-is-ready", plain.url("ws"))).expect(1, "fail not_upgraded");

    let port = backend.port;
    drop(backend);
    let _closed = ClosedPort::of(port);
    let down = check_url(&plain.url("ws"));
    let run = down.expect(1, "fail unavailable");
    assert_eq!(events(run, "http")[0]["status"], 502, "{run:#}");
    check_trusting(&secured.url("wss"), &certificate).expect(1, "fail unavailable");
}

fn check_trusting(url: &str, certificate: &Certificate) -> Checked {
    let ca = certificate.ca.display();
    check_config(&format!("targets: {{ chat: {{ url: '{url}', tls: {{ ca_file: '{ca}' }} }} }}"))
}

/// Let in by 101, and parted from by one Close frame each way.
fn assert_polite(run: &Value) {
    assert_eq!(events(run, "http")[0]["status"], 101, "{run:#}");
    let frames = events(run, "frame");
    let closes: Vec<(&str, u64)> = frames
        .iter()
        .filter(|frame| frame["kind"] == "close")
        .map(|frame| (frame["from"].as_str().expect("a side"), frame["code"].as_u64().expect("a code")))
        .collect();
    assert_eq!(closes, [("us", 1000), ("gateway", 1000)], "{run:#}");
}
