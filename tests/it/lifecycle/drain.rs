//! How the agent ends, step by step, and how runs that it cuts short leave.

use gateprobe::gateway::EventKind;

use super::{about, config, runs, start};
use crate::support::binary::{Agent, Followed, eventually};
use crate::support::folder;
use crate::support::neighbour::Gateway;

fn goodbyes(gateway: &Gateway, code: u16) -> Vec<f64> {
    gateway.times(|kind| *kind == EventKind::CloseReceived { code: Some(code) })
}

/// Waits for the end of the agent and of its log.
fn ended(agent: &mut Agent, log: &Followed) -> String {
    assert_eq!(agent.wait(), Some(0));
    eventually("the last line", || (log.count("\"ended") == 1).then(|| log.all()))
}

/// A gateway that lets in and says nothing, where a message is awaited: the run is in an open session.
const LISTENING: &str = "{handshake: {interval: 12s, timeout: 12s, first_message: {kind: text, within: 8s}}}";

fn sessions(gateway: &Gateway) -> usize {
    gateway.times(|kind| *kind == EventKind::Upgraded).len()
}

/// The line of a log with this text: which, and when.
fn step(log: &str, text: &str) -> (usize, jiff::Timestamp) {
    let found = log.lines().enumerate().find(|(_, line)| line.contains(text));
    let (number, line) = found.unwrap_or_else(|| panic!("no {text:?} in {log}"));
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    (number, line["timestamp"].as_str().expect("a time").parse().expect("a time"))
}

#[test]
fn an_end_in_order() {
    let folder = folder();
    let [held, listening] = [(); 2].map(|()| Gateway::with(&[]));
    let hold =
        "interval: 6s, timeout: 6s, watch: 200ms, back_within: 1s, connect_timeout: 2s, pong_timeout: 2s";
    let text = format!(
        "targets:\n  \
           held: {{url: {}, checks: {{handshake: {{enabled: false}}, hold: {{{hold}, every: 300ms}}}}}}\n  \
           listening: {{url: {}, checks: {LISTENING}}}\n\
         shutdown: {{drain_grace: 3s}}\n",
        held.url(),
        listening.url(),
    );
    let (mut agent, log) = start(folder.path(), &text);
    let log = log.follow();
    let two = "gateprobe_held_connections{check=\"hold\",target=\"held\"}";
    eventually("two held", || (agent.metric(two) == Some(2.0)).then_some(()));
    let before = sessions(&listening);
    eventually("a run that has just begun", || (sessions(&listening) > before).then_some(()));
    agent.signal("TERM");
    eventually("not ready", || (agent.get("/readyz").0 == 503).then_some(()));
    let log = ended(&mut agent, &log);
    assert_eq!((sessions(&held), sessions(&listening)), (2, before + 1), "new connections: {log}");
    // What is held need not wait for the runs of others; what is cut says goodbye as well. A gateway on a busy machine
    // may read it a moment after the agent has gone.
    let said = || (goodbyes(&held, 1000), goodbyes(&listening, 1001));
    let (held, cut) =
        eventually("every goodbye", || Some(said()).filter(|(held, cut)| (held.len(), cut.len()) == (2, 1)));
    assert!(held.iter().all(|held| held < &cut[0]), "{held:?} {cut:?}");
    let steps =
        ["draining for at most 3s", "cut short", "agent_shutdown", "\"ended"].map(|text| step(&log, text));
    assert!(steps.is_sorted(), "{log}");
    // Much beyond the grace, for a machine that is slow, and much less than the run would have taken.
    let took = steps[3].1.duration_since(steps[0].1);
    assert!(took.as_secs_f64() <= 6.0, "took {took:#}");
}

#[test]
fn a_resolver_that_never_answers_delays_no_end() {
    let folder = folder();
    let resolver = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let slow = "checks: {handshake: {interval: 20s, timeout: 20s}}";
    let text = format!(
        "resolver: {{servers: ['{}']}}\n\
         targets: {{nameless: {{url: 'ws://gw.example.com/', {slow}}}}}\n\
         shutdown: {{drain_grace: 1s}}\n",
        resolver.local_addr().expect("its address"),
    );
    let (mut agent, log) = start(folder.path(), &text);
    let log = log.follow();
    resolver.recv_from(&mut [0; 512]).expect("a question");
    agent.signal("TERM");
    let log = ended(&mut agent, &log);
    let last = about(&log, "nameless").pop().expect("a report");
    assert_eq!(last["reason"], "agent_shutdown", "{last}");
    let took = step(&log, "\"ended").1.duration_since(step(&log, "draining").1);
    assert!(took.as_secs_f64() <= 6.0, "took {took:#}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let (folder, silent) = (folder(), Gateway::with(&["upgrade_silent"]));
    let slow = "checks: {handshake: {interval: 20s, timeout: 20s}}";
    let text =
        format!("targets: {{silent: {{url: {}, {slow}}}}}\nshutdown: {{drain_grace: 1h}}\n", silent.url());
    let (mut agent, log) = start(folder.path(), &text);
    let log = log.follow();
    let asked = || silent.times(|kind| *kind == EventKind::RequestRead).len();
    eventually("a run in progress", || (asked() > 0).then_some(()));
    agent.signal("TERM");
    eventually("draining", || (log.count("draining for at most") == 1).then_some(()));
    agent.signal("INT");
    assert!(ended(&mut agent, &log).contains("ended by a second signal"));
}

#[test]
fn a_run_that_a_reload_takes_away_leaves_politely_and_counts_for_nothing() {
    let folder = folder();
    let [listening, kept] = [(); 2].map(|()| Gateway::with(&[]));
    let every = "{interval: 1s, timeout: 1s, close_timeout: 500ms}";
    let kept = format!("targets:\n  kept: {{url: {}, checks: {{handshake: {every}}}}}\n", kept.url());
    let with =
        |more: &str| format!("{kept}  chat: {{url: {}, {more}checks: {LISTENING}}}\n", listening.url());
    let (agent, log) = start(folder.path(), &with(""));
    let log = log.follow();
    for (number, next) in [(1, with("labels: {team: chat}, ")), (2, kept.clone())] {
        eventually("an open session", || (sessions(&listening) == number).then_some(()));
        config(folder.path(), &next);
        assert_eq!(agent.post("/-/reload").0, 200);
        eventually("a goodbye", || (goodbyes(&listening, 1001).len() == number).then_some(()));
    }
    super::until_runs(&agent, "kept", "pass", runs(&agent, "kept", "pass") + 2.0);
    let (_, metrics) = agent.get("/metrics");
    assert!(!metrics.contains("target=\"chat\""), "{metrics}");
    let told = about(&log.all(), "chat");
    assert!(told.is_empty(), "{told:#?}");
}
