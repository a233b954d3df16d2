//! The agent's HTTP API for verifications, and Flagger's hooks.

use std::path::Path;

use gateprobe::gateway::{EventKind, Settings};
use serde_json::{Value, json};

use super::pair;
use crate::support::binary::{Agent, LogLines, eventually};
use crate::support::neighbour::Gateway;
use crate::support::{folder, write};

/// Where a canary is verified by handshakes, quickly; nothing is due by schedule.
fn config(old: &Gateway, new: &Gateway, more: &str) -> String {
    let target = |url: String| {
        format!(
            "{{url: '{url}', budget: {{connections_per_second: 200, messages_per_second: 1000}}, \
             checks: {{handshake: {{interval: 1h}}, heartbeat: {{interval: 1h}}}}}}"
        )
    };
    format!(
        "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json}}\nlag_bound: 10s\nwatch_config: false\n\
         targets:\n  stable: {}\n  next: {}\n{more}",
        target(old.url()),
        target(new.url())
    )
}

fn start(folder: &Path, text: &str) -> (Agent, LogLines) {
    Agent::start(&write(folder, "gateprobe.yaml", text))
}

/// POST of JSON, with a header `Authorization` where there shall be one.
fn post(
    agent: &Agent,
    path: &str,
    body: &Value,
    authorization: Option<&str>,
) -> (u16, Option<String>, String) {
    let client: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = client.post(format!("http://{}{path}", agent.address)).content_type("application/json");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let mut answer = request.send(body.to_string()).expect("an answer");
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    (answer.status().as_u16(), location, answer.body_mut().read_to_string().expect("a body"))
}

fn data(body: &str) -> Value {
    serde_json::from_str::<Value>(body).expect("JSON")["data"].clone()
}

fn begin(agent: &Agent, body: &Value) -> Value {
    let (status, location, text) = post(agent, "/api/v1/canary", body, None);
    assert_eq!(status, 202, "{text}");
    let begun = data(&text);
    assert_eq!(location, Some(format!("/api/v1/canary/{}", begun["id"].as_str().expect("an id"))));
    begun
}

fn look(agent: &Agent, id: &Value) -> Value {
    let (status, text) = agent.get(&format!("/api/v1/canary/{}", id.as_str().expect("an id")));
    assert_eq!(status, 200, "{text}");
    data(&text)
}

fn over(agent: &Agent, id: &Value) -> Value {
    eventually("the verdict", || Some(look(agent, id)).filter(|report| report["done"] == true))
}

fn delete(agent: &Agent, id: &Value) -> u16 {
    let id = id.as_str().expect("an id");
    let answer = ureq::delete(format!("http://{}/api/v1/canary/{id}", agent.address)).call();
    answer.expect("an answer").status().as_u16()
}

#[test]
fn a_verification_is_started_looked_at_and_decided() {
    let folder = folder();
    let (old, new) = pair(&["upgrade_delay=150ms"], Settings::default);
    let (agent, _log) = start(folder.path(), &config(&old, &new, ""));
    let request = json!({
        "baseline": "stable", "canary": "next", "profile": "quick", "checks": ["handshake"], "key": "deploy-7"
    });
    let begun = begin(&agent, &request);
    assert_eq!((&begun["verdict"], &begun["done"]), (&json!("pending"), &json!(false)), "{begun:#}");
    // The same key is the same verification, and means nothing else.
    let (status, _, text) = post(&agent, "/api/v1/canary", &request, None);
    assert_eq!((status, &data(&text)["id"]), (200, &begun["id"]));
    let other = json!({ "canary": "next", "key": "deploy-7" });
    assert_eq!(post(&agent, "/api/v1/canary", &other, None).0, 409);
    let report = over(&agent, &begun["id"]);
    assert_eq!((&report["verdict"], &report["progress"]), (&json!("fail"), &json!(1.0)), "{report:#}");
    assert!(report["sentence"].as_str().expect("a sentence").contains("upgrade"), "{report:#}");
    let (_, list) = agent.get("/api/v1/canary");
    assert_eq!(data(&list)[0]["verdict"], "fail");
    assert_eq!(data(&list)[0]["rows"], Value::Null, "a list is brief");
    // What is over stays as it is.
    assert_eq!(delete(&agent, &begun["id"]), 200);
    assert_eq!(look(&agent, &begun["id"])["verdict"], "fail");
    let value = |series: &str| agent.metric(series).unwrap_or_else(|| panic!("no {series}"));
    assert_eq!(value("gateprobe_canary_verifications_total{verdict=\"fail\"}"), 1.0);
    assert_eq!(value("gateprobe_canary_running"), 0.0);
    let verdict = |word: &str| {
        value(&format!(
            "gateprobe_canary_last_verdict{{baseline=\"stable\",target=\"next\",verdict=\"{word}\"}}"
        ))
    };
    assert_eq!([verdict("pass"), verdict("fail"), verdict("inconclusive")], [0.0, 1.0, 0.0]);
    let median = |arm: &str| {
        value(&format!(
            "gateprobe_canary_median_seconds{{arm=\"{arm}\",baseline=\"stable\",check=\"handshake\",\
             metric=\"gateprobe_connect_phase_duration_seconds\",part=\"upgrade\",target=\"next\"}}"
        ))
    };
    assert!(median("canary") > median("baseline") + 0.1);
    // Runs of a verification are not those of the schedule.
    let scheduled = "gateprobe_check_runs_total{check=\"handshake\",outcome=\"pass\",target=\"next\"}";
    assert!(value(scheduled) <= 1.0);
}

