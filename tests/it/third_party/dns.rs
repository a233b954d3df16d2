//! Names: those that do not resolve are the gateway's fault, unless nothing resolves at all.

use std::collections::BTreeMap;

use crate::support::check::{check_config, events, outcome, phases};
use crate::support::program::Program;

fn config(server: &Program, url: &str, more: &str) -> String {
    format!(
        "resolver: {{ servers: ['{}'] }}\n\
         targets: {{ chat: {{ url: '{url}'{more} }} }}",
        server.address()
    )
}

#[test]
fn a_name_that_resolves_leads_to_the_gateway_and_others_are_told_apart() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let options =
        ["--record", "gateway.test=127.0.0.1", "--record", "six.test=::1", "--servfail", "broken.test"];
    let server = Program::python("dns_server.py", &options);
    let check = |host: &str, more: &str| {
        check_config(&config(&server, &format!("ws://{host}:{}/", gateway.port), more))
    };
    let passed = check("gateway.test", "");
    let run = passed.expect(0, "pass");
    assert_eq!(phases(run)[..], ["budget", "dns", "tcp", "upgrade", "session", "close"], "{run:#}");
    assert_eq!(events(run, "resolved")[0]["addresses"], serde_json::json!(["127.0.0.1"]), "{run:#}");
    check("missing.test", "").expect(1, "fail dns_not_found");
    check("broken.test", "").expect(1, "fail dns_server_failure");
    check("gateway.test", ", network: { family: v6 }").expect(1, "fail dns_no_address");
    check("six.test", ", network: { family: v4 }").expect(1, "fail dns_no_address");
    let said = server.end();
    assert!(said.contains("QUERY A gateway.test\n") && said.contains("QUERY AAAA gateway.test\n"), "{said}");
}

#[test]
fn a_resolver_that_answers_nobody_accuses_no_gateway() {
    let server = Program::python("dns_server.py", &["--silent"]);
    let checked = check_config(&config(&server, "ws://gateway.test:8080/", ""));
    checked.expect(3, "inconclusive resolver_unreachable");
    // The deadline comes before the resolver has had all of its tries.
    let hurried = ", checks: { handshake: { timeout: 2500ms } }";
    let checked = check_config(&config(&server, "ws://gateway.test:8080/", hurried));
    checked.expect(3, "inconclusive resolver_unreachable");
}

#[test]
fn every_address_of_a_name_has_a_verdict_of_its_own() {
    let gateway = Program::node("node_ws.mjs", &[]);
    let server = Program::python("dns_server.py", &["--record", "gateway.test=127.0.0.1,127.0.0.2"]);
    let url = format!("ws://gateway.test:{}/", gateway.port);
    let checked = check_config(&config(&server, &url, ", resolve: all"));
    let verdicts: BTreeMap<&str, String> =
        checked.runs.iter().map(|run| (run["peer"].as_str().expect("a peer"), outcome(run))).collect();
    let expected = [("127.0.0.1", "pass"), ("127.0.0.2", "fail connect_refused")];
    assert_eq!(verdicts, expected.map(|(peer, outcome)| (peer, outcome.to_owned())).into());
    assert_eq!((checked.exit, checked.runs.len()), (1, 2));
    // As a client does it: one of them answers, and that is enough.
    let checked = check_config(&config(&server, &url, ""));
    assert!(checked.expect(0, "pass")["peer"].is_null(), "{:#?}", checked.runs);
}
