//! The agent as a process: how it starts, reloads, leaves paused targets alone, keeps to budgets, and ends.

mod drain;
mod kubelet;
mod reload;
mod shards;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gateprobe::gateway::{EventKind, FaultKind, Settings};
use serde_json::Value;

use crate::support::binary::{self, Agent, LogLines, eventually, value};
use crate::support::neighbour::{Closed, Gateway};
use crate::support::{folder, write};

/// What every config of these tests begins with. A slow machine is not what they are about, and the time of a reload is
/// theirs to choose.
const AGENT: &str =
    "http: {listen: '127.0.0.1:0'}\nlog: {format: json, level: debug}\nlag_bound: 10s\nwatch_config: false\n";

fn config(folder: &Path, rest: &str) -> PathBuf {
    write(folder, "gateprobe.yaml", format!("{AGENT}{rest}"))
}

fn start(folder: &Path, rest: &str) -> (Agent, LogLines) {
    Agent::start(&config(folder, rest))
}

fn runs(agent: &Agent, target: &str, outcome: &str) -> f64 {
    let labels = format!("{{check=\"handshake\",outcome=\"{outcome}\",target=\"{target}\"}}");
    agent.metric(&format!("gateprobe_check_runs_total{labels}")).unwrap_or_default()
}

fn skipped(agent: &Agent, target: &str, reason: &str) -> f64 {
    let labels = format!("{{check=\"handshake\",reason=\"{reason}\",target=\"{target}\"}}");
    agent.metric(&format!("gateprobe_check_skipped_total{labels}")).expect("exists from the start")
}

fn until_runs(agent: &Agent, target: &str, outcome: &str, wanted: f64) {
    eventually(&format!("{wanted} runs of {target} with {outcome}"), || {
        (runs(agent, target, outcome) >= wanted).then_some(())
    });
}

/// The log lines about a target, as JSON.
fn about(log: &str, target: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == target).collect()
}