#[test]
fn what_can_t_be_done_is_refused() {
    let folder = folder();
    let (old, new) = pair(&[], Settings::default);
    let (agent, _log) = start(folder.path(), &config(&old, &new, ""));
    let before = (old.accepted(), new.accepted());
    for (body, status, told) in [
        (json!({ "canary": "nobody" }), 422, "no target \\\"nobody\\\""),
        (json!({ "canary": "ws://169.254.169.254/" }), 422, "no target"),
        (json!({ "canary": "next", "checks": ["zombie"] }), 422, "no check"),
        (json!({ "canary": "next", "baseline": 7 }), 400, "the body does not fit"),
        (json!({ "canary": "next", "url": "x" }), 400, "unknown field"),
        (json!({ "canary": "n".repeat(1000) }), 400, "too long"),
        (json!({ "profile": "quick" }), 400, "missing field"),
    ] {
        let (got, _, text) = post(&agent, "/api/v1/canary", &body, None);
        assert_eq!(got, status, "{body}: {text}");
        assert!(text.contains(told), "{body}: {text}");
    }
    for path in ["/api/v1/canary/0123456789abcdef", "/api/v1/canary/%2e%2e"] {
        assert_eq!(agent.get(path).0, 404, "{path}");
    }
    assert_eq!((old.accepted(), new.accepted()), before);
}

#[test]
fn a_plan_of_too_few_runs_is_told_at_once() {
    let folder = folder();
    let (old, new) = pair(&[], Settings::default);
    let text = config(&old, &new, "").replace("connections_per_second: 200", "connections_per_second: 0.03");
    let (agent, _log) = start(folder.path(), &text);
    let request = json!({ "baseline": "stable", "canary": "next", "checks": ["handshake"] });
    let begun = begin(&agent, &request);
    let notes = begun["notes"].to_string();
    assert!(notes.contains("a pass needs 5 runs in each arm"), "{begun:#}");
    assert_eq!(delete(&agent, &begun["id"]), 200);
}

#[test]
fn verifications_are_bounded_and_can_be_cancelled() {
    let folder = folder();
    let (old, new) = pair(&[], Settings::default);
    let (agent, _log) = start(folder.path(), &config(&old, &new, "canary: {max_running: 1, keep: 2}\n"));
    let long = json!({ "baseline": "stable", "canary": "next", "checks": ["heartbeat"], "profile": "full" });
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = begin(&agent, &long)["id"].clone();
        let (status, _, text) = post(&agent, "/api/v1/canary", &long, None);
        assert_eq!(status, 429, "{text}");
        assert_eq!(delete(&agent, &id), 200);
        let report = over(&agent, &id);
        assert_eq!(report["verdict"], "inconclusive", "{report:#}");
        assert!(report["sentence"].as_str().expect("a sentence").contains("cancelled"), "{report:#}");
        ids.push(id);
    }
    // Of those that are over, the last two are kept once another one is let in.
    let last = begin(&agent, &long)["id"].clone();
    assert_eq!(agent.get(&format!("/api/v1/canary/{}", ids[0].as_str().expect("an id"))).0, 404);
    assert_eq!(data(&agent.get("/api/v1/canary").1).as_array().expect("a list").len(), 3);
    delete(&agent, &last);
}

#[test]
fn a_reload_that_changes_a_gateway_ends_its_verification() {
    let folder = folder();
    let (old, new) = pair(&[], Settings::default);
    let text = config(&old, &new, "");
    let (agent, _log) = start(folder.path(), &text);
    let long = json!({ "baseline": "stable", "canary": "next", "checks": ["heartbeat"], "profile": "full" });
    let id = begin(&agent, &long)["id"].clone();
    // What concerns others does not disturb it.
    let third = format!("{text}  third: {{url: '{}', checks: {{handshake: {{interval: 1h}}}}}}\n", old.url());
    write(folder.path(), "gateprobe.yaml", &third);
    assert_eq!(agent.post("/-/reload").0, 200);
    assert_eq!(look(&agent, &id)["done"], false);
    write(folder.path(), "gateprobe.yaml", text.replacen("heartbeat: {", "heartbeat: {pings: 7, ", 1));
    assert_eq!(agent.post("/-/reload").0, 200);
    let report = over(&agent, &id);
    assert_eq!(report["verdict"], "inconclusive");
    assert!(report["sentence"].as_str().expect("a sentence").contains("reload"), "{report:#}");
}

