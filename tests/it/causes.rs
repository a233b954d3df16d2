//! What is the agent's own fault, or its network's, ends as inconclusive with its own cause, and accuses no
//! gateway.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateprobe::gateway::{EventKind, Fault, Settings};
use serde_json::Value;

use crate::support::binary::{Agent, eventually, finish, gateprobe};
use crate::support::neighbour::{Closed, Gateway};
use crate::support::{folder, write};

/// Where a busy machine would only be in the way.
const PATIENT: &str = "lag_bound: 10s\n";

/// Exit code and reports of `gateprobe check` with this config, started by this command.
fn check_by(mut command: Command) -> (i32, Vec<Value>) {
    let (code, out, err) = finish(command.output().expect("runs"));
    let reports = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"));
    (code, reports)
}

fn command(folder: &Path, config: &str) -> Command {
    let file = write(folder, "gateprobe.yaml", config);
    let mut command = gateprobe(&["check", "--output", "json", "--config"]);
    command.arg(file);
    command
}

fn check(config: &str) -> (i32, Vec<Value>) {
    let folder = folder();
    check_by(command(folder.path(), config))
}

/// Exit code and words, such as `inconclusive throttled`, where there is one target.
fn verdict(config: &str) -> (i32, String) {
    let (code, reports) = check(config);
    assert_eq!(reports.len(), 1, "{reports:#?}");
    (code, words(&reports[0]))
}

fn words(report: &Value) -> String {
    let text = |field: &str| report[field].as_str().unwrap_or_default().to_owned();
    format!("{} {}", text("outcome"), text("reason")).trim_end().to_owned()
}

fn inconclusive(cause: &str) -> (i32, String) {
    (3, format!("inconclusive {cause}"))
}

fn fail(reason: &str) -> (i32, String) {
    (1, format!("fail {reason}"))
}

#[test]
fn too_few_descriptors_accuse_nobody() {
    let folder = folder();
    // Each connection is held for so long that all of them are wanted at once.
    let faults = vec!["hello_delay=2s".parse().expect("a fault")];
    let gateway = Gateway::start(Settings { hello: Some("hi".into()), faults, ..Settings::default() });
    let token = write(folder.path(), "token", "t0ken");
    let targets: String = (0..60)
        .map(|number| match number % 3 {
            // One that needs nothing else, one that reads a file before, one that resolves a name before.
            0 => format!("  plain-{number}: {{url: {}}}\n", gateway.url()),
            1 => format!(
                "  token-{number}: {{url: {}, auth: {{token: {{file: {token:?}}}}}}}\n",
                gateway.url()
            ),
            _ => format!("  name-{number}: {{url: {}}}\n", gateway.url().replace("127.0.0.1", "localhost")),
        })
        .collect();
    let config = format!(
        "{PATIENT}defaults: {{checks: {{handshake: {{timeout: 20s, first_message: {{kind: text}}}}}}}}\n\
         targets:\n{targets}"
    );
    let bare = command(folder.path(), &config);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\""]).arg(bare.get_program()).args(bare.get_args());
    limited.stdin(Stdio::null());
    let (code, reports) = check_by(limited);
    let count = |wanted: &str| reports.iter().filter(|report| words(report) == wanted).count();
    let (passed, starved) = (count("pass"), count("inconclusive agent_descriptors"));
    let others: Vec<&Value> = reports
        .iter()
        .filter(|report| !["pass", "inconclusive agent_descriptors"].contains(&words(report).as_str()))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(passed + starved, 60);
    assert!(passed > 0 && starved > 0, "{passed} passed, {starved} without a descriptor");
    assert_eq!(code, 3);
}

/// A process that is killed when dropped.
struct Frozen(Child);

