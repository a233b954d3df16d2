//! What the program tells those who use it for the first time, and make a mistake.

use std::net::TcpListener;

use crate::support::binary::{finish, gateprobe};
use crate::support::folder;

/// Exit code, standard output and standard error of a command in an empty folder.
fn said(args: &[&str]) -> (i32, String, String) {
    let folder = folder();
    finish(
        gateprobe(args).current_dir(folder.path()).env("GATEPROBE__LAG_BOUND", "10s").output().expect("runs"),
    )
}

#[test]
fn a_gateway_that_accepts_and_says_nothing_did_connect() {
    // The kernel accepts.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    let (exit, out, err) = said(&["check", &url, "--check", "heartbeat"]);
    assert_eq!(exit, 3, "{out}{err}");
    assert!(out.contains("could not connect (upgrade_timeout): connected, but the upgrade request"), "{out}");
    assert!(!out.contains("connect_timeout") && out.contains("connected to 127.0.0.1"), "{out}");
}

#[test]
fn a_wrong_path_on_the_command_line_is_told_once() {
    for option in ["--token-file", "--ca-file"] {
        for command in [
            ["check", "wss://127.0.0.1:1/", option, "nope"].as_slice(),
            &["dialect", "try", "json", "wss://127.0.0.1:1/", option, "nope"],
        ] {
            let (exit, out, err) = said(command);
            assert_eq!((exit, out.as_str()), (2, ""), "{command:?}: {err}");
            assert!(err.starts_with(&format!("command line: {option}: nope can't be read: ")), "{err}");
            assert_eq!(err.lines().count(), 1, "{err}");
        }
    }
}

#[test]
fn a_missing_config_and_a_mistyped_url_are_told_with_what_to_write() {
    let (exit, _, err) = said(&["run"]);
    assert!(exit == 2 && err.starts_with("gateprobe run: there is no gateprobe.yaml here"), "{err}");
    let (exit, _, err) = said(&["check", "wss:/127.0.0.1:9000/ws"]);
    assert!(exit == 2 && err.contains("such as wss://127.0.0.1:9000/ws;"), "{err}");
    let (exit, _, err) = said(&["check", "wsss://127.0.0.1:9000/ws"]);
    assert!(exit == 2 && err.starts_with("command line: URL: "), "{err}");
    assert!(err.contains("did you mean \"wss://127.0.0.1:9000/ws\"?"), "{err}");
}
