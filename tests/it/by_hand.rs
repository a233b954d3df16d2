//! Gateways written by hand, down to the bytes: what no library answers, and what many do.

use std::io::Write;
use std::net::TcpStream;

use gateprobe::model::{EventKind, RunReport, Side};

use crate::support::raw_server::{accepted, close, frame, head, serve, small, until_close, value};
use crate::support::session::{AMPLE, config, run};
use crate::support::words;

const APP: &str = "https://app.example.com";

/// A run of one check by a client that says that it is the app, in a header of its own.
fn run_as_app(url: &str, check: &str) -> RunReport {
    run(&format!(
        "targets: {{ chat: {{ url: '{url}', headers: {{ ORIGIN: '{APP}' }}, {AMPLE}, checks: {{ {check} }} }} }}"
    ))
}

/// Upgrades, and answers a Close by the same code.
fn welcome(mut stream: TcpStream, head: &str) -> std::io::Result<()> {
    stream.write_all(accepted(head)?.as_bytes())?;
    until_close(&mut stream)?;
    stream.write_all(&close(1000))
}

/// Lets in who comes from the app, and nobody else, not even who does not say where from.
fn checks_origin(mut stream: TcpStream) -> std::io::Result<()> {
    let head = head(&mut stream)?;
    match value(&head, "origin") {
        Some(APP) if head.to_lowercase().matches("\norigin:").count() == 1 => welcome(stream, &head),
        _ => stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    }
}

fn ignores_origin(mut stream: TcpStream) -> std::io::Result<()> {
    let head = head(&mut stream)?;
    welcome(stream, &head)
}

const EXPECTED: &str = "handshake: { expect: { foreign_origin: refused, refusal_timeout: 300ms } }";
const VECTOR: &str =
    "malformed: { vectors: [origin_foreign], foreign_origin: true, every: 10ms, within: 300ms }";

#[test]
fn a_foreign_origin_takes_the_place_of_the_targets_own() {
    let (checks, ignores) = (serve(checks_origin), serve(ignores_origin));
    for (check, accused) in [(EXPECTED, "fail origin_not_checked"), (VECTOR, "fail malformed_accepted")] {
        let report = run_as_app(&checks, check);
        assert_eq!(words(&report), "pass", "{}", report.detail);
        let report = run_as_app(&ignores, check);
        assert_eq!(words(&report), accused, "{}", report.detail);
    }
}

#[test]
fn a_close_of_any_code_that_may_be_sent_answers_ours() {
    let closed_by = |code: u16| {
        let url = serve(move |mut stream| {
            let head = head(&mut stream)?;
            stream.write_all(accepted(&head)?.as_bytes())?;
            until_close(&mut stream)?;
            stream.write_all(&close(code))
        });
        run(&config(&url, "handshake", ""))
    };
    for code in [1001, 1002, 1003, 1008, 1011, 1012, 1013, 3000, 4000, 4999] {
        let report = closed_by(code);
        assert_eq!(words(&report), "pass", "{code}: {}", report.detail);
        let told = format!(", our Close was answered by code {code}");
        assert!(report.detail.ends_with(&told), "{}", report.detail);
        let remark = EventKind::Note { text: format!("our Close was answered by code {code}") };
        assert!(report.timeline.events.iter().any(|event| event.kind == remark), "{:?}", report.timeline);
    }
    let echo = closed_by(1000);
    assert!(words(&echo) == "pass" && !echo.detail.contains("answered by"), "{}", echo.detail);
    for code in [0, 999, 1005, 1006, 1015, 5000] {
        let report = closed_by(code);
        assert_eq!(words(&report), "fail protocol_violation", "{code}: {}", report.detail);
    }
}

#[test]
fn who_leaves_the_end_of_tcp_to_us_passes_and_is_told() {
    let url = serve(|mut stream| {
        let head = head(&mut stream)?;
        stream.write_all(accepted(&head)?.as_bytes())?;
        until_close(&mut stream)?;
        stream.write_all(&close(1000))?;
        std::io::copy(&mut stream, &mut std::io::sink()).map(|_| ())
    });
    let report = run(&config(&url, "handshake", ""));
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert!(report.detail.contains(", the gateway left it to us to end TCP, for "), "{}", report.detail);
}

#[test]
fn a_close_that_came_before_ours_answers_nothing() {
    for (code, accused) in [(1000, "closed_early"), (4000, "closed_early"), (1013, "unavailable")] {
        let url = serve(move |mut stream| {
            let head = head(&mut stream)?;
            // In one write, so that it is one read.
            stream.write_all(&[accepted(&head)?.as_bytes(), &close(code)].concat())?;
            until_close(&mut stream)
        });
        let report = run(&config(&url, "handshake", ""));
        assert_eq!(words(&report), format!("fail {accused}"), "{}", report.detail);
        let place = |wanted: fn(&EventKind) -> bool| {
            let place = report.timeline.events.iter().position(|event| wanted(&event.kind));
            place.unwrap_or_else(|| panic!("{:?}", report.timeline))
        };
        let status = place(|kind| matches!(kind, EventKind::Http { status: 101 }));
        let frame = place(|kind| matches!(kind, EventKind::Frame { from: Side::Gateway, .. }));
        assert!(status < frame, "the frame came with the 101, not before it: {:?}", report.timeline);
    }
}

