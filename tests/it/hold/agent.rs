//! Held connections as the agent has them: what a reload leaves alone, and how all are let go.

use std::time::Duration;

use gateprobe::gateway::{EventKind, Settings};

use crate::support::binary::{Agent, eventually};
use crate::support::neighbour::Gateway;
use crate::support::{folder, write};

fn config(kept: &Gateway, changing: &Gateway, every: &str) -> String {
    let common =
        "interval: 6s, timeout: 6s, watch: 200ms, back_within: 1s, connect_timeout: 2s, pong_timeout: 2s";
    format!(
        "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json, level: debug}}\nlag_bound: 10s\n\
         watch_config: false\n\
         targets:\n  \
           kept: {{url: {}, checks: {{handshake: {{enabled: false}}, hold: {{{common}, every: 300ms}}}}}}\n  \
           changing: {{url: {}, checks: {{handshake: {{enabled: false}}, hold: {{{common}, every: {every}}}}}}}\n",
        kept.url(),
        changing.url(),
    )
}

fn goodbyes(gateway: &Gateway) -> usize {
    gateway.times(|kind| *kind == EventKind::CloseReceived { code: Some(1000) }).len()
}

fn held(agent: &Agent, target: &str) -> Option<f64> {
    agent.metric(&format!("gateprobe_held_connections{{check=\"hold\",target=\"{target}\"}}"))
}

#[test]
fn a_reload_keeps_the_connections_of_unchanged_jobs_and_a_drain_says_goodbye() {
    let folder = folder();
    let [kept, changing] = [(); 2].map(|()| Gateway::with(&[]));
    let file = write(folder.path(), "gateprobe.yaml", config(&kept, &changing, "300ms"));
    let (mut agent, log) = Agent::start(&file);
    let log = log.collect();
    for (name, gateway) in [("kept", &kept), ("changing", &changing)] {
        eventually(&format!("two held by {name}"), || (held(&agent, name) == Some(2.0)).then_some(()));
        assert_eq!((gateway.open_connections(), gateway.accepted()), (2, 2));
    }

    write(folder.path(), "gateprobe.yaml", config(&kept, &changing, "400ms"));
    let (status, summary) = agent.post("/-/reload");
    assert_eq!(status, 200, "{summary}");
    assert!(summary.contains("1 unchanged") && summary.contains("1 changed"), "{summary}");
    eventually("a goodbye of what changed", || (goodbyes(&changing) == 2).then_some(()));
    eventually("two new ones", || {
        (changing.accepted() == 4 && changing.open_connections() == 2).then_some(())
    });
    assert_eq!((kept.open_connections(), kept.accepted(), goodbyes(&kept)), (2, 2, 0));

    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
    assert_eq!((goodbyes(&kept), goodbyes(&changing)), (2, 4));
    let log = log.join().expect("a log");
    assert!(!log.contains("\"failing") && !log.contains("\"fail\""), "{log}");
}

/// A gateway is right to throw out a client that answers nothing for seconds.
#[test]
fn an_agent_that_was_frozen_between_its_runs_accuses_nobody() {
    let folder = folder();
    let gateway = Gateway::start(Settings {
        heartbeat_interval: Some(Duration::from_millis(300)),
        heartbeat_timeout: Duration::from_secs(3),
        ..Settings::default()
    });
    let hold = "interval: 6s, timeout: 6s, watch: 200ms, back_within: 1s, connect_timeout: 2s, pong_timeout: 2s, every: 300ms";
    let checks = format!("checks: {{handshake: {{enabled: false}}, hold: {{{hold}}}}}");
    let text = format!(
        "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json, level: debug}}\n\
         targets: {{chat: {{url: {}, {checks}}}}}\n",
        gateway.url()
    );
    let (agent, log) = Agent::start(&write(folder.path(), "gateprobe.yaml", text));
    let log = log.collect();
    eventually("two held", || (held(&agent, "chat") == Some(2.0)).then_some(()));
    agent.signal("STOP");
    let missed = |kind: &EventKind| matches!(kind, EventKind::HeartbeatMissed { .. });
    eventually("the gateway's patience ends", || (gateway.times(missed).len() >= 2).then_some(()));
    agent.signal("CONT");
    let ended = "gateprobe_hold_ends_total{by=\"gateway\",check=\"hold\",class=\"closed\",target=\"chat\"}";
    eventually("both ends told", || (agent.metric(ended) >= Some(2.0)).then_some(()));
    let runs = |outcome: &str| {
        let labels = format!("{{check=\"hold\",outcome=\"{outcome}\",target=\"chat\"}}");
        agent.metric(&format!("gateprobe_check_runs_total{labels}"))
    };
    assert_eq!(runs("fail"), Some(0.0));
    let lag = "gateprobe_check_inconclusive_total{cause=\"agent_lag\",check=\"hold\",target=\"chat\"}";
    assert!(agent.metric(lag) >= Some(1.0), "{:?}", runs("inconclusive"));
    drop(agent);
    log.join().expect("a log");
}
