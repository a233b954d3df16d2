//! What a run costs a gateway is what `gateprobe config show --cost` had said, or less: the reference gateway counts.

use gateprobe::checks::CheckSpec;
use gateprobe::config;

use crate::support::plan;
use crate::support::reference::Reference;
use crate::support::session::{AMPLE, run};
use crate::support::{folder, write};

const TOKEN: &str = "a-token-of-the-test";
/// Signs the tokens of the check that needs some with an end.
const KEY: &str = "a key of the test's own, long enough for HS256";

/// Some messages before a session is open, and an echo.
const OPENS: &str = r#"
dialect: 1
name: opens
open:
  - send: { json: { type: ping, id: hello } }
  - await: { json: { type: pong, id: hello } }
  - send: { json: { type: echo, id: first, payload: "some more of it" } }
  - await: { json: { type: echo, id: first } }
heartbeat:
  client:
    send: { json: { type: ping, id: "${nonce}" } }
    answer: { json: { type: pong, id: "${nonce}" } }
echo:
  send: { json: { type: echo, id: "${nonce}", payload: "${payload}" } }
  answer: { json: { type: echo, id: "${nonce}", payload: "${payload}" } }
error: { json: { type: error } }
"#;

/// Times that are short; all numbers are those of the profile `light`.
fn settings(check: &str) -> &'static str {
    match check {
        "handshake" => "interval: 60s, expect: { no_token_refused: true, plain_get_refused: true }",
        "heartbeat" => "every: 100ms",
        "zombie" => "window: { latest: 2s, earliest: 2s }, beat_within: 1s, tolerance: 1s, close_timeout: 2s",
        "token_refresh" => "lifetime: 4s, leeway: 0s, tolerance: 1s",
        "malformed" => "every: 50ms, within: 500ms, bystander_every: 50ms",
        _ => "",
    }
}

/// What the gateway counted.
#[derive(Debug, Clone, Copy)]
struct Counted {
    connections: u64,
    frames: u64,
    received: u64,
    sent: u64,
}

impl Counted {
    fn by(gateway: &Reference) -> Self {
        Self {
            connections: gateway.count("connections_total"),
            frames: gateway.count("frames_received_total"),
            received: gateway.count("bytes_received_total"),
            sent: gateway.count("bytes_sent_total"),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            frames: self.frames - before.frames,
            received: self.received - before.received,
            sent: self.sent - before.sent,
        }
    }
}

/// One run of a check, and what the table of costs is made of: both by the same config.
fn proof(gateway: &Reference, check: &str, dialect: &str, more: &str) {
    let folder = folder();
    let token = match check {
        "token_refresh" => {
            let key = write(folder.path(), "key", KEY);
            format!("{{ mint: {{ algorithm: HS256, key_file: {key:?}, subject: probe }} }}")
        }
        _ => format!("{{ file: {:?} }}", write(folder.path(), "token", TOKEN)),
    };
    let settings = [settings(check), more].join(if more.is_empty() { "" } else { ", " });
    let yaml = format!(
        "lag_bound: 10s\ntargets: {{ chat: {{ url: '{}', dialect: {dialect}, auth: {{ token: {token} }}, \
         {AMPLE}, checks: {{ {check}: {{ {settings} }} }} }} }}",
        gateway.url
    );
    let plan = plan(&yaml);
    let job = plan.jobs.iter().find(|job| job.key.check == check).expect("a job");
    let said = config::cost(&job.check, Some(&plan.targets[0].dialect));
    let rows = config::costs(&plan);
    let row = rows.iter().find(|row| row.check == Some(job.key.check)).expect("a row");
    // What holds on to its connections opens them once.
    if job.check.cost_of_a_day().is_none() {
        assert_eq!((row.connections, row.messages), (row.runs * said.connections, row.runs * said.messages));
    }
    let before = Counted::by(gateway);
    let report = run(&yaml);
    assert_eq!(report.outcome.label(), "pass", "{check}: {}", report.detail);
    let Counted { connections, frames, received, sent } = Counted::by(gateway).since(before);
    let told = format!(
        "{check} {more} {dialect}: {connections} connections, {frames} frames, {received} + {sent} bytes of {said:?}"
    );
    println!("{told}");
    assert!(connections > 0 && received > 0, "{told}");
    assert!(connections <= said.connections, "{told}");
    assert!(frames <= said.messages, "{told}");
    assert!(received + sent <= said.bytes, "{told}");
    // A bound that nobody comes near is none.
    assert!(connections * 2 > said.connections, "{told}");
}

#[test]
fn a_light_run_of_every_check_costs_no_more_than_was_said() {
    let folder = folder();
    let token = write(folder.path(), "token", TOKEN);
    let token = token.to_str().expect("UTF-8");
    let options = [
        "--json",
        "--deflate",
        "--token-file",
        token,
        "--heartbeat-interval",
        "1s",
        "--heartbeat-timeout",
        "2s",
    ];
    let gateway = Reference::start(&options);
    for check in CheckSpec::KINDS.iter().filter(|check| **check != "token_refresh") {
        proof(&gateway, check, "json", "");
    }
    let key = write(folder.path(), "key", KEY);
    let key = key.to_str().expect("UTF-8");
    let signed = Reference::start(&["--json", "--jwt-key", key, "--jwt-algorithm", "HS256"]);
    proof(&signed, "token_refresh", "json", "");
    let file = write(folder.path(), "opens.yaml", OPENS);
    let opens = format!("{file:?}");
    for check in ["handshake", "heartbeat", "zombie", "flapping", "malformed", "hold"] {
        proof(&gateway, check, &opens, "");
    }
    proof(&gateway, "malformed", "json", "caution: true, slow_within: 12s, message_limit: 64KiB");
}
