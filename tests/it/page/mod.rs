//! The page in a real browser, and the API's document in the hands of others.

mod hostile;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::binary::{Agent, eventually, run};
use crate::support::program::{project, tool};
use crate::support::reference::Reference;
use crate::support::{folder, write};

const TOKEN: &str = "a-token-for-the-page";

/// An agent on a machine that has much else to do.
fn agent(folder: &Path, targets: &str) -> Agent {
    let token = write(folder, "token", format!("{TOKEN}\n"));
    let config = write(
        folder,
        "gateprobe.yaml",
        format!(
            "http: {{ listen: '127.0.0.1:0', token_file: {token:?} }}\nlog: {{ format: json }}\nlocation: test\n\
             lag_bound: 10s\ndefaults: {{ slo: {{ objective: 99% }} }}\ntargets:\n{targets}"
        ),
    );
    let (agent, log) = Agent::start(&config);
    // A full pipe would stop it.
    drop(log.follow());
    agent
}

fn target(name: &str, url: &str) -> String {
    promising(name, url, "")
}

/// A target whose check `handshake` has more settings.
fn promising(name: &str, url: &str, more: &str) -> String {
    let handshake = "interval: 2s, timeout: 1500ms, close_timeout: 500ms, expect: { refusal_timeout: 500ms }";
    format!("  {name}: {{ url: '{url}', checks: {{ handshake: {{ {handshake}{more} }} }} }}\n")
}

/// Runs a script of `tests/page` to its end.
fn node(script: &str, args: &[&str], input: &str) -> String {
    let mut command = Command::new("node");
    command.arg(project("tests/page").join(script)).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("node runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (said, wrong) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{script}:\n{said}{wrong}");
    said
}

#[test]
fn in_a_browser_the_page_leads_to_the_failing_run_and_harms_nobody() {
    assert!(tool("bin/chromium").exists(), "run tests/tools/install");
    let orders = Reference::start(&[]);
    let folder = folder();
    // What a config says is shown, other than what a gateway says.
    let contains = serde_json::to_string(hostile::TEXT).expect("a text");
    let promise = format!(", first_message: {{ contains: {contains} }}");
    let targets = target("orders", &orders.url)
        + &promising("denying", &hostile::denying(), &promise)
        + &target("closing", &hostile::closing());
    let agent = agent(folder.path(), &targets);
    let (address, control) = (format!("http://{}", agent.address), orders.control().to_owned());
    let said = node("page.mjs", &[&address, &control, TOKEN], "");
    print!("{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 13, "{said}");
}

#[test]
fn in_a_browser_the_pages_of_canaries_tell_the_verdict_and_follow_what_still_runs() {
    assert!(tool("bin/chromium").exists(), "run tests/tools/install");
    let gateway = Reference::start(&[]);
    let folder = folder();
    // Nothing but verifications gives news.
    let target = |name: &str, url: &str| {
        format!(
            "  {name}: {{ url: '{url}', budget: {{ connections_per_second: 200, messages_per_second: 1000 }}, checks: \
             {{ handshake: {{ interval: 1h }}, heartbeat: {{ interval: 1h }} }} }}\n"
        )
    };
    let targets = target("stable", &gateway.url)
        + &target("next", &gateway.url)
        + &target("denying", &hostile::denying())
        + &target("closing", &hostile::closing());
    let agent = agent(folder.path(), &format!("{targets}canary: {{ max_running: 4 }}\n"));
    let said = node("canaries.mjs", &[&format!("http://{}", agent.address), TOKEN], "");
    print!("{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 7, "{said}");
}

#[test]
fn the_apis_document_is_openapi() {
    let folder = folder();
    let agent = agent(folder.path(), &target("orders", "ws://127.0.0.1:9/"));
    let (status, document) = agent.get("/api/v1/openapi.json");
    assert_eq!(status, 200);
    let said = node("openapi.mjs", &[], &document);
    assert!(said.starts_with("ok: OpenAPI 3.1"), "{said}");
}

#[test]
fn a_pause_from_the_command_line_holds_until_it_is_ended() {
    let orders = Reference::start(&[]);
    let folder = folder();
    let agent = agent(folder.path(), &target("orders", &orders.url));
    let (url, token) = (format!("http://{}", agent.address), folder.path().join("token"));
    let token = token.to_str().expect("UTF-8");
    let ask = |what: &str, more: &[&str]| run(&[&[what, "orders", "--agent", &url], more].concat());
    let paused = || agent.metric("gateprobe_target_paused{target=\"orders\",location=\"test\"}");
    let runs = || agent.get("/api/v1/status").1;
    eventually("a first run", || runs().contains("\"pass\"").then_some(()));

    let (code, _, wrong) = ask("pause", &[]);
    assert!(code == 1 && wrong.contains("the token is missing or wrong"), "{code} {wrong}");
    let (code, said, _) = ask("pause", &["handshake", "--for", "30m", "--token-file", token]);
    assert!(code == 0 && said.contains("paused until"), "{code} {said}");
    assert_eq!(paused(), Some(1.0), "it has no other check");
    let skipped = "gateprobe_check_skipped_total{check=\"handshake\",reason=\"paused\",target=\"orders\",location=\"test\"}";
    eventually("a tick that is skipped", || agent.metric(skipped).filter(|ticks| *ticks > 0.0));
    assert!(agent.get("/").1.contains("paused by hand"));

    let (code, said, wrong) = ask("resume", &["--token-file", token]);
    assert_eq!((code, said.as_str()), (0, "resumed\n"), "{wrong}");
    assert_eq!(paused(), Some(0.0));
}
