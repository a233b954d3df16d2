//! The API does what its document says, and lets nobody change anything who may not.

use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::http::testing::{Reply, Running, start};
use crate::http::{About, ChangeError, JobStanding, Limits, Notice};
use crate::model::{EventKind, Evidence, Failure, JobKey, Outcome, Phase, RunReport, TraceContext};
use crate::store::News;

fn standing() -> JobStanding {
    JobStanding {
        target: "chat".into(),
        check: "handshake",
        url: "wss://chat.example.com/?***".to_owned(),
        interval_seconds: 30.0,
        timeout_seconds: 5.0,
        next_run_at: None,
        running: false,
        ticks_left_out: 0,
        consecutive_failures: 2,
        paused: None,
        slo: None,
    }
}

async fn serving() -> Running {
    let server = start(Limits { connections: 8, ..Limits::default() }).await;
    let evidence = Evidence::new();
    evidence.enter(Phase::Tcp);
    evidence.note(EventKind::Connected { address: "192.0.2.1:443".to_owned() });
    server.history.record(&RunReport {
        job: JobKey { target: "chat".into(), check: "handshake", config_hash: 1 },
        peer: None,
        started_at: SystemTime::now(),
        duration: Duration::from_millis(20),
        outcome: Outcome::Fail(Failure::Unavailable),
        detail: "by the test".to_owned(),
        next: None,
        timeline: evidence.timeline(),
        first: Duration::ZERO,
        trace: TraceContext { trace: 7, span: 1 },
        samples: Vec::new(),
    });
    *server.agent.jobs.lock().unwrap() = vec![standing()];
    let notice = Notice { about: About::Export, lines: vec!["no traces".to_owned()] };
    server.agent.notices.lock().unwrap().push(notice);
    *server.agent.token.lock().unwrap() = Some(SecretString::from("s3cret"));
    server
}

async fn post(server: &Running, path: &str, token: Option<&str>) -> Reply {
    let token = token.map(|token| format!("\nAuthorization: Bearer {token}")).unwrap_or_default();
    server.request(&format!("POST {path} HTTP/1.1{token}"), "").await
}

/// Holds an answer against what the document says of it.
fn hold(document: &Value, path: &str, method: &str, reply: &Reply) {
    let operation = &document["paths"][path][method];
    let response = &operation["responses"][reply.status.to_string()];
    assert!(response.is_object(), "{method} {path} answers {}, which is not in the document", reply.status);
    let kind = reply.header("content-type").unwrap().split(';').next().unwrap();
    let schema = &response["content"][kind]["schema"];
    assert!(schema.is_object(), "{method} {path} {}: {kind} is not in the document", reply.status);
    if kind == "application/json" {
        let whole = json!({ "allOf": [schema], "components": document["components"] });
        let validator = jsonschema::validator_for(&whole).expect("a schema");
        let body: Value = serde_json::from_str(&reply.body).expect("JSON");
        let wrong: Vec<String> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{method} {path}: {wrong:?} in {body}");
    }
}

