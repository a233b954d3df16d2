//! What other people's servers do with each vector of `malformed`, held against what their sources promise.

mod aiohttp;
mod careless;
mod docs;
mod nginx;
mod promises;
mod slow_reader;
mod websockets;
mod ws;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gateprobe::checks::malformed::Vector;
use gateprobe::model::{Cause, Outcome, RunReport};

use crate::support::program::{Program, project};
use crate::support::session::{AMPLE, run_once};
use crate::support::words;

use promises::Server;

/// What the gateways are told beside their own options: a limit of a message, and a handler that speaks JSON.
const OPTIONS: [&str; 4] = ["--max-size", "65536", "--json", "reply"];
/// Each vector, as fast as the check goes. What is slow on purpose is given up by the servers after 2 s.
const SETTINGS: &str = "caution: true, every: 10ms, within: 2s, slow_within: 6s, message_limit: 64KiB";

#[test]
fn python_websockets_does_as_its_source_says() {
    let gateway = websockets();
    holds(&websockets::WEBSOCKETS, &gateway, "pass");
}

#[test]
fn python_aiohttp_does_as_its_source_says() {
    let gateway = Program::python("python_aiohttp.py", &OPTIONS);
    holds(&aiohttp::AIOHTTP, &gateway, "fail malformed_hang");
}

#[test]
fn node_ws_does_as_its_source_says() {
    let gateway = ws();
    holds(&ws::WS, &gateway, "pass");
}

#[test]
fn nginx_in_front_of_python_websockets_does_as_both_sources_say() {
    let gateway = websockets();
    holds(&nginx::NGINX_WEBSOCKETS, &nginx(&gateway), "pass");
}

#[test]
fn nginx_in_front_of_node_ws_does_as_both_sources_say() {
    let gateway = ws();
    holds(&nginx::NGINX_WS, &nginx(&gateway), "pass");
}

/// The promises were read in the sources of these versions.
#[test]
fn the_sources_that_were_read_are_those_that_are_installed() {
    for server in docs::COLUMNS {
        let (file, pin) = server.pin;
        let pins = std::fs::read_to_string(project(file)).expect("what is installed");
        assert!(pins.contains(pin), "{} is another version now: read its source again", server.name);
    }
}

#[test]
fn each_vector_has_a_promise() {
    for server in docs::COLUMNS {
        let promised: Vec<&str> = server.by_vector().into_keys().collect();
        let mut vectors: Vec<&str> = Vector::all().map(|vector| vector.name).collect();
        vectors.sort_unstable();
        assert_eq!(promised, vectors, "{}", server.name);
    }
}

fn websockets() -> Program {
    Program::python("python_websockets.py", &[&OPTIONS[..], &["--header-timeout", "2"]].concat())
}

fn ws() -> Program {
    Program::node("node_ws.mjs", &[&OPTIONS[..], &["--header-timeout", "2", "--deflate"]].concat())
}

fn nginx(gateway: &Program) -> Program {
    Program::python("nginx.py", &["--upstream", &gateway.address(), "--header-timeout", "2s"])
}

/// Runs the whole check, and wants each reaction that was promised, and this verdict.
fn holds(server: &Server, gateway: &Program, outcome: &str) {
    let report = run(gateway, SETTINGS);
    let deviations = deviations(server, &reactions(&report));
    let detail = &report.detail;
    assert!(deviations.is_empty(), "{}:{deviations}\n{}: {detail}", server.name, words(&report));
    assert_eq!(words(&report), outcome, "{}: {detail}", server.name);
}

/// What a server did and did not promise, vector by vector.
fn deviations(server: &Server, seen: &Reactions) -> String {
    let promised = server.by_vector();
    let mut deviations = String::new();
    for vector in Vector::all().map(|vector| vector.name) {
        let (promise, seen) = (promised.get(vector), seen.get(vector));
        let kept = promise.zip(seen).is_some_and(|(promise, (reaction, verdict))| {
            promise.reactions.contains(&reaction.as_str()) && promise.verdict == verdict
        });
        if kept {
            continue;
        }
        let told = |(reaction, verdict): &(String, String)| format!("{reaction} ({verdict})");
        let seen = seen.map_or("nothing".into(), told);
        let promise = promise.map_or("nothing".into(), |promise| {
            format!("{} ({}): {}", promise.reactions.join(" or "), promise.verdict, promise.source)
        });
        let _ = write!(deviations, "\n  {vector}\n    did      {seen}\n    promises {promise}");
    }
    deviations
}

#[test]
fn a_deviation_is_told_with_the_source_that_promises_something_else() {
    let kept = |(vector, promise): (&str, &&promises::Promise)| {
        (vector.to_owned(), (promise.reactions[0].to_owned(), promise.verdict.to_owned()))
    };
    let promised = ws::WS.by_vector();
    let mut seen: Reactions = promised.iter().map(|(vector, promise)| kept((vector, promise))).collect();
    assert_eq!(deviations(&ws::WS, &seen), "");
    seen.insert("pings_10".to_owned(), ("close_1008".to_owned(), "wrong".to_owned()));
    let told = "\n  pings_10\n    did      close_1008 (wrong)\n    promises ponged (ok): lib/websocket.js, receiverOnPing: \
                up to 60 that are still to be written";
    assert_eq!(deviations(&ws::WS, &seen), told);
    seen.remove("pings_10");
    assert!(deviations(&ws::WS, &seen).contains("did      nothing"));
}

/// A machine that stands still now and then looks like a gateway that does.
const ATTEMPTS: usize = 4;

/// One run in the dialect `json`; another where this machine was too busy to tell.
fn run(gateway: &Program, settings: &str) -> RunReport {
    run_in("json", gateway, settings)
}

/// The same in another dialect.
fn run_in(dialect: &str, gateway: &Program, settings: &str) -> RunReport {
    let url = gateway.url("ws");
    let target = format!("url: '{url}', dialect: '{dialect}', {AMPLE}");
    let yaml = format!("targets: {{ chat: {{ {target}, checks: {{ malformed: {{ {settings} }} }} }} }}");
    let busy = |report: &RunReport| {
        matches!(report.outcome, Outcome::Inconclusive(Cause::AgentLag | Cause::BystanderSlowed))
    };
    let mut report = run_once(&yaml);
    for _ in 1..ATTEMPTS {
        if !busy(&report) {
            break;
        }
        report = run_once(&yaml);
    }
    report
}

/// Vector to reaction and verdict.
type Reactions = BTreeMap<String, (String, String)>;

fn reactions(report: &RunReport) -> Reactions {
    let vectors =
        report.samples.iter().filter(|sample| sample.metric.name == "gateprobe_malformed_vectors_total");
    let row = vectors.map(|sample| {
        let [vector, reaction, verdict] = &sample.labels[..] else { panic!("{:?}", sample.labels) };
        (vector.to_string(), (reaction.to_string(), verdict.to_string()))
    });
    row.collect()
}