#[test]
fn an_agent_that_ends_leaves_no_verdict() {
    let folder = folder();
    let (old, new) = pair(&[], Settings::default);
    let (mut agent, log) = start(folder.path(), &config(&old, &new, ""));
    let log = log.follow();
    let long = json!({ "baseline": "stable", "canary": "next", "checks": ["heartbeat"], "profile": "full" });
    begin(&agent, &long);
    let runs = |gateway: &Gateway| gateway.times(|kind| *kind == EventKind::Upgraded).len();
    eventually("runs in both arms", || (runs(&old) > 2 && runs(&new) > 2).then_some(()));
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
    let ended = eventually("the end", || {
        log.all().lines().find(|line| line.contains("a verification has ended")).map(str::to_owned)
    });
    assert!(ended.contains("\"verdict\":\"inconclusive\""), "{ended}");
}

#[test]
fn only_who_shows_the_token_may_start_or_cancel() {
    let folder = folder();
    let (old, new) = pair(&[], Settings::default);
    let token = write(folder.path(), "token", "s3cret-of-the-test\n");
    let text =
        config(&old, &new, "").replacen("'127.0.0.1:0'", &format!("'127.0.0.1:0', token_file: {token:?}"), 1);
    let (agent, _log) = start(folder.path(), &text);
    let request = json!({ "canary": "next", "checks": ["handshake"] });
    let hook =
        json!({ "name": "chat", "namespace": "prod", "checksum": "1", "metadata": { "canary": "next" } });
    for (path, body) in [("/api/v1/canary", &request), ("/api/v1/canary/flagger/rollout", &hook)] {
        for wrong in [None, Some("Bearer nothing"), Some("Basic bm90aGluZzpub3RoaW5n")] {
            assert_eq!(post(&agent, path, body, wrong).0, 401, "{path} {wrong:?}");
        }
    }
    assert_eq!(post(&agent, "/api/v1/canary", &request, Some("Bearer s3cret-of-the-test")).0, 202);
    // As the password of the URL, for Flagger, which sends no header of one's own.
    let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "flagger:s3cret-of-the-test");
    let (status, _, text) =
        post(&agent, "/api/v1/canary/flagger/rollout", &hook, Some(&format!("Basic {basic}")));
    assert_eq!(status, 200, "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn flagger_is_told_as_it_understands() {
    let folder = folder();
    let (old, new) = pair(&["refuse_every=2"], Settings::default);
    let twin = format!(
        "  twin: {{url: '{}', checks: {{handshake: {{interval: 1h}}}}, budget: {{connections_per_second: 200}}}}\n",
        old.url()
    );
    let (agent, _log) = start(folder.path(), &config(&old, &new, &twin));
    let call = |hook: &str, canary: &str, checksum: &str| {
        let body = json!({
            "name": "chat", "namespace": "prod", "phase": "Progressing", "checksum": checksum,
            "metadata": { "baseline": "stable", "canary": canary, "checks": "handshake" }
        });
        post(&agent, &format!("/api/v1/canary/flagger/{hook}"), &body, None).0
    };
    // Nothing has begun: no reason to roll back.
    assert_eq!(call("rollback", "next", "bad"), 412);
    assert_eq!(call("rollout", "next", "bad"), 200, "pending");
    eventually("a no", || (call("rollout", "next", "bad") == 412).then_some(()));
    assert_eq!(
        ["confirm-promotion", "rollback", "post-rollout"].map(|hook| call(hook, "next", "bad")),
        [412, 200, 200]
    );
    // Another checksum is another rollout.
    assert_eq!(call("confirm-promotion", "twin", "good"), 412, "pending");
    eventually("a yes", || (call("confirm-promotion", "twin", "good") == 200).then_some(()));
    assert_eq!(["rollout", "rollback"].map(|hook| call(hook, "twin", "good")), [200, 412]);
    // All calls of a rollout are one verification.
    let list = data(&agent.get("/api/v1/canary").1);
    assert_eq!(list.as_array().expect("a list").len(), 2, "{list:#}");
    // Set up wrongly: no, and neither 429 nor 5xx, which Flagger sends again.
    for wrong in ["nobody", "stable"] {
        assert_eq!(call("rollout", wrong, "x"), 422, "{wrong}");
    }
    assert_eq!(post(&agent, "/api/v1/canary/flagger/rollout", &json!({ "name": 1 }), None).0, 422);
    assert_eq!(call("nothing", "next", "x"), 404);
}
