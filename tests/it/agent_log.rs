//! The agent's log, as what reads it sees it.

use std::collections::BTreeMap;

use crate::support::binary::{Agent, eventually, value};
use crate::support::program::ClosedPort;
use crate::support::{folder, write};

fn agent() -> (Agent, crate::support::binary::LogLines, ClosedPort) {
    let (folder, closed) = (folder(), ClosedPort::any());
    let text = format!(
        "http: {{ listen: '127.0.0.1:0' }}\n\
         log: {{ format: json }}\n\
         targets: {{ chat: {{ url: 'ws://{}/', checks: {{ handshake: {{ interval: 1s, timeout: 1s, \
         close_timeout: 500ms }} }} }} }}\n",
        closed.address()
    );
    let (agent, log) = Agent::start(&write(folder.path(), "gateprobe.yaml", text));
    (agent, log, closed)
}

#[test]
fn a_log_that_nobody_reads_stops_no_check() {
    let (mut agent, log, _closed) = agent();
    drop(log);
    let failed = "gateprobe_check_runs_total{check=\"handshake\",outcome=\"fail\",target=\"chat\"}";
    eventually("runs after the line that could not be written", || {
        let (_, text) = agent.get("/metrics");
        (value(&text, failed)? >= 3.0).then_some(())
    });
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
}

#[test]
fn a_json_line_names_its_target_once() {
    let (_agent, mut log, _closed) = agent();
    let line = log.until(|line| line.contains("connect_refused"));
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(&line).expect("an object");
    assert_eq!(fields["target"], "chat", "{line}");
    assert_eq!(fields["check"], "handshake", "{line}");
    assert_eq!(fields["level"], "WARN", "{line}");
    for field in fields.keys() {
        assert_eq!(line.matches(&format!("\"{field}\":")).count(), 1, "{line}");
    }
}
