//! The output for people.

use crate::support::binary::run;
use crate::support::program::{ClosedPort, Program};

#[test]
fn a_pass_is_two_lines_and_more_only_on_demand() {
    let gateway = Program::python("python_websockets.py", &[]);
    let (exit, text, errors) = run(&["check", &gateway.url("ws"), "--check", "handshake"]);
    assert_eq!((exit, errors.as_str()), (0, ""), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let head = format!("PASS  127-0-0-1-{} handshake  (", gateway.port);
    assert!(lines.len() == 2 && lines[0].starts_with(&head), "{text}");
    assert!(lines[1].contains("tcp ") && lines[1].contains("upgrade "), "{text}");
    let (exit, text, _) = run(&["check", &gateway.url("ws"), "--check", "handshake", "--verbose"]);
    let told = ["-- tcp", "-- upgrade", "<- HTTP 101", "-> close", "<- close", "code 1000", "end: pass"];
    assert_eq!((exit, in_order(&text, &told)), (0, None), "{text}");
}

#[test]
fn a_failure_says_what_it_means_and_shows_how_it_came_about() {
    let closed = ClosedPort::any();
    let nginx = Program::python("nginx.py", &["--upstream", &closed.address()]);
    let (exit, text, errors) = run(&["check", &nginx.url("ws"), "--check", "handshake"]);
    let address = nginx.address();
    let told = [
        "FAIL unavailable  127-0-0-1-",
        "the gateway, or the balancer in front of it, has no capacity or no backend",
        "502",
        "-- tcp",
        &format!("connecting to {address}"),
        &format!("connected to {address}"),
        "-- upgrade",
        "<- HTTP 502",
        "end: fail (unavailable)",
    ];
    assert_eq!((exit, errors.as_str(), in_order(&text, &told)), (1, "", None), "{text}");
    let (exit, text, _) = run(&["check", &format!("ws://{}/", closed.address()), "--check", "handshake"]);
    let told = ["FAIL connect_refused", "nothing listens", "refused", "end: fail (connect_refused)"];
    assert_eq!((exit, in_order(&text, &told)), (1, None), "{text}");
}

#[test]
fn what_is_inconclusive_is_told_as_such() {
    let proxy = Program::python("connect_proxy.py", &["--user", "me"]);
    let folder = crate::support::folder();
    let yaml = format!(
        "targets: {{ chat: {{ url: 'ws://127.0.0.1:9/', proxy: {{ url: 'http://{}' }} }} }}",
        proxy.address()
    );
    let config = crate::support::write(folder.path(), "gateprobe.yaml", yaml);
    let (exit, text, _) = run(&["check", "chat", "--config", config.to_str().expect("UTF-8")]);
    let told = ["INCONCLUSIVE proxy_unavailable  chat handshake", "407", "-- proxy", "end: inconclusive"];
    assert_eq!((exit, in_order(&text, &told)), (3, None), "{text}");
}

/// The first of the texts that does not come after those before it.
fn in_order<'a>(text: &str, told: &[&'a str]) -> Option<&'a str> {
    let mut rest = text;
    told.iter().copied().find(|told| match rest.split_once(told) {
        Some((_, after)) => {
            rest = after;
            false
        }
        None => true,
    })
}
