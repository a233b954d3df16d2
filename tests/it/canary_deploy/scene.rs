//! Two gateways, an agent with the examples' config, and the players.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::binary::Agent;
use crate::support::program::{project, tool};
use crate::support::reference::Reference;
use crate::support::{folder, write};

/// What asks the agent for something shows it.
pub const TOKEN: &str = "c4n4ry-t0ken";

/// What a run needs so that a verification is a matter of seconds: one quick check, and the means for it.
const QUICK: &str = "checks: { handshake: { interval: 3s, timeout: 2900ms, close_timeout: 500ms } }\n    \
                     budget: { connections: 100, connections_per_second: 1000, messages_per_second: 100000, bytes_per_second: 100000000 }";

/// A file of `deploy/canary`.
pub fn example(path: &str) -> PathBuf {
    project("deploy/canary").join(path)
}

/// An agent whose targets `chat` and `chat-canary` are two gateways; all of it ends when dropped.
pub struct Scene {
    /// The agent.
    pub agent: Agent,
    _canary: Reference,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// With `baseline` as a URL, and a canary that has these faults.
    pub fn start(baseline: &str, faults: &[&str]) -> Self {
        let canary =
            Reference::start(&faults.iter().flat_map(|fault| ["--fault", fault]).collect::<Vec<_>>());
        let folder = folder();
        let token = write(folder.path(), "api-token", TOKEN);
        let example = std::fs::read_to_string(example("agent.yaml")).expect("agent.yaml");
        let config = replaced(
            &example,
            &[
                ("http:\n", "log: { format: json }\nlag_bound: 1s\nhttp:\n  listen: 127.0.0.1:0\n"),
                ("/run/secrets/api-token", &token.display().to_string()),
                ("wss://chat-stable.chat.svc:8443/socket", baseline),
                ("wss://chat-canary.chat.svc:8443/socket", &canary.url),
                ("checks: { handshake: {}, heartbeat: {} }", QUICK),
            ],
        );
        let (agent, log) = Agent::start(&write(folder.path(), "gateprobe.yaml", config));
        log.collect();
        Self { agent, _canary: canary, _folder: folder }
    }

    /// The verifications that the agent has, by its own word.
    pub fn verifications(&self) -> Vec<Value> {
        let url = format!("http://{}/api/v1/canary", self.agent.address);
        let (status, text) =
            crate::support::binary::get_with(&url, &[("Authorization", &format!("Bearer {TOKEN}"))]);
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["data"].as_array().unwrap_or_else(|| panic!("no list: {answer:#}")).clone()
    }
}

/// A text with each of the words in it replaced; all of them must be there.
pub fn replaced(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the example has no {old:?} any more:\n{text}");
        text.replace(old, new)
    })
}

/// A config with one target, `chat`, for whoever runs the program itself.
pub fn config_of(url: &str) -> String {
    format!("targets:\n  chat:\n    url: {url}\n    {QUICK}\n")
}

/// What a controller made of an example, by its player's word.
pub fn play(player: &str, manifests: &[PathBuf], arguments: &[&str]) -> Value {
    let output = Command::new(tool("python/bin/python"))
        .arg(project("tests/it/canary_deploy/players").join(player))
        .args(manifests)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{player}: {said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The players keep the controllers' rules.
#[test]
fn the_players_play_by_the_rules() {
    let selftest = project("tests/it/canary_deploy/players/selftest.py");
    let output = Command::new(tool("python/bin/python")).arg(selftest).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
