use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use secrecy::SecretString;

use crate::http::testing::{Reply, Running, start};
use crate::http::{Limits, METRICS, Readiness, ReloadError, ReloadSummary};
use crate::metrics::lint;
use crate::metrics::text_format::parse;
use crate::model::{Failure, JobKey, Outcome, RunReport, Timeline};

async fn running() -> Running {
    start(Limits::default()).await
}

fn report(target: &str, outcome: Outcome) -> RunReport {
    RunReport {
        job: JobKey { target: target.into(), check: "handshake", config_hash: 1 },
        peer: None,
        started_at: SystemTime::now(),
        duration: Duration::from_millis(20),
        outcome,
        detail: "by the test".to_owned(),
        next: None,
        timeline: Timeline::default(),
        first: Duration::ZERO,
        trace: Default::default(),
        samples: Vec::new(),
    }
}

#[test]
fn the_servers_own_metrics_keep_the_rules() {
    assert_eq!(lint(METRICS), [""; 0]);
}

#[tokio::test]
async fn metrics_are_text_that_prometheus_reads() {
    let server = running().await;
    server.get("/nothing?token=s3cret").await;
    let reply = server.get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let series = parse(&reply.body);
    assert_eq!(series["gateprobe_http_requests_total{code=\"404\",route=\"other\"}"], 1.0);
    assert!(series.contains_key("process_open_fds"));
    assert!(!reply.body.contains("s3cret"));
    server.get("/metrics").await;
    let series = parse(&server.metrics.encode_text());
    assert_eq!(series["gateprobe_http_requests_total{code=\"200\",route=\"/metrics\"}"], 2.0);
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_out() {
    let server = running().await;
    for path in ["/", "/metrics", "/livez", "/nothing", "/-/reload", "/probe", "/api/v1/runs?limit=0"] {
        let reply = server.get(path).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn health_is_the_agents_own() {
    let server = running().await;
    for path in ["/livez", "/healthz", "/readyz"] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok\n"), "{path}");
    }
    let reasons = vec!["config: loaded".to_owned(), "scheduler: stopping".to_owned()];
    *server.agent.readiness.lock().unwrap() = Readiness { ready: false, reasons };
    let reply = server.get("/readyz").await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "not ready\n"));
    let reply = server.get("/readyz?verbose").await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (503, "config: loaded\nscheduler: stopping\nnot ready\n")
    );
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_one_line() {
    let server = running().await;
    let reply = server.get("/favicon.ico").await;
    assert_eq!((reply.status, reply.body.as_str()), (404, "not found\n"));
    let reply = server.get("/-/reload").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("post")));
    let reply = server.request("DELETE /metrics HTTP/1.1", "").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("get,head")));
    let reply = server.request("HEAD /livez HTTP/1.1", "").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    let index = server.get("/").await;
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(index.body.contains("href=\"/metrics\""));
}