/// What a 101 says, and what is found.
type Answer = (fn(String) -> String, &'static str, &'static str);

/// None of them is taken by Chromium, Python's websockets and npm's ws alike.
const REFUSED: [Answer; 8] = [
    (doubled_accept, "bad_accept", "Sec-WebSocket-Accept stands there more than once"),
    (|said| with(&said, "Upgrade: websocket"), "bad_upgrade_headers", "Upgrade stands there more than once"),
    (
        |said| said.replace(": websocket", ": h2c, websocket"),
        "bad_upgrade_headers",
        "Upgrade names more than websocket",
    ),
    (
        |said| with(&said, "Sec-WebSocket-Protocol:"),
        "subprotocol_mismatch",
        "Sec-WebSocket-Protocol is empty",
    ),
    (
        |said| with(&said, "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat"),
        "subprotocol_mismatch",
        "Sec-WebSocket-Protocol stands there more than once",
    ),
    (
        |said| with(&said, "Sec-WebSocket-Protocol: x"),
        "subprotocol_mismatch",
        "a subprotocol that was not offered",
    ),
    (
        |said| with(&said, "Sec-WebSocket-Extensions:"),
        "unsolicited_extension",
        "Sec-WebSocket-Extensions is empty",
    ),
    (
        |said| with(&said, "Sec-WebSocket-Extensions: x-own"),
        "unsolicited_extension",
        "an extension that was not offered",
    ),
];

/// The answer with one more line.
fn with(said: &str, line: &str) -> String {
    said.replacen("\r\n", &format!("\r\n{line}\r\n"), 1)
}

fn doubled_accept(said: String) -> String {
    let accept = said.lines().find(|line| line.starts_with("Sec-WebSocket-Accept")).unwrap_or_default();
    with(&said, accept)
}

fn run_answered_by(change: fn(String) -> String) -> RunReport {
    let url = serve(move |mut stream| {
        let head = head(&mut stream)?;
        stream.write_all(change(accepted(&head)?).as_bytes())?;
        until_close(&mut stream)?;
        stream.write_all(&close(1000))
    });
    run(&config(&url, "handshake", ""))
}

#[test]
fn a_101_that_clients_refuse_is_no_pass() {
    for (change, reason, named) in REFUSED {
        let report = run_answered_by(change);
        assert_eq!(words(&report), format!("fail {reason}"), "{named}: {}", report.detail);
        assert_eq!(report.detail, format!("the 101 breaks RFC 6455: {named}"));
    }
    // RFC 9112, section 2.2: a recipient may take a line feed alone for the end of a line.
    let report = run_answered_by(|said| said.replace("\r\n", "\n"));
    assert_eq!(words(&report), "pass", "{}", report.detail);
}

#[test]
fn only_who_was_answered_is_said_to_have_been() {
    let run_against = |last: Vec<u8>, pings: bool| {
        let url = serve(move |mut stream| {
            let head = head(&mut stream)?;
            stream.write_all(accepted(&head)?.as_bytes())?;
            if pings {
                stream.write_all(&small(0x89, b"?"))?;
                while frame(&mut stream)?.0 != 10 {}
            }
            stream.write_all(&last)?;
            until_close(&mut stream)
        });
        run(&config(&url, "heartbeat", ""))
    };
    let (illegal, goodbye) = (small(0x81, &[0xFF]), close(1011));
    for (last, pings, outcome, told) in [
        (&illegal, false, "fail protocol_violation", "(text that is not UTF-8) in an open session"),
        (&illegal, true, "fail protocol_violation", "(text that is not UTF-8) in an open session"),
        (&goodbye, false, "fail session_closed", "closed with code 1011 in an open session"),
        (&goodbye, true, "fail session_closed", "closed with code 1011 although it had been answered"),
    ] {
        let report = run_against(last.clone(), pings);
        assert_eq!(words(&report), outcome, "{}", report.detail);
        assert!(report.detail.ends_with(told), "{}", report.detail);
    }
}

#[test]
fn who_showed_no_credential_was_not_refused_for_it() {
    let url = serve(checks_origin);
    let report = run(&config(&url, "handshake", ""));
    assert_eq!(words(&report), "fail unauthorized", "{}", report.detail);
    assert_eq!(report.detail, "status 403 instead of 101, to a request without a credential");
}