#[test]
fn a_broken_config_is_told_whole_before_any_port_is_bound() {
    let folder = folder();
    let gateway = Gateway::with(&[]);
    // An agent that bound its port first would complain of this one.
    let taken = Closed::on("127.0.0.1").address;
    let file = write(
        folder.path(),
        "gateprobe.yaml",
        format!(
            "http: {{listen: '{taken}'}}\n\
             contct: ops@example.com\n\
             targets:\n  \
               chat: {{url: {}, checks: {{handshake: {{interval: 10}}}}}}\n  \
               orders: {{url: ftp://gw.example.com/}}\n",
            gateway.url()
        ),
    );
    let file = file.to_str().expect("UTF-8");
    let (code, out, err) = binary::run(&["run", "--config", file]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    for (line, field) in
        [(2, "contct"), (4, "targets.chat.checks.handshake.interval"), (5, "targets.orders.url")]
    {
        let told =
            err.lines().any(|told| told.starts_with(&format!("{file}:{line}:")) && told.contains(field));
        assert!(told, "nothing about {field}:\n{err}");
    }
    assert_eq!(err.lines().count(), 3, "{err}");
    assert_eq!(gateway.accepted(), 0);
}

#[test]
fn a_taken_port_is_the_agents_own_error() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let text = format!("http: {{listen: '{address}'}}\ntargets: {{chat: {{url: ws://127.0.0.1:1/}}}}\n");
    let file = write(folder.path(), "gateprobe.yaml", text);
    let (code, _, err) = binary::run(&["run", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains(&address.to_string()), "{err}");
}

#[test]
fn a_started_agent_lives_and_is_ready() {
    let (folder, gateway) = (folder(), Gateway::with(&[]));
    let (mut agent, log) = start(folder.path(), &format!("targets: {{chat: {{url: {}}}}}\n", gateway.url()));
    let log = log.collect();
    assert_eq!(agent.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(agent.get("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(agent.get("/readyz?verbose"), (200, "1 job of 1 target\nok\n".to_owned()));
    agent.signal("INT");
    assert_eq!(agent.wait(), Some(0));
    log.join().expect("a log");
}

#[test]
fn a_run_in_progress_is_finished_within_the_grace() {
    let folder = folder();
    let [slow, quick] = [Gateway::with(&["upgrade_delay=4s"]), Gateway::with(&[])];
    let (mut agent, log) = start(
        folder.path(),
        &format!(
            "targets:\n  \
               slow: {{url: {}, checks: {{handshake: {{interval: 9s, timeout: 9s}}}}}}\n  \
               quick: {{url: {}, checks: {{handshake: {{interval: 2s, timeout: 2s, close_timeout: 1s}}}}}}\n\
             shutdown: {{drain_grace: 30s}}\n",
            slow.url(),
            quick.url()
        ),
    );
    let log = log.collect();
    until_runs(&agent, "quick", "pass", 1.0);
    let requests = || slow.times(|kind| *kind == EventKind::RequestRead).len();
    let before = requests();
    eventually("a run that has just begun", || (requests() > before).then_some(()));
    agent.signal("TERM");
    eventually("not ready", || {
        let (status, text) = agent.get("/readyz?verbose");
        (status == 503).then(|| assert!(text.contains("draining"), "{text}"))
    });
    assert_eq!(agent.get("/livez").0, 200);
    assert_eq!(agent.wait(), Some(0));
    let log = log.join().expect("a log");
    // What the gateway saw: whole conversations, to the polite end, and no new one.
    let farewells = slow.times(|kind| matches!(kind, EventKind::CloseReceived { code: Some(1000) })).len();
    assert_eq!((requests(), farewells), (before + 1, before + 1), "{log}");
    let last = about(&log, "slow").pop().expect("a report");
    assert_eq!(last["outcome"], "pass", "{last}");
    // One of `quick` may have been in progress too. Another one would have followed after two seconds, while
    // `slow` was awaited.
    let draining = log.lines().position(|line| line.contains("draining for at most")).expect("says so");
    let after: Vec<&str> = log.lines().skip(draining).collect();
    assert!(about(&after.join("\n"), "quick").len() <= 1, "new runs while draining: {log}");
}

/// The last request that the gateway has read is not answered yet.
fn in_progress(gateway: &Gateway) -> bool {
    let last = |wanted: fn(&EventKind) -> bool| gateway.times(wanted).len();
    last(|kind| *kind == EventKind::RequestRead) > last(|kind| *kind == EventKind::Upgraded)
}

#[test]
fn a_run_that_outlasts_the_grace_is_cut_and_accuses_nobody() {
    let (folder, gateway) = (folder(), Gateway::with(&["upgrade_silent"]));
    let (mut agent, log) = start(
        folder.path(),
        &format!(
            "targets: {{slow: {{url: {}, checks: {{handshake: {{interval: 20s, timeout: 20s}}}}}}}}\n\
             shutdown: {{drain_grace: 500ms}}\n",
            gateway.url()
        ),
    );
    let log = log.collect();
    eventually("a run in progress", || in_progress(&gateway).then_some(()));
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
    let last = about(&log.join().expect("a log"), "slow").pop().expect("a report");
    assert_eq!(last["reason"], "agent_shutdown", "{last}");
}

#[test]
fn a_paused_target_is_left_alone_and_that_is_counted() {
    let folder = folder();
    let [paused, watched] = [(); 2].map(|()| Gateway::with(&[]));
    let (agent, log) = start(
        folder.path(),
        &format!(
            "defaults: {{checks: {{handshake: {{interval: 1s, timeout: 1s, close_timeout: 500ms}}}}}}\n\
             targets:\n  \
               paused: {{url: {}, pause: [{{until: 2999-01-01T00:00:00Z}}]}}\n  \
               watched: {{url: {}}}\n",
            paused.url(),
            watched.url()
        ),
    );
    let log = log.collect();
    eventually("three ticks in the pause", || (skipped(&agent, "paused", "paused") >= 3.0).then_some(()));
    until_runs(&agent, "watched", "pass", 2.0);
    assert_eq!(paused.accepted(), 0);
    for outcome in ["pass", "fail", "inconclusive"] {
        assert_eq!(runs(&agent, "paused", outcome), 0.0);
    }
    for (target, flag) in [("paused", 1.0), ("watched", 0.0)] {
        assert_eq!(agent.metric(&format!("gateprobe_target_paused{{target=\"{target}\"}}")), Some(flag));
    }
    assert_eq!(skipped(&agent, "watched", "paused"), 0.0);
    drop(agent);
    log.join().expect("a log");
}

#[test]
fn a_budget_of_one_connection_is_never_exceeded() {
    assert_eq!(most_at_once(1), 1);
    // Or the count would find nothing.
    assert!(most_at_once(10) > 1);
}

/// Lets five probes and the schedule loose on a gateway that keeps each for a while: the most connections
/// at once. One counts from its acceptance to the Close of our side, which is well within what the budget
/// grants it.
fn most_at_once(connections: u32) -> usize {
    let folder = folder();
    let faults =
        vec!["hello_delay=300ms".parse().expect("a fault"), "close_delay=100ms".parse().expect("a fault")];
    let gateway = Gateway::start(Settings { hello: Some("hi".into()), faults, ..Settings::default() });
    let check = "{handshake: {interval: 15s, timeout: 15s, first_message: {kind: text}}}";
    let (agent, log) = start(
        folder.path(),
        &format!(
            "targets: {{chat: {{url: {}, budget: {{connections: {connections}, connections_per_second: 100}}, checks: {check}}}}}\n\
             modules: {{ws: {{checks: {{handshake: {{timeout: 15s, first_message: {{kind: text}}}}}}, allow: {{hosts: [none.example]}}}}}}\n",
            gateway.url()
        ),
    );
    let log = log.collect();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let (status, text) = agent.get("/probe?module=ws&target=chat");
                assert_eq!((status, value(&text, "probe_success")), (200, Some(1.0)), "{text}");
            });
        }
    });
    drop(agent);
    log.join().expect("a log");
    let mut open = std::collections::HashSet::new();
    let mut most = 0;
    for event in gateway.events(0) {
        match event.kind {
            EventKind::Accepted => {
                open.insert(event.connection);
            }
            EventKind::CloseReceived { .. } | EventKind::TcpClosed { .. } => {
                open.remove(&event.connection);
            }
            _ => {}
        }
        most = most.max(open.len());
    }
    most
}