impl Frozen {
    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Freezes the process until so much time has gone by since it sent its request.
fn freeze(signal: impl Fn(&str), gateway: &Gateway, requests: usize, past: Duration) {
    let asked = |wanted: usize| gateway.times(|kind| *kind == EventKind::RequestRead).len() > wanted;
    eventually("a request", || asked(requests).then_some(()));
    let began = Instant::now();
    signal("STOP");
    eventually("the time-out has passed", || (began.elapsed() > past).then_some(()));
    signal("CONT");
}

#[test]
fn a_frozen_check_does_not_accuse_a_slow_gateway() {
    for fault in ["upgrade_silent", "upgrade_delay=500ms"] {
        let (folder, gateway) = (folder(), Gateway::with(&[fault]));
        let check = "{handshake: {timeout: 2s, close_timeout: 1s}}";
        let config =
            format!("lag_bound: 1s\ntargets: {{chat: {{url: {}, checks: {check}}}}}\n", gateway.url());
        let mut child = command(folder.path(), &config);
        let mut child = Frozen(child.stdout(Stdio::piped()).spawn().expect("runs"));
        freeze(|name| child.signal(name), &gateway, 0, Duration::from_secs(4));
        let mut out = String::new();
        let stdout = child.0.stdout.as_mut().expect("piped");
        stdout.read_to_string(&mut out).expect("its output");
        let reports: Vec<Value> = serde_json::from_str(&out).expect("JSON");
        let verdict = (child.0.wait().expect("ends").code().unwrap_or(-1), words(&reports[0]));
        assert_eq!(verdict, inconclusive("agent_lag"), "{fault}: {reports:#?}");
    }
}

#[test]
fn a_frozen_agent_does_not_accuse_a_slow_gateway_and_goes_on() {
    let (folder, gateway) = (folder(), Gateway::with(&["upgrade_silent"]));
    let check = "{handshake: {interval: 2s, timeout: 2s, close_timeout: 1s}}";
    let config = format!(
        "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json}}\nlag_bound: 1s\n\
         targets: {{chat: {{url: {}, checks: {check}}}}}\n",
        gateway.url()
    );
    let (agent, log) = Agent::start(&write(folder.path(), "gateprobe.yaml", config));
    let log = log.collect();
    freeze(|name| agent.signal(name), &gateway, 0, Duration::from_secs(4));
    let runs = eventually("a report", || Some(runs(&agent, "chat")).filter(|runs| !runs.is_empty()));
    assert_eq!(runs.last().map(String::as_str), Some("inconclusive agent_lag"), "{runs:?}");
    gateway.clear_all();
    eventually("a pass", || (last(&agent, "chat") == "pass").then_some(()));
    drop(agent);
    log.join().expect("a log");
}

/// The last runs of a target in words, the newest first.
fn runs(agent: &Agent, target: &str) -> Vec<String> {
    let (status, text) = agent.get(&format!("/api/v1/runs?target={target}"));
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    answer["runs"].as_array().expect("runs").iter().map(words).collect()
}

fn last(agent: &Agent, target: &str) -> String {
    runs(agent, target).into_iter().next().unwrap_or_default()
}

#[test]
fn the_control_endpoint_tells_whose_fault_it_is() {
    let gateway = Closed::on("127.0.0.1");
    let config = |control: &str| {
        format!("{PATIENT}control: {{address: '{control}'}}\ntargets: {{chat: {{url: {}}}}}\n", gateway.url())
    };
    let gone = Closed::on("127.0.0.1");
    let (code, reports) = check(&config(&gone.address.to_string()));
    assert_eq!((code, words(&reports[0])), inconclusive("egress_lost"));
    let next = reports[0]["next"].as_str().expect("what to try next");
    assert!(next.contains("control"), "{next}");
    let alive = TcpListener::bind("127.0.0.1:0").expect("a port");
    let alive = alive.local_addr().map(|address| (alive, address)).expect("its address");
    assert_eq!(verdict(&config(&alive.1.to_string())), fail("connect_refused"));
    // Who has never answered says nothing where the gateway itself was reached.
    let silent = Gateway::with(&["upgrade_silent"]);
    let handshake = "checks: {handshake: {timeout: 2s, close_timeout: 100ms}}";
    let config = format!(
        "{PATIENT}control: {{address: '{}'}}\ntargets: {{chat: {{url: {}, {handshake}}}}}\n",
        gone.address,
        silent.url()
    );
    assert_eq!(verdict(&config), fail("upgrade_timeout"));
}

#[test]
fn a_control_endpoint_that_is_down_itself_hides_no_outage() {
    let (folder, gone, dead) = (folder(), Closed::on("127.0.0.1"), Closed::on("127.0.0.1"));
    let gateway = Gateway::with(&[]);
    let config = format!(
        "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json}}\n{PATIENT}control: {{address: '{}'}}\n\
         defaults: {{checks: {{handshake: {{interval: 1s, timeout: 1s, close_timeout: 500ms}}}}}}\n\
         targets: {{up: {{url: '{}'}}, down: {{url: '{}'}}}}\n",
        gone.address,
        gateway.url(),
        dead.url()
    );
    let (agent, mut log) = Agent::start(&write(folder.path(), "gateprobe.yaml", config));
    let told = log.until(|line| line.contains("the control endpoint does not answer"));
    assert!(told.contains(&gone.address.to_string()), "{told}");
    eventually("a failure", || last(&agent, "down").starts_with("fail connect_refused").then_some(()));
    log.until(|line| line.contains("failing") && line.contains("connect_refused"));
}

#[test]
fn unrelated_hosts_failing_together_are_our_own_way_out() {
    let folder = folder();
    let gateways = ["127.1.0.1", "127.2.0.1", "127.3.0.1", "127.4.0.1"].map(|ip| {
        let listen = format!("{ip}:0").parse().expect("an address");
        Gateway::start(Settings { listen, ..Settings::default() })
    });
    let check = "{handshake: {interval: 1s, timeout: 1s, close_timeout: 500ms}}";
    let mut config = format!(
        "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json}}\n{PATIENT}\
         defaults: {{checks: {check}}}\ntargets:\n"
    );
    for (number, gateway) in gateways.iter().enumerate() {
        config.push_str(&format!("  host-{number}: {{url: '{}'}}\n", gateway.url()));
    }
    let (agent, log) = Agent::start(&write(folder.path(), "gateprobe.yaml", config));
    let log = log.collect();
    let until = |number: usize, wanted: &str| {
        let name = format!("host-{number}");
        eventually(&format!("{name} {wanted}"), || last(&agent, &name).starts_with(wanted).then_some(()));
    };
    (0..4).for_each(|number| until(number, "pass"));
    for gateway in &gateways {
        gateway.set_fault(Fault::AcceptReset).expect("a fault");
    }
    (0..4).for_each(|number| until(number, "inconclusive egress_lost"));
    // An answer from anywhere acquits the way out, and accuses the rest.
    gateways[3].clear_all();
    until(3, "pass");
    (0..3).for_each(|number| until(number, "fail"));
    drop(agent);
    log.join().expect("a log");
}

#[test]
fn our_own_credential_is_our_own_fault() {
    let folder = folder();
    let gateway = Gateway::with(&[]);
    let expired = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"sub":"probe","exp":1000000000}"#));
    let good = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{}}}"#, in_an_hour())));
    let file = |name: &str, content: &str| format!("{:?}", write(folder.path(), name, content));
    let sources = [
        format!("{{file: {:?}}}", folder.path().join("missing")),
        format!("{{file: {}}}", file("empty", "\n")),
        format!("{{file: {}}}", file("expired", &expired)),
        "{env: GATEWAY_TOKEN_THAT_IS_NOT_SET}".to_owned(),
    ];
    let config =
        |fields: String| format!("{PATIENT}targets: {{chat: {{url: {}, {fields}}}}}\n", gateway.url());
    for source in &sources {
        for fields in [format!("auth: {{token: {source}}}"), format!("headers: {{X-Api-Key: {source}}}")] {
            assert_eq!(verdict(&config(fields.clone())), inconclusive("credential"), "{fields}");
        }
    }
    assert_eq!(gateway.accepted(), 0, "a gateway was asked in vain");
    let good = config(format!("auth: {{token: {{file: {}}}}}", file("good", &good)));
    assert_eq!(verdict(&good), (0, "pass".to_owned()));
}