#[tokio::test]
async fn real_answers_are_as_the_document_says_and_it_misses_no_route() {
    let server = serving().await;
    let document: Value = serde_json::from_str(&server.get("/api/v1/openapi.json").await.body).unwrap();
    let id = format!("{:032x}", 7);
    let asked = |path: &str, id: &str| {
        path.replace("{target}", "chat")
            .replace("{check}", "handshake")
            .replace("{hook}", "rollout")
            .replace("{id}", id)
    };
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_some() && path != "/api/v1/events" {
            hold(&document, path, "get", &server.get(&asked(path, &id)).await);
        }
        if operations.get("post").is_some() {
            hold(&document, path, "post", &post(&server, &asked(path, &id), Some("s3cret")).await);
            hold(&document, path, "post", &post(&server, &asked(path, &id), Some("wrong")).await);
        }
    }
    hold(&document, "/probe", "get", &server.get("/probe?target=chat&module=handshake").await);
    hold(&document, "/api/v1/runs/{id}", "get", &server.get("/api/v1/runs/none").await);
    hold(&document, "/api/v1/runs", "get", &server.get("/api/v1/runs?limit=0").await);
    let gone = server.get("/api/v1/targets/none/checks/handshake").await;
    hold(&document, "/api/v1/targets/{target}/checks/{check}", "get", &gone);
    // The source is where routes are listed; the document names each of the API.
    let source = include_str!("../routes.rs");
    let routes = source.split("\"/api/v1/").skip(1).filter_map(|rest| rest.split('"').next());
    let missing: Vec<&str> =
        routes.filter(|route| document["paths"].get(format!("/api/v1/{route}")).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn refusals_say_why_with_a_status_that_programs_know() {
    let server = serving().await;
    let document: Value = serde_json::from_str(&server.get("/api/v1/openapi.json").await.body).unwrap();
    let moment = "2026-11-22T04:00:00Z".parse().unwrap();
    let route = "/api/v1/targets/{target}/checks/{check}/run";
    for (refusal, status, wait) in [
        (ChangeError::Unknown("no target".to_owned()), 404, None),
        (ChangeError::InProgress, 409, None),
        (ChangeError::Paused(moment), 409, None),
        (ChangeError::TooSoon(7), 429, Some("7")),
        (ChangeError::Patience(60), 429, Some("60")),
        (ChangeError::Budget, 429, None),
        (ChangeError::Draining, 503, None),
    ] {
        *server.agent.refusal.lock().unwrap() = Some(refusal.clone());
        let reply = post(&server, "/api/v1/targets/chat/checks/handshake/run", Some("s3cret")).await;
        assert_eq!((reply.status, reply.header("retry-after")), (status, wait), "{refusal:?}");
        assert!(reply.body.contains(&refusal.to_string()), "{}", reply.body);
        hold(&document, route, "post", &reply);
    }
}

#[tokio::test]
async fn only_whoever_shows_the_token_changes_something() {
    let server = serving().await;
    let paths = [
        "/api/v1/targets/chat/checks/handshake/run",
        "/api/v1/targets/chat/checks/handshake/pause?for=5m",
        "/api/v1/targets/chat/checks/handshake/resume",
        "/api/v1/targets/chat/pause",
        "/api/v1/targets/chat/resume",
    ];
    for path in paths {
        for token in [None, Some("wrong")] {
            assert_eq!(post(&server, path, token).await.status, 401, "{path}");
        }
        assert_eq!(server.get(path.split('?').next().unwrap()).await.status, 405, "{path}");
    }
    assert!(server.agent.changes.lock().unwrap().is_empty());
    for path in paths {
        assert_eq!(post(&server, path, Some("s3cret")).await.status, 200, "{path}");
    }
    let done = server.agent.changes.lock().unwrap().join(" ");
    assert_eq!(
        done,
        "run chat/handshake pause chat/handshake resume chat/handshake pause chat/* resume chat/*"
    );
    assert_eq!(post(&server, "/api/v1/targets/chat/pause?for=9d", Some("s3cret")).await.status, 400);
}

/// Listens, and gives the stream when the head of the answer is there.
async fn listen(server: &Running) -> tokio::net::TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: agent\r\n\r\n").await.unwrap();
    stream
}

async fn read_until(stream: &mut tokio::net::TcpStream, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "ended before {wanted:?}: {seen:?}");
        seen.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    seen
}

#[tokio::test]
async fn news_come_at_once_and_end_with_the_server() {
    let server = serving().await;
    let mut stream = listen(&server).await;
    let head = read_until(&mut stream, ": listening").await.to_lowercase();
    assert!(head.contains("200 ok") && head.contains("text/event-stream"), "{head}");
    server.history.feed().tell(News::Job { target: "chat".into(), check: "zombie" });
    let news = read_until(&mut stream, "zombie").await;
    assert!(news.contains("event: job\ndata: {\"news\":\"job\",\"target\":\"chat\""), "{news}");
    server.shutdown.cancel();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    server.ended.await.unwrap();
}

#[tokio::test]
async fn listeners_are_bounded_and_scrapes_get_through() {
    let server = serving().await;
    // A quarter of eight connections.
    let mut streams = [listen(&server).await, listen(&server).await];
    for stream in &mut streams {
        read_until(stream, ": listening").await;
    }
    let reply = server.get("/api/v1/events").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("10")));
    assert_eq!(server.get("/metrics").await.status, 200);
    drop(streams);
    // The server learns of it when it reads.
    let mut again = listen(&server).await;
    while !read_until(&mut again, "\r\n\r\n").await.contains("200 OK") {
        again = listen(&server).await;
    }
}

#[tokio::test]
async fn a_listener_that_falls_behind_is_told_so() {
    let server = serving().await;
    let mut stream = listen(&server).await;
    read_until(&mut stream, ": listening").await;
    // More than the feed keeps, before the stream has its turn.
    (0..2_000).for_each(|_| server.history.feed().tell(News::Agent));
    assert!(read_until(&mut stream, "event: lagged").await.contains("data: "));
}

#[tokio::test(start_paused = true)]
async fn a_listener_without_news_hears_a_sign_of_life_and_is_not_cut_off() {
    let server = serving().await;
    let mut stream = listen(&server).await;
    read_until(&mut stream, ": listening").await;
    // Longer than any time-out of a connection that idles or sends.
    for _ in 0..20 {
        read_until(&mut stream, ":\n\n").await;
    }
    server.history.feed().tell(News::Agent);
    read_until(&mut stream, "event: agent").await;
}
