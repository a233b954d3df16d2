//! What a collector costs that is away, silent or angry: counters, and nothing else.

use std::fmt::Write as _;

use super::agent::{exports, runs, write_config};
use super::server::Server;
use crate::support::binary::{Agent, eventually};
use crate::support::certificate::Certificate;
use crate::support::folder;
use crate::support::program::ClosedPort;
use crate::support::reference::Reference;

/// Runs the agent with a collector at this address for some exports and runs; gives its log.
fn costs_only_counters(address: &str, protocol: &str) -> String {
    let gateway = Reference::start(&[]);
    let folder = folder();
    let otlp = format!(
        "shutdown: {{ drain_grace: 3s }}\n\
         otlp: {{ endpoint: 'http://{address}', protocol: {protocol}, interval: 200ms, timeout: 300ms }}"
    );
    let (mut agent, log) = Agent::start(&write_config(&folder, &otlp, &[("edge", &gateway.url, "")]));
    let log = log.collect();
    eventually("failed exports of metrics", || (exports(&agent, "metrics", "failure") >= 5.0).then_some(()));
    eventually("a failed export of traces", || (exports(&agent, "traces", "failure") >= 1.0).then_some(()));
    eventually("runs", || (runs(&agent, "edge", "pass") >= 3.0).then_some(()));
    let mut others = String::new();
    for outcome in ["fail", "inconclusive"] {
        let _ = write!(others, "{} {outcome} ", runs(&agent, "edge", outcome));
    }
    assert_eq!(others, "0 fail 0 inconclusive ");
    let skipped = "gateprobe_check_skipped_total{check=\"handshake\",reason=\"overlap\",target=\"edge\"}";
    assert!(agent.metric(skipped).unwrap_or_default() < 1.0, "the schedule is kept");
    assert_eq!(exports(&agent, "metrics", "success"), 0.0);
    let last = "gateprobe_agent_export_last_success_timestamp_seconds{signal=\"metrics\"}";
    assert_eq!(agent.metric(last), None, "absent until it has succeeded");
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0), "the last exports hold up nothing");
    let log = log.join().expect("the log");
    for signal in ["metrics", "traces"] {
        let told = log.lines().filter(|line| line.contains("takes no exports") && line.contains(signal));
        assert_eq!(told.count(), 1, "one line for {signal}, when it begins:\n{log}");
    }
    log
}

#[test]
fn a_port_that_refuses() {
    let closed = ClosedPort::any();
    let log = costs_only_counters(&closed.address(), "http/protobuf");
    assert!(log.contains("refused"), "{log}");
    costs_only_counters(&closed.address(), "grpc");
}

#[test]
fn a_collector_that_never_answers() {
    let silent = Server::silent();
    let log = costs_only_counters(&silent.address.to_string(), "http/protobuf");
    assert!(log.contains("no answer within 0.3 s"), "{log}");
    costs_only_counters(&silent.address.to_string(), "grpc");
}

#[test]
fn a_collector_that_answers_with_errors_and_recovers() {
    let angry = Server::answering(401);
    let log = costs_only_counters(&angry.address.to_string(), "http/protobuf");
    assert!(log.contains("401"), "{log}");

    let gateway = Reference::start(&[]);
    let folder = folder();
    let otlp = format!("otlp: {{ endpoint: 'http://{}', interval: 200ms, traces: false }}", angry.address);
    let (mut agent, log) = Agent::start(&write_config(&folder, &otlp, &[("edge", &gateway.url, "")]));
    let log = log.collect();
    eventually("a failure", || (exports(&agent, "metrics", "failure") >= 1.0).then_some(()));
    angry.answer(200);
    eventually("a success", || (exports(&agent, "metrics", "success") >= 1.0).then_some(()));
    let last = "gateprobe_agent_export_last_success_timestamp_seconds{signal=\"metrics\"}";
    assert!(agent.metric(last).is_some());
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
    let log = log.join().expect("the log");
    assert!(log.contains("takes exports again"), "{log}");
}

#[test]
fn a_collector_behind_tls_is_verified_and_gets_what_the_environment_says() {
    let folder = folder();
    let certificate = Certificate::new(folder.path(), &["127.0.0.1"]);
    let secured = Server::secured(200, &certificate);
    let gateway = Reference::start(&[]);
    let endpoint = format!("https://{}/base", secured.address);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=of%20the%20environment"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ];
    let file = write_config(&folder, "", &[("edge", &gateway.url, "")]);
    let (agent, mut log) = Agent::start_with(&file, &variables);
    let refused = log.until(|line| line.contains("takes no exports"));
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    assert_eq!((exports(&agent, "metrics", "success"), secured.requests().len()), (0.0, 0));
    drop(agent);

    let authority = ("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate.ca.to_str().expect("UTF-8"));
    let (agent, _log) = Agent::start_with(&file, &[&variables[..], &[authority]].concat());
    eventually("a success", || (exports(&agent, "metrics", "success") >= 1.0).then_some(()));
    let request = secured.requests().remove(0).to_lowercase();
    assert!(request.starts_with("post /base/v1/metrics http/1.1"), "{request}");
    assert!(request.contains("x-tenant: of the environment\r\n"), "{request}");
}
