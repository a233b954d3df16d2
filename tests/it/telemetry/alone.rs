//! `gateprobe drill` with nothing but an agent and a gateway: what it refuses, and that the fault is off at every end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::support::binary::{Agent, eventually, finish, gateprobe};
use crate::support::program::ClosedPort;
use crate::support::reference::Reference;
use crate::support::{folder, write};

const FAULT: &str = "upgrade_status=503";

/// A gateway, and an agent that watches it as `edge`.
struct Pair {
    gateway: Reference,
    agent: Agent,
    _folder: tempfile::TempDir,
}

impl Pair {
    fn start() -> Self {
        Self::with(&[])
    }

    /// The gateway has these options; its check is green.
    fn with(options: &[&str]) -> Self {
        let (folder, gateway) = (folder(), Reference::start(options));
        let check = "{ handshake: { interval: 1s, timeout: 1s, close_timeout: 500ms } }";
        let config = format!(
            "http: {{ listen: '127.0.0.1:0' }}\nlog: {{ format: json }}\nlag_bound: 5s\n\
             targets: {{ edge: {{ url: '{}', checks: {check} }} }}\n",
            gateway.url
        );
        let (agent, log) = Agent::start(&write(folder.path(), "gateprobe.yaml", config));
        log.collect();
        let green = "gateprobe_last_check_success{check=\"handshake\",target=\"edge\"}";
        eventually("green", || agent.metric(green).filter(|green| *green == 1.0));
        Self { gateway, agent, _folder: folder }
    }

    /// A drill with this control API and target.
    fn drill(&self, control: &str, target: &str, fault: &str, more: &[&str]) -> Command {
        let agent = format!("http://{}", self.agent.address);
        let mut command = gateprobe(&["drill", "--control", control, "--agent", &agent]);
        command.args(["--target", target, "--fault", fault]).args(more);
        command
    }

    fn run(&self, control: &str, target: &str, fault: &str, more: &[&str]) -> (i32, String, String) {
        finish(self.drill(control, target, fault, more).output().expect("runs"))
    }
}

#[test]
fn there_and_back_through_the_agent_alone() {
    let pair = Pair::start();
    let (exit, told, complaint) = pair.run(&pair.gateway.control, "edge", FAULT, &["--check", "handshake"]);
    assert_eq!((exit, complaint.as_str()), (0, ""), "{told}");
    assert!(told.contains("handshake: unavailable") && told.contains("STEP"), "{told}");
    assert_eq!(pair.gateway.faults(), Vec::<String>::new());
}

#[test]
fn a_step_that_does_not_come_ends_it_with_the_fault_off() {
    // Nobody watches this one.
    let (pair, other) = (Pair::start(), Reference::start(&[]));
    let (exit, told, _) = pair.run(&other.control, "edge", FAULT, &["--within", "3s"]);
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("the step `red` did not come within 3 s"), "{told}");
    assert!(told.contains("nobody has connected to that gateway"), "{told}");
    assert_eq!(other.faults(), Vec::<String>::new());
    assert!(other.log().iter().any(|entry| entry.event == "fault_set"));

    // A target that nobody knows is never green, and nothing is broken for it.
    let (exit, told, _) = pair.run(&pair.gateway.control, "nowhere", FAULT, &["--within", "1s"]);
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("the step `ready` did not come"), "{told}");
    assert!(pair.gateway.log().iter().all(|entry| entry.event != "fault_set"));
}

#[test]
fn an_interruption_ends_it_with_the_fault_off() {
    let (pair, other) = (Pair::start(), Reference::start(&[]));
    for signal in ["INT", "TERM", "HUP"] {
        // The check of another gateway never turns red: it waits until it is told to end.
        let mut child =
            pair.drill(&other.control, "edge", FAULT, &[]).stdout(Stdio::piped()).spawn().expect("runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut told = String::new();
        while !told.contains("fault on") {
            assert!(lines.read_line(&mut told).expect("a line") > 0, "{told}");
        }
        assert_eq!(other.faults(), ["upgrade_status"]);
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        lines.read_to_string(&mut told).expect("the rest");
        assert_eq!(child.wait().expect("ends").code(), Some(3), "{told}");
        assert!(told.contains("interrupted; the fault upgrade_status=503 is off"), "{told}");
        assert_eq!(other.faults(), Vec::<String>::new(), "SIG{signal}");
    }
}

#[test]
fn a_gateway_that_is_gone_is_told_of() {
    let (pair, other) = (Pair::start(), Reference::start(&[]));
    let control = other.control.clone();
    let mut child = pair.drill(&control, "edge", FAULT, &["--within", "2s"]);
    let mut child = child.stdout(Stdio::piped()).spawn().expect("runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut told = String::new();
    while !told.contains("fault on") {
        assert!(lines.read_line(&mut told).expect("a line") > 0, "{told}");
    }
    drop(other);
    lines.read_to_string(&mut told).expect("the rest");
    assert_eq!(child.wait().expect("ends").code(), Some(4), "{told}");
    assert!(told.contains("MAY STILL BE ON"), "{told}");
    assert!(told.contains(&format!("curl -X DELETE {control}faults/upgrade_status")), "{told}");
}

#[test]
fn what_is_of_no_use_for_a_drill_is_refused() {
    let pair = Pair::start();
    let refused = |control: &str, fault: &str, more: &[&str], exit: i32, why: &str| {
        let (code, told, complaint) = pair.run(control, "edge", fault, more);
        let all = format!("{told}{complaint}");
        assert!(code == exit && all.contains(why), "{code} instead of {exit} with {why:?}: {all}");
    };
    let control = pair.gateway.control.as_str();
    // The agent speaks HTTP, and is no gateway.
    let agent = format!("http://{}", pair.agent.address);
    refused(&agent, FAULT, &[], 2, "is not the control API of a gateprobe reference gateway");
    // Prometheus' parameters, and the agent in its place.
    refused(control, FAULT, &["--prometheus", &agent], 2, "Prometheus answered 404");
    refused(control, FAULT, &["--alertmanager", &agent], 2, "Alertmanager answered 404");
    let closed = ClosedPort::any();
    let nobody = format!("http://{}", closed.address());
    refused(&nobody, FAULT, &[], 4, "can't be reached");
    refused(control, FAULT, &["--prometheus", &nobody], 4, "Prometheus can't be reached");
    refused(control, "nonsense", &[], 2, "no fault is called");
    // It speaks no TLS.
    refused(control, "tls_silent", &[], 2, "did not take the fault");
    refused("http://user:s3cr3t@127.0.0.1:1/", FAULT, &[], 2, "in a file");
    // What another drill has switched on stays on.
    pair.gateway.switch_on("accept_silent");
    refused(control, FAULT, &[], 2, "has faults on already: accept_silent");
    assert_eq!(pair.gateway.faults(), ["accept_silent"]);
}

#[test]
fn a_control_api_with_a_token_is_given_it() {
    let folder = folder();
    let token = write(folder.path(), "token", "s3cr3t-of-the-drill\n").display().to_string();
    let pair = Pair::with(&["--control-token-file", &token]);
    let (exit, _, complaint) = pair.run(&pair.gateway.control, "edge", FAULT, &[]);
    assert!(exit == 2 && complaint.contains("401"), "{exit}: {complaint}");
    let more = ["--control-token-file", &token];
    let (exit, told, complaint) = pair.run(&pair.gateway.control, "edge", FAULT, &more);
    assert_eq!(exit, 0, "{told}{complaint}");
    assert!(!told.contains("s3cr3t") && !complaint.contains("s3cr3t"));
}
