//! What is said of small mistakes: what was asked for, what there is, and what to write instead.

use std::net::TcpListener;
use std::path::Path;

use crate::support::binary::{Agent, eventually, finish, gateprobe};
use crate::support::neighbour::Closed;
use crate::support::reference::Reference;
use crate::support::{folder, write};

/// Exit code, standard output and standard error of a command in a folder.
fn said_in(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = gateprobe(args);
    finish(command.current_dir(folder).envs(variables.iter().copied()).output().expect("runs"))
}

fn said(args: &[&str]) -> (i32, String, String) {
    said_in(folder().path(), args, &[])
}

/// An agent with two targets that nobody answers for.
fn agent(folder: &Path) -> Agent {
    let text = "http: { listen: '127.0.0.1:0' }\nlog: { format: json }\n\
                targets: { good: { url: 'ws://127.0.0.1:9/' }, other: { url: 'ws://127.0.0.1:9/' } }\n";
    let (agent, mut log) = Agent::start(&write(folder, "gateprobe.yaml", text));
    log.until(|line| line.contains("failing"));
    agent
}

#[test]
fn a_port_that_is_taken_can_be_another() {
    let folder = folder();
    write(folder.path(), "gateprobe.yaml", "targets: { chat: { url: 'ws://127.0.0.1:9/' } }\n");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (exit, _, err) = said_in(folder.path(), &["run"], &[("GATEPROBE__HTTP__LISTEN", &address)]);
    assert_eq!(exit, 4, "{err}");
    assert!(err.contains(&format!("gateprobe: {address}: Address already in use")), "{err}");
    assert!(err.contains("http.listen in the config") && err.contains("GATEPROBE__HTTP__LISTEN"), "{err}");
}

#[test]
fn who_does_not_answer_is_named() {
    let closed = Closed::on("127.0.0.1");
    let nobody = closed.address;
    let url = format!("http://{nobody}/?k=s3cr3t");
    for (args, told) in [
        (["pause", "good", "--agent", &url].as_slice(), "--agent"),
        (&["resume", "good", "--agent", &url], "--agent"),
        (&["ready", &url], "gateprobe ready URL"),
    ] {
        let (exit, _, err) = said(args);
        assert_eq!(exit, 1, "{args:?}: {err}");
        let start = format!("gateprobe {}: no agent answers at http://{nobody}/?***", args[0]);
        assert!(err.starts_with(&start) && err.contains("connection refused") && err.contains(told), "{err}");
        assert!(!err.contains("s3cr3t"), "{err}");
    }
}

#[test]
fn a_target_or_check_that_is_not_there_is_named_beside_those_that_are() {
    let folder = folder();
    let agent = agent(folder.path());
    let at = format!("http://{}", agent.address);
    let (exit, _, err) = said(&["pause", "god", "--agent", &at]);
    let told = "the config in force has no target \"god\"; did you mean \"good\"? It has: good, other";
    assert_eq!((exit, err.trim_end()), (1, format!("gateprobe pause: {told}").as_str()));
    let (exit, _, err) = said(&["resume", "good", "handshakes", "--agent", &at]);
    let of_check =
        "the target \"good\" has no check \"handshakes\"; did you mean \"handshake\"? It has: handshake";
    assert_eq!((exit, err.trim_end()), (1, format!("gateprobe resume: {of_check}").as_str()));
    let (status, text) = agent.post("/api/v1/targets/god/checks/handshake/run");
    assert!(status == 404 && text.contains("no target \\\"god\\\"; did you mean"), "{text}");
    let (status, text) = agent.get("/api/v1/targets/good/checks/hold");
    assert!(status == 404 && text.contains("the target \\\"good\\\" has no check \\\"hold\\\""), "{text}");
}

#[test]
fn no_config_at_all_is_told_as_such() {
    for args in
        [["config", "check"].as_slice(), &["config", "show"], &["config", "check", "--output", "json"]]
    {
        let (exit, out, err) = said(args);
        let told = format!("{out}{err}");
        assert!(exit == 2 && told.contains("there is no gateprobe.yaml here"), "{args:?}: {told}");
        let variable = ("GATEPROBE__TARGETS__CHAT__URL", "wss://chat.example.com/");
        let (exit, _, err) = said_in(folder().path(), args, &[variable]);
        assert_eq!(exit, 0, "{args:?}: {err}");
    }
}

#[test]
fn the_environment_alone_is_a_config() {
    let gateway = Reference::start(&[]);
    let folder = folder();
    let variables = [
        ("GATEPROBE__TARGETS__CHAT__URL", format!("ws://{}/", gateway.address())),
        ("GATEPROBE__HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ("GATEPROBE__LOG__FORMAT", "json".to_owned()),
    ];
    let mut command = gateprobe(&["run"]);
    command.current_dir(folder.path()).envs(variables.iter().map(|(name, value)| (name, value)));
    let (agent, _log) = Agent::started_by(command);
    let passed = "gateprobe_check_runs_total{check=\"handshake\",outcome=\"pass\",target=\"chat\"}";
    eventually("a run that passed", || agent.metric(passed).filter(|runs| *runs >= 1.0));
    let named: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (exit, out, err) = said_in(folder.path(), &["check", "chat"], &named);
    assert!(exit == 0 && out.contains("chat"), "{out}{err}");
}

#[test]
fn links_of_alerts_are_addresses() {
    for option in ["--runbooks", "--dashboards"] {
        for wrong in ["foo", "docs/runbooks", "ftp://wiki/x", "http:///x", "javascript:x"] {
            let (exit, out, err) = said(&["rules", option, wrong]);
            assert!(exit == 2 && out.is_empty(), "{wrong}: {exit} {err}");
            assert!(err.contains("https://"), "what is allowed: {err}");
        }
        let (exit, out, err) = said(&["rules", option, "https://wiki.example.com/a/"]);
        assert!(exit == 0 && out.contains("'https://wiki.example.com/a/"), "{err}");
    }
}

#[test]
fn a_reload_tells_of_new_oddities_only() {
    let folder = folder();
    write(folder.path(), "token", "x");
    let text = |targets: &str| {
        format!(
            "http: {{ listen: '127.0.0.1:0' }}\nlog: {{ format: json }}\nwatch_config: false\ntargets: {{ {targets} }}\n"
        )
    };
    let odd = |name: &str| {
        format!("{name}: {{ url: 'ws://127.0.0.1:9/', pause: [{{ until: '2000-01-02T00:00:00Z' }}] }}")
    };
    let config = write(folder.path(), "gateprobe.yaml", text(&odd("a")));
    let (mut agent, mut log) = Agent::start(&config);
    let failing = log.until(|line| line.contains("failing"));
    assert!(!failing.contains("\"peer\""), "what there is none of is left out: {failing}");
    // The old one has moved down by a line.
    std::fs::write(&config, format!("# moved\n{}", text(&format!("{}, {}", odd("a"), odd("b")))))
        .expect("written");
    let (status, told) = agent.post("/-/reload");
    assert!(status == 200 && told.contains("targets.a.pause") && told.contains("targets.b.pause"), "{told}");
    agent.signal("TERM");
    agent.wait();
    let log = log.rest();
    assert_eq!(log.matches("targets.a.pause").count(), 0, "told at the start, and not again: {log}");
    assert_eq!(log.matches("targets.b.pause").count(), 1, "{log}");
}
