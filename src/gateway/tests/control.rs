use serde_json::Value;
use tokio::net::TcpStream;

use super::client::*;
use crate::gateway::{Fault, FaultKind, Handle, Settings, Token};

pub async fn controlled(control_token: Option<Token>) -> Handle {
    gateway(Settings { control: Some(([127, 0, 0, 1], 0).into()), control_token, ..Settings::default() })
        .await
}

/// One request on a connection of its own: status, head and body.
pub async fn ask(gateway: &Handle, line: &str, extra: &str, body: &str) -> (u16, String, String) {
    let address = gateway.control_address().unwrap();
    let mut client = Client::new(TcpStream::connect(address).await.unwrap());
    let length = body.len();
    let text = format!(
        "{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{extra}\r\n{body}"
    );
    client.send(text.as_bytes()).await;
    let head = client.head().await;
    let (body, _) = client.rest().await;
    let status = head[9..12].parse().unwrap();
    (status, head, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn faults_are_switched_over_http() {
    let gateway = controlled(None).await;
    let status = async |line: &str, body: &str| ask(&gateway, line, "", body).await.0;
    assert_eq!(status("PUT /faults/upgrade_status", "503\n").await, 204);
    assert_eq!(status("PUT /faults/bad_accept", "").await, 204);
    assert_eq!(gateway.faults(), [Fault::UpgradeStatus(503), Fault::BadAccept]);
    let (_, _, body) = ask(&gateway, "GET /faults", "", "").await;
    let listed: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(listed["active"][0]["name"], "upgrade_status");
    assert_eq!(listed["active"][0]["value"], "503");
    assert_eq!(listed["known"].as_array().unwrap().len(), FaultKind::ALL.len());
    assert_eq!(status("DELETE /faults/bad_accept", "").await, 204);
    assert_eq!(gateway.faults(), [Fault::UpgradeStatus(503)]);
    assert_eq!(status("DELETE /faults", "").await, 204);
    assert!(gateway.faults().is_empty());
}

#[tokio::test]
async fn a_bad_request_says_why() {
    let gateway = controlled(None).await;
    for (line, body, status, why) in [
        ("PUT /faults/nonsense", "", 404, "accept_silent"),
        ("DELETE /faults/nonsense", "", 404, "accept_silent"),
        ("PUT /faults/upgrade_status", "", 400, "STATUS, 200 to 599"),
        ("PUT /faults/bad_accept", "1", 400, "takes no value"),
        ("PUT /faults/tls_expired", "", 409, "no certificate of its own"),
        ("GET /log?since=x", "", 400, ""),
        ("GET /nothing", "", 404, ""),
    ] {
        let (got, _, text) = ask(&gateway, line, "", body).await;
        assert_eq!(got, status, "{line}");
        assert!(text.contains(why), "{line}: {text}");
    }
}

#[tokio::test]
async fn log_connections_and_metrics() {
    let gateway = controlled(None).await;
    let client = open(&gateway).await;
    let (_, head, lines) = ask(&gateway, "GET /log?since=1", "", "").await;
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "request_read");
    assert_eq!(events[1]["event"], "upgraded");
    assert_eq!(events[1]["connection"], 1);
    assert_eq!(events[1]["peer"], client.stream.local_addr().unwrap().to_string());
    assert!(events[1]["monotonic_ns"].as_u64() >= events[0]["monotonic_ns"].as_u64());
    assert!(head.contains("x-log-next: 3\r\n") && head.contains("x-log-dropped: 0\r\n"), "{head}");

    let (_, _, body) = ask(&gateway, "GET /connections", "", "").await;
    let listed: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&listed["open"], &listed["connections"][0]["phase"]), (&1.into(), &"open".into()));

    let (_, head, text) = ask(&gateway, "GET /metrics", "", "").await;
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for line in ["gateprobe_gateway_sessions_open 1", "gateprobe_gateway_upgrades_total 1"] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    drop(client);
    all_closed(&gateway).await;
    let (_, _, text) = ask(&gateway, "GET /metrics", "", "").await;
    assert!(text.contains("gateprobe_gateway_sessions_open 0\n"), "{text}");
}

#[tokio::test]
async fn a_token_guards_all_but_the_health() {
    let gateway = controlled(Token::new("secret")).await;
    for line in ["GET /faults", "PUT /faults/bad_accept", "GET /log", "GET /connections", "GET /metrics"] {
        assert_eq!(ask(&gateway, line, "", "").await.0, 401, "{line}");
        let wrong = ask(&gateway, line, "Authorization: Bearer wrong\r\n", "").await;
        assert_eq!(wrong.0, 401, "{line}");
    }
    assert!(gateway.faults().is_empty());
    assert_eq!(ask(&gateway, "GET /healthz", "", "").await.0, 200);
    let right = "Authorization: Bearer secret\r\n";
    assert_eq!(ask(&gateway, "GET /faults", right, "").await.0, 200);
}

/// One metric without labels.
pub async fn value(gateway: &Handle, name: &str) -> i64 {
    let (_, _, text) = ask(gateway, "GET /metrics", "", "").await;
    let name = format!("gateprobe_gateway_{name} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&name));
    found.unwrap_or_else(|| panic!("no {name}in {text}")).parse().unwrap()
}
