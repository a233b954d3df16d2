//! What a reload changes, and what it leaves alone.

use gateprobe::gateway::{EventKind, Settings, TlsSettings};

use super::{config, runs, skipped, start, until_runs};
use crate::support::binary::{Agent, eventually, value};
use crate::support::neighbour::Gateway;
use crate::support::{folder, write};

/// Two seconds leave a slow machine a whole second to be late in.
const EVERY: &str = "{interval: 2s, timeout: 2s, close_timeout: 500ms}";

fn three(kept: &Gateway, changing: &str, gone: Option<&Gateway>, every: &str) -> String {
    let gone = gone.map(|gateway| format!("  gone: {{url: {}}}\n", gateway.url())).unwrap_or_default();
    format!(
        "defaults: {{checks: {{handshake: {EVERY}}}}}\n\
         targets:\n  \
           kept: {{url: {}}}\n  \
           changing: {{url: {changing}, checks: {{handshake: {{interval: {every}}}}}}}\n{gone}",
        kept.url()
    )
}

pub fn reloads(agent: &Agent, result: &str) -> f64 {
    let series = format!("gateprobe_agent_config_reloads_total{{result=\"{result}\"}}");
    agent.metric(&series).expect("exists from the start")
}

#[test]
fn a_reload_leaves_alone_what_is_the_same_and_follows_what_changed() {
    let folder = folder();
    let [kept, before, after, gone] = [(); 4].map(|()| Gateway::with(&[]));
    let (agent, log) = start(folder.path(), &three(&kept, &before.url(), Some(&gone), "2s"));
    let log = log.collect();
    for target in ["kept", "changing", "gone"] {
        until_runs(&agent, target, "pass", 1.0);
    }
    assert!(agent.get("/metrics").1.contains("target=\"gone\""));

    // The same file again, by both ways: nothing may notice.
    let (status, summary) = agent.post("/-/reload");
    assert_eq!(status, 200);
    assert!(summary.contains("3 unchanged"), "{summary}");
    let loaded = reloads(&agent, "success");
    agent.signal("HUP");
    eventually("a reload by SIGHUP", || (reloads(&agent, "success") > loaded).then_some(()));
    let passed = runs(&agent, "kept", "pass");
    assert!(passed >= 1.0, "the counters began again");

    config(folder.path(), &three(&kept, &after.url(), None, "3s"));
    let (status, summary) = agent.post("/-/reload");
    assert_eq!(status, 200, "{summary}");
    for part in ["1 unchanged", "1 changed", "1 removed"] {
        assert!(summary.contains(part), "no {part:?}: {summary}");
    }
    let (left, dropped) = (before.accepted(), gone.accepted());
    until_runs(&agent, "kept", "pass", runs(&agent, "kept", "pass") + 3.0);
    eventually("two visits of the new address", || (after.accepted() >= 2).then_some(()));
    // One may have been on its way; jobs that went on would have been there twice by now.
    for (gateway, then) in [(&before, left), (&gone, dropped)] {
        assert!(gateway.accepted() <= then + 1, "an old address was visited again");
    }
    let (_, metrics) = agent.get("/metrics");
    assert!(!metrics.contains("target=\"gone\""), "a removed target still has series");
    let interval = "gateprobe_check_interval_seconds{check=\"handshake\",target=\"changing\"}";
    assert_eq!(value(&metrics, interval), Some(3.0));

    held_its_schedule(&agent, &kept);
    drop(agent);
    log.join().expect("a log");
}

/// No run skipped, none repeated: the visits, by the gateway's own clock, are one interval apart.
pub fn held_its_schedule(agent: &Agent, gateway: &Gateway) {
    let visits = gateway.times(|kind| *kind == EventKind::Accepted);
    let gaps: Vec<f64> = visits.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap > 1.0), "a run was repeated: {gaps:?}");
    let ticks: f64 = gaps.iter().map(|gap| (gap / 2.0).round()).sum();
    let overrun = skipped(agent, "kept", "overrun");
    assert!(ticks - gaps.len() as f64 <= overrun, "runs were skipped, {overrun} of them counted: {gaps:?}");
}

#[test]
fn a_reload_reads_the_authorities_anew() {
    let folder = folder();
    let tls = || Settings { tls: Some(TlsSettings::loopback()), ..Settings::default() };
    let [gateway, other] = [(); 2].map(|()| Gateway::start(tls()));
    let trust =
        |gateway: &Gateway| write(folder.path(), "ca.pem", gateway.ca_pem().expect("its own authority"));
    let ca = trust(&other);
    let target = format!("url: {}, tls: {{ca_file: {ca:?}}}, checks: {{handshake: {EVERY}}}", gateway.url());
    let (agent, log) = start(folder.path(), &format!("targets: {{chat: {{{target}}}}}\n"));
    let log = log.collect();
    until_runs(&agent, "chat", "fail", 1.0);
    trust(&gateway);
    let (status, summary) = agent.post("/-/reload");
    assert_eq!(status, 200);
    assert!(summary.contains("1 changed"), "{summary}");
    until_runs(&agent, "chat", "pass", 1.0);
    drop(agent);
    log.join().expect("a log");
}

#[test]
fn a_bad_config_keeps_the_old_one_and_says_why_everywhere() {
    let (folder, gateway) = (folder(), Gateway::with(&[]));
    let good = format!("targets: {{chat: {{url: {}, checks: {{handshake: {EVERY}}}}}}}\n", gateway.url());
    let (agent, mut log) = start(folder.path(), &good);
    const IN_FORCE: &str = "gateprobe_agent_config_last_reload_success";
    assert_eq!(agent.metric(IN_FORCE), Some(1.0));

    config(folder.path(), &format!("{good}contct: ops@example.com\n"));
    agent.signal("HUP");
    let line = log.until(|line| line.contains("\"ERROR\""));
    assert!(line.contains("the old one stays in force") && line.contains("contct"), "{line}");
    assert_eq!((reloads(&agent, "success"), reloads(&agent, "failure")), (1.0, 1.0));
    let (status, told) = agent.post("/-/reload");
    assert_eq!(status, 400);
    assert!(told.contains("gateprobe.yaml:6:1: contct: no such field"), "{told}");
    assert_eq!(reloads(&agent, "failure"), 2.0);
    assert_eq!(agent.metric(IN_FORCE), Some(0.0));
    let (status, told) = agent.get("/readyz?verbose");
    assert_eq!(status, 200, "an agent that works must not be restarted");
    assert!(told.contains("contct") && told.contains("an older one is in force"), "{told}");
    until_runs(&agent, "chat", "pass", runs(&agent, "chat", "pass") + 2.0);

    config(folder.path(), &good);
    assert_eq!(agent.post("/-/reload").0, 200);
    assert_eq!(agent.metric(IN_FORCE), Some(1.0));
    assert_eq!(agent.get("/readyz?verbose").1, "1 job of 1 target\nok\n");
}
