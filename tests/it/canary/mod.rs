//! Verifications of canaries on real sockets: by the command line, and by the agent's HTTP API.

mod command;
mod http;
mod outputs;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gateprobe::auth::Algorithm;
use gateprobe::gateway::{JwtRules, Settings};
use serde_json::Value;

use crate::support::binary::{finish, gateprobe};
use crate::support::neighbour::Gateway;
use crate::support::write;

/// What signs and verifies the tokens.
const SECRET: &str = "a secret of the test's own, which is long enough for HS256";

/// A finished `gateprobe canary --output json`.
#[derive(Debug)]
struct Verified {
    exit: i32,
    /// What it told; nothing where it did not begin.
    report: Value,
    stderr: String,
}

impl Verified {
    fn of(mut command: Command) -> Self {
        let (exit, stdout, stderr) = finish(command.output().expect("runs"));
        let report = serde_json::from_str(&stdout).unwrap_or_default();
        Self { exit, report, stderr }
    }

    fn verdict(&self) -> &str {
        self.report["verdict"].as_str().unwrap_or("none")
    }

    fn sentence(&self) -> &str {
        self.report["sentence"].as_str().unwrap_or_default()
    }

    /// Panics with all that is known, unless it ended like that, and the sentence holds these words.
    fn expect(&self, exit: i32, verdict: &str, words: &[&str]) {
        let sentence = self.sentence();
        let told = words.iter().all(|word| sentence.contains(word));
        assert!(
            (self.exit, self.verdict()) == (exit, verdict) && told,
            "not {exit} {verdict} {words:?}: {} {:#}\n{}",
            self.exit,
            self.report,
            self.stderr
        );
    }
}

/// The command with a budget that lets it be quick; a busy machine makes runs late, which is not what is tested.
fn canary(arguments: &[&str]) -> Command {
    canary_as("json", arguments)
}

/// The same in another form.
fn canary_as(output: &str, arguments: &[&str]) -> Command {
    let mut command = gateprobe(&["canary", "--output", output]);
    command
        .args(arguments)
        .env("GATEPROBE__LAG_BOUND", "10s")
        .env("GATEPROBE__DEFAULTS__BUDGET__CONNECTIONS_PER_SECOND", "200")
        .env("GATEPROBE__DEFAULTS__BUDGET__MESSAGES_PER_SECOND", "1000")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Two gateways that differ by what is wrong with the second one.
fn pair(faults: &[&str], settings: impl Fn() -> Settings) -> (Gateway, Gateway) {
    let faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
    (Gateway::start(settings()), Gateway::start(Settings { faults, ..settings() }))
}

/// A gateway that asks for tokens and speaks the dialect `json`.
fn with_tokens(key: &Path) -> Settings {
    let rules = JwtRules::read(Algorithm::HS256.into(), key).expect("a key");
    let jwt = Some(rules.with_audience(Some("chat".into())));
    Settings { json: true, jwt, ..Settings::default() }
}

/// A gateway that cleans up within two seconds.
fn with_clean_up() -> Settings {
    Settings {
        heartbeat_interval: Some(Duration::from_millis(600)),
        heartbeat_timeout: Duration::from_millis(1_200),
        close_timeout: Duration::from_millis(300),
        ..Settings::default()
    }
}

/// A config with the target `chat`.
fn config(folder: &Path, url: &str, settings: &str) -> std::path::PathBuf {
    write(folder, "gateprobe.yaml", format!("targets:\n  chat:\n    url: {url}\n{settings}"))
}
