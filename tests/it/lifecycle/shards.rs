//! Agents that share the targets of one config.

use gateprobe::config::shard_of;

use super::{AGENT, runs};
use crate::support::binary::{Agent, eventually, finish, gateprobe};
use crate::support::neighbour::Gateway;
use crate::support::{folder, write};

const SHARDS: u32 = 2;
const TARGETS: [&str; 5] = ["chat", "edge-1", "edge-2", "game", "ticker"];

#[test]
fn each_target_is_watched_by_one_shard_and_probed_by_any() {
    let folder = folder();
    let gateways = TARGETS.map(|_| Gateway::with(&[]));
    let each = |(name, gateway): (&&str, &Gateway)| format!("  {name}: {{url: {}}}\n", gateway.url());
    let targets: String = TARGETS.iter().zip(&gateways).map(each).collect();
    let checks = "checks: {handshake: {interval: 1s, timeout: 900ms, close_timeout: 200ms}}";
    let modules = "modules: {once: {allow: {hosts: [gw.example.com]}, checks: {handshake: {timeout: 4s, close_timeout: 1s}}}}";
    let text = format!(
        "{AGENT}sharding: {{shards: {SHARDS}}}\ndefaults: {{{checks}}}\n{modules}\ntargets:\n{targets}"
    );
    let file = write(folder.path(), "gateprobe.yaml", text);
    // As the pods of a StatefulSet are told.
    let agents = ["gateprobe-0", "gateprobe-1"].map(|pod| {
        let (agent, log) = Agent::start_with(&file, &[("GATEPROBE__SHARDING__INDEX", pod)]);
        log.collect();
        agent
    });
    for (target, gateway) in TARGETS.into_iter().zip(&gateways) {
        let mine = shard_of(target, SHARDS) as usize;
        let (watching, other) = (&agents[mine], &agents[1 - mine]);
        eventually(&format!("shard {mine} watches {target}"), || {
            (runs(watching, target, "pass") >= 1.0).then_some(())
        });
        let (_, metrics) = other.get("/metrics");
        assert!(!metrics.contains(&format!("target=\"{target}\"")), "shard {} knows {target}", 1 - mine);
        let before = gateway.accepted();
        let (status, probed) = other.probe("once", target, &[]);
        assert!(status == 200 && probed.contains("\nprobe_success 1\n"), "{target}: {status} {probed}");
        assert!(gateway.accepted() > before, "{target} was not visited");
    }
    for (index, agent) in agents.iter().enumerate() {
        for shard in 0..SHARDS as usize {
            let series = format!("gateprobe_agent_shard{{shard=\"{shard}\"}}");
            assert_eq!(
                agent.metric(&series),
                Some(f64::from(u8::from(shard == index))),
                "{series} of {index}"
            );
        }
        let (_, ready) = agent.get("/readyz?verbose");
        assert!(ready.contains(&format!("shard {index} of 2")), "{ready}");
    }
}

#[test]
fn a_reload_moves_no_target_to_another_shard() {
    let folder = folder();
    let gateway = Gateway::with(&[]);
    let (here, there) = if shard_of("chat", 2) == 0 { (0, 1) } else { (1, 0) };
    let text = |shards: u32, index: u32| {
        let url = gateway.url();
        format!("{AGENT}sharding: {{shards: {shards}, index: {index}}}\ntargets: {{chat: {{url: {url}}}}}\n")
    };
    let file = write(folder.path(), "gateprobe.yaml", text(2, here));
    let (agent, log) = Agent::start(&file);
    log.collect();
    eventually("a run", || (runs(&agent, "chat", "pass") >= 1.0).then_some(()));
    write(folder.path(), "gateprobe.yaml", text(2, there));
    let (status, said) = agent.post("/-/reload");
    assert!(status == 200 && said.contains("1 unchanged") && said.contains("`sharding`"), "{said}");
    assert!(runs(&agent, "chat", "pass") >= 1.0, "its series went");
}

#[test]
fn one_shard_too_many_does_not_start_and_says_why() {
    let folder = folder();
    let text = format!("{AGENT}sharding: {{shards: 2}}\ntargets: {{chat: {{url: 'ws://127.0.0.1:9/'}}}}\n");
    let file = write(folder.path(), "gateprobe.yaml", text);
    for (pod, told) in [("gateprobe-2", "2 is not below the number of shards, 2"), ("web", "has no number")] {
        let mut command = gateprobe(&["run", "--config", file.to_str().expect("UTF-8")]);
        let (exit, _, wrong) = finish(command.env("GATEPROBE__SHARDING__INDEX", pod).output().expect("runs"));
        assert_eq!(exit, 2, "{wrong}");
        assert!(
            wrong.contains("GATEPROBE__SHARDING__INDEX: sharding.index: ") && wrong.contains(told),
            "{wrong}"
        );
    }
    let (exit, _, wrong) =
        finish(gateprobe(&["config", "check", file.to_str().expect("UTF-8")]).output().expect("runs"));
    assert!(exit == 2 && wrong.contains("sharding.index: missing; set the variable"), "{wrong}");
}