#[test]
fn a_failing_target_is_a_warning_once_and_healed_once() {
    let (folder, gateway) = (folder(), Gateway::with(&["upgrade_status=503"]));
    let every = "{interval: 1s, timeout: 1s, close_timeout: 500ms}";
    let rest = format!("targets: {{chat: {{url: {}, checks: {{handshake: {every}}}}}}}\n", gateway.url());
    let (agent, log) = start(folder.path(), &rest);
    let log = log.collect();
    let began = Instant::now();
    until_runs(&agent, "chat", "fail", 3.0);
    assert!(began.elapsed() > Duration::from_secs(1), "three runs in less than two intervals");
    gateway.clear_fault(FaultKind::UpgradeStatus);
    until_runs(&agent, "chat", "pass", 2.0);
    gateway.set_fault("upgrade_status=404".parse().expect("a fault")).expect("a fault");
    let failed = runs(&agent, "chat", "fail");
    until_runs(&agent, "chat", "fail", failed + 2.0);
    drop(agent);
    let told = about(&log.join().expect("a log"), "chat");
    let loud: Vec<(&str, Option<&str>)> = told
        .iter()
        .filter(|line| line["level"] != "DEBUG")
        .map(|line| (line["level"].as_str().expect("a level"), line["reason"].as_str()))
        .collect();
    assert_eq!(
        loud,
        [("WARN", Some("unavailable")), ("INFO", None), ("WARN", Some("not_found"))],
        "{told:#?}"
    );
    assert!(told.len() > loud.len(), "and each run at debug");
}