fn in_an_hour() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    now.as_secs() + 3_600
}

#[test]
fn a_path_that_this_machine_does_not_have_is_our_own_fault() {
    let gateway = Gateway::with(&[]);
    // 192.0.2.0/24 is for documentation (RFC 5737), and nobody's own.
    for path in ["interface: nosuch0", "source: 192.0.2.7"] {
        let config = format!("{PATIENT}targets: {{chat: {{url: {}, network: {{{path}}}}}}}\n", gateway.url());
        assert_eq!(verdict(&config), inconclusive("agent_path"), "{path}");
    }
    assert_eq!(gateway.accepted(), 0);
}

#[test]
fn a_gateway_that_asks_for_patience_is_not_accused() {
    for (faults, wanted) in [
        (&["upgrade_status=429"][..], inconclusive("throttled")),
        (&["upgrade_status=503", "retry_after=5"], inconclusive("throttled")),
        (&["upgrade_status=503"], fail("unavailable")),
        (&["upgrade_status=500", "retry_after=5"], fail("server_error")),
    ] {
        let gateway = Gateway::with(faults);
        let config = format!("{PATIENT}targets: {{chat: {{url: {}}}}}\n", gateway.url());
        assert_eq!(verdict(&config), wanted, "{faults:?}");
    }
}

#[test]
fn a_dead_resolver_is_not_the_gateways_fault() {
    // Bound, never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("its address");
    let config = format!(
        "{PATIENT}resolver: {{servers: ['{address}']}}\n\
         targets: {{chat: {{url: 'ws://gw.example.com/', checks: {{handshake: {{timeout: 3s}}}}}}}}\n"
    );
    assert_eq!(verdict(&config), inconclusive("resolver_unreachable"));
}

#[test]
fn a_budget_that_others_spend_is_not_the_gateways_fault() {
    let (folder, gateway) = (folder(), Gateway::with(&["upgrade_silent"]));
    let check = |interval: &str| format!("{{handshake: {{interval: {interval}, timeout: 8s}}}}");
    let config = format!(
        "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json}}\n{PATIENT}\
         targets: {{chat: {{url: {}, budget: {{connections: 1}}, checks: {}}}}}\n\
         modules: {{ws: {{checks: {{handshake: {{timeout: 2s}}}}, allow: {{hosts: [none.example]}}}}}}\n",
        gateway.url(),
        check("8s")
    );
    let (agent, log) = Agent::start(&write(folder.path(), "gateprobe.yaml", config));
    let log = log.collect();
    eventually("a connection", || (gateway.open_connections() == 1).then_some(()));
    let (status, text) = agent.get("/probe?module=ws&target=chat&debug=true");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("inconclusive (budget)"), "{text}");
    assert_eq!(gateway.open_connections(), 1);
    drop(agent);
    log.join().expect("a log");
}