#[tokio::test]
async fn reload_says_what_changed_or_what_is_wrong() {
    let server = running().await;
    let reload = || server.request("POST /-/reload HTTP/1.1", "");
    let warnings = vec!["targets.edge: the budget is small".to_owned()];
    *server.agent.reload.lock().unwrap() =
        Ok(ReloadSummary { added: 1, removed: 2, changed: 3, unchanged: 4, warnings });
    let reply = reload().await;
    let expected = "reloaded: 1 added, 2 removed, 3 changed, 4 unchanged\n\
        warning: targets.edge: the budget is small\n";
    assert_eq!((reply.status, reply.body.as_str()), (200, expected));
    let reasons = || vec!["a.yaml:1: first".to_owned(), "a.yaml:9: second".to_owned()];
    *server.agent.reload.lock().unwrap() = Err(ReloadError::Config(reasons()));
    let reply = reload().await;
    assert_eq!((reply.status, reply.body.as_str()), (400, "a.yaml:1: first\na.yaml:9: second\n"));
    *server.agent.reload.lock().unwrap() = Err(ReloadError::Agent(reasons()));
    assert_eq!(reload().await.status, 500);
    assert_eq!(server.agent.reloads.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn reload_is_guarded() {
    let server = running().await;
    let origin = server.request("POST /-/reload HTTP/1.1\nOrigin: https://evil.example", "").await;
    assert_eq!(origin.status, 403);
    *server.agent.token.lock().unwrap() = Some(SecretString::from("s3cret"));
    let without = server.request("POST /-/reload HTTP/1.1", "").await;
    assert_eq!((without.status, without.header("www-authenticate")), (401, Some("bearer")));
    let wrong = server.request("POST /-/reload HTTP/1.1\nAuthorization: Bearer s3creT", "").await;
    assert_eq!(wrong.status, 401);
    assert!(!without.body.contains("s3cret") && !wrong.body.contains("s3cre"));
    assert_eq!(server.agent.reloads.load(Ordering::SeqCst), 0);
    let right = server.request("POST /-/reload HTTP/1.1\nAuthorization: Bearer s3cret", "").await;
    assert_eq!((right.status, server.agent.reloads.load(Ordering::SeqCst)), (200, 1));
}

#[tokio::test]
async fn a_probe_is_what_blackbox_exporter_would_say() {
    let server = running().await;
    let head = "GET /probe?target=edge&module=handshake HTTP/1.1\nX-Prometheus-Scrape-Timeout-Seconds: 10";
    let reply = server.request(head, "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let series = parse(&reply.body);
    assert_eq!((series["probe_success"], series["probe_websocket_status_code"]), (0.0, 503.0));
    let asked = server.agent.probes.lock().unwrap().pop().unwrap();
    assert_eq!((asked.target.as_str(), asked.time), ("edge", Some(Duration::from_millis(9500))));
    let debug = server.get("/probe?target=edge&module=handshake&debug=true").await;
    assert_eq!(debug.header("content-type"), Some("text/plain; charset=utf-8"));
    for part in ["Log of the probe:\ntcp: connected\n", "\nprobe_success 0\n", "Module:\ntimeout: 5s\n"] {
        assert!(debug.body.contains(part), "{part} in {}", debug.body);
    }
}

#[tokio::test]
async fn a_probe_that_can_not_be_is_refused_with_a_reason() {
    let server = running().await;
    for (query, status, line) in [
        ("module=handshake", 400, "the parameter `target` is missing\n"),
        ("target=edge", 400, "the parameter `module` is missing; the config has handshake\n"),
        ("target=edge&module=nothing", 400, "unknown module; the config has handshake\n"),
        ("target=http%3A%2F%2F169.254.169.254&module=handshake", 400, "not a WebSocket URL\n"),
        ("target=busy&module=handshake", 503, "the target's budget is used up\n"),
    ] {
        let reply = server.get(&format!("/probe?{query}")).await;
        assert_eq!((reply.status, reply.body.as_str()), (status, line), "{query}");
    }
    let head = "GET /probe?target=a&module=handshake HTTP/1.1\nX-Prometheus-Scrape-Timeout-Seconds: 0.4";
    assert_eq!(server.request(head, "").await.status, 400);
}

#[tokio::test]
async fn a_probe_without_an_end_is_cut_off_and_other_routes_have_their_own_limit() {
    let short = Duration::from_millis(50);
    let server = start(Limits { probe_timeout: short, request_timeout: short, ..Limits::default() }).await;
    let reply = server.get("/probe?target=slow&module=handshake").await;
    assert_eq!(reply.status, 504);
    let server = start(Limits { request_timeout: short, ..Limits::default() }).await;
    // Its body never comes.
    let head = "POST /-/reload HTTP/1.1\nContent-Length: 5";
    assert_eq!(server.request(head, "").await.status, 503);
    assert_eq!(server.agent.reloads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_probe() {
    let server = running().await;
    let request = server.get("/probe?target=slow&module=handshake");
    tokio::select! {
        _ = request => panic!("it was to wait"),
        permit = server.agent.slow_began.acquire() => permit.unwrap().forget(),
    }
    // A probe that still waited would hold the server up for its grace of 10 s.
    let began = Instant::now();
    server.shutdown.cancel();
    server.ended.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!server.metrics.encode_text().contains("/probe"), "nothing was answered");
}

#[tokio::test]
async fn the_api_shows_the_history() {
    let server = running().await;
    server.history.record(&report("edge", Outcome::Fail(Failure::Unavailable)));
    server.history.record(&report("edge", Outcome::Pass));
    server.history.record(&report("other", Outcome::Pass));
    let json = |reply: Reply| -> serde_json::Value {
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        serde_json::from_str(&reply.body).unwrap()
    };
    let status = json(server.get("/api/v1/status").await);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(status["jobs"][0]["last"]["outcome"], "pass");
    assert_eq!(status["jobs"][0]["last_failure"]["reason"], "unavailable");
    let runs = json(server.get("/api/v1/runs?target=edge&check=handshake&limit=1").await);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    assert_eq!(runs["runs"][0]["outcome"], "pass");
    let runs = json(server.get("/api/v1/runs?outcome=fail").await);
    assert_eq!(runs["runs"][0]["explanation"], Failure::Unavailable.explain());
    assert_eq!(server.get("/api/v1/runs?limit=9999").await.status, 400);
}
