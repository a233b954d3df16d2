//! What the program tells those who use it for the first time, and make a mistake.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use gateprobe::gateway::{Settings, TlsSettings, Token};

use crate::support::binary::{finish, gateprobe};
use crate::support::neighbour::Gateway;
use crate::support::raw_server::{serve, upgrade};
use crate::support::{folder, write};

const SECOND: Duration = Duration::from_secs(1);

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

/// A gateway by hand: after the 101 it sends these bytes, reads on, and says no more.
fn says(bytes: &'static [u8]) -> String {
    serve(move |mut stream| {
        upgrade(&mut stream)?;
        stream.write_all(bytes)?;
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    })
}

#[test]
fn who_is_let_in_without_a_token_is_so_behind_an_illegal_beginning_too() {
    // Whoever shows a token is treated well: its Close is answered.
    let url = serve(|mut stream| {
        let stranger = !upgrade(&mut stream)?.to_lowercase().contains("authorization:");
        if stranger {
            stream.write_all(b"H")?;
            return std::io::copy(&mut stream, &mut std::io::sink()).map(drop);
        }
        let mut frame = [0; 8];
        stream.read_exact(&mut frame)?;
        stream.write_all(&[0x88, 2, 0x03, 0xe8])
    });
    let folder = folder();
    let token = write(folder.path(), "token", "a-token-of-the-test");
    let check = "{ handshake: { expect: { no_token_refused: true, refusal_timeout: 300ms } } }";
    let text = format!(
        "targets: {{ chat: {{ url: '{url}', auth: {{ token: {{ file: {token:?} }} }}, checks: {check} }} }}"
    );
    let config = write(folder.path(), "gateprobe.yaml", text);
    let (exit, out, err) = said(&["check", "--config", config.to_str().expect("UTF-8")]);
    assert!(exit == 1 && out.starts_with("FAIL token_not_required"), "{out}{err}");
}

#[test]
fn bytes_that_can_begin_no_frame_are_told_though_none_is_ever_whole() {
    for (bytes, why) in [
        (b"\xff\xff\xff\xffgarbage".as_slice(), "the frame is masked"),
        (b"\x83", "opcode 3 is reserved"),
        (b"\xc1\x7e", "reserved bits are set"),
        (b"\x09\x05ab", "a fragmented control frame"),
    ] {
        for check in ["handshake", "heartbeat"] {
            let (exit, out, err) = said(&["check", &says(bytes), "--check", check]);
            assert!(exit == 1 && out.starts_with("FAIL protocol_violation"), "{check} {why}: {out}{err}");
            assert!(out.contains(&format!("broke RFC 6455 ({why}")), "{check} {why}: {out}");
        }
    }
    // Told once: who waits for the end behind a Close hears that time is up, too.
    for check in ["flapping", "hold"] {
        let (exit, out, err) = said(&["check", &says(b"\x88\x02\x03\xe8H"), "--check", check]);
        assert!(exit == 1 && !out.contains("time-out"), "{check}: {out}{err}");
    }
    let (_, out, _) = said(&["check", &says(b"\x81\x05ab"), "--check", "handshake"]);
    assert!(out.starts_with("FAIL frame_stalled"), "so far it is legal: {out}");
}

#[test]
fn the_first_tls_handshake_of_a_process_is_no_slower_than_its_others() {
    let folder = folder();
    let tls = TlsSettings::SelfMade { names: vec!["127.0.0.1".into()] };
    let gateway = Gateway::start(Settings { tls: Some(tls), ..Settings::default() });
    let ca = write(folder.path(), "ca.pem", gateway.ca_pem().expect("an authority"));
    let check = |checks: &[&str]| {
        let args = ["check", &gateway.url(), "--ca-file", ca.to_str().expect("UTF-8"), "--output", "json"];
        let (exit, out, err) = said(&[&args[..], checks].concat());
        assert_eq!(exit, 0, "{out}{err}");
        serde_json::from_str::<serde_json::Value>(&out).expect("JSON")
    };
    let tls = |run: &serde_json::Value| {
        let phases = run["phases"].as_array().expect("phases").iter();
        let tls =
            phases.filter(|phase| phase["phase"] == "tls").map(|phase| phase["duration_seconds"].as_f64());
        tls.collect::<Option<Vec<f64>>>().expect("a number")
    };
    let least = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let first = least((0..5).flat_map(|_| tls(&check(&["--check", "handshake"])[0])).collect());
    // One connection after the other, in one process.
    let many = check(&["--check", "flapping"]);
    let times = tls(&many[0]);
    assert!(times.len() >= 10, "{many}");
    let usual = least(times);
    assert!(first < usual * 5.0, "the first takes {first} s, others {usual} s");
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
fn an_option_of_a_check_that_does_not_run_is_no_check_that_passed() {
    let gateway = Gateway::start(Settings::default());
    for (option, check) in [(&["--zombie-window", "5s"][..], "zombie"), (&["--caution"], "malformed")] {
        let url = gateway.url();
        let args = [&["check", &url, "--check", "handshake"], option].concat();
        let (exit, out, err) = said(&args);
        assert!(exit == 2 && out.is_empty() && err.contains(&format!("add --check {check}")), "{out}{err}");
    }
    let promised =
        Settings { heartbeat_interval: Some(SECOND), heartbeat_timeout: SECOND, ..Settings::default() };
    let gateway = Gateway::start(promised);
    let (exit, out, err) = said(&["check", &gateway.url(), "--zombie-window", "3s"]);
    assert!(exit == 0 && out.lines().any(|line| line.contains("zombie")), "{out}{err}");
}

#[test]
fn a_token_goes_where_the_gateway_wants_it() {
    let token = Token::new("a-token-of-the-test");
    let gateway = Gateway::start(Settings { token, ..Settings::default() });
    let folder = folder();
    let file = write(folder.path(), "token", "a-token-of-the-test");
    let file = file.to_str().expect("UTF-8");
    let check = |place: &[&str]| {
        let (url, rest) = (gateway.url(), ["--check", "handshake", "--token-file", file]);
        said(&[&["check", &url][..], &rest, place].concat())
    };
    for place in [&[][..], &["--token-place", "query:access_token"]] {
        let (exit, out, err) = check(place);
        assert!(exit == 0 && !out.contains("a-token") && !err.contains("a-token"), "{place:?}: {out}{err}");
    }
    let (exit, out, _) = check(&["--token-place", "query:token"]);
    assert!(exit == 1 && out.contains("a token was sent in the query, as `token`"), "{out}");
    assert!(out.contains("--token-place for a URL"), "{out}");
    let (exit, _, err) = check(&["--token-place", "body:token"]);
    assert!(exit == 2 && err.contains("query:access_token"), "{err}");
    let (exit, _, err) = check(&["--token-place", "first_message:no place"]);
    assert!(exit == 2 && err.starts_with("command line: --token-place"), "{err}");
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
