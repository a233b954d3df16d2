use std::time::{Duration, Instant};

use super::client::*;
use crate::gateway::{EventKind, Fault, Handle, Settings, Token};

async fn head_with(fault: &str) -> String {
    let gateway = with_fault(fault).await;
    connect(&gateway).await.upgrade("Sec-WebSocket-Protocol: v1\r\n").await
}

fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
}

async fn request_read(gateway: &Handle) {
    event(gateway, 0, |kind| *kind == EventKind::RequestRead).await;
}

#[tokio::test]
async fn upgrade_silent_reads_and_does_not_answer() {
    let gateway = with_fault("upgrade_silent").await;
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    request_read(&gateway).await;
    client.silent_until(tokio::time::sleep(Duration::from_millis(50))).await;
    drop(client);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn upgrade_delay_waits() {
    let gateway = with_fault("upgrade_delay=200ms").await;
    let started = Instant::now();
    open(&gateway).await;
    assert!(started.elapsed() >= Duration::from_millis(200));
    gateway.set_fault("upgrade_delay=1h".parse().unwrap()).unwrap();
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    drop(client);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn upgrade_drip_sends_single_bytes() {
    let gateway = with_fault("upgrade_drip=2ms").await;
    let mut client = connect(&gateway).await;
    let started = Instant::now();
    let head = client.upgrade("").await;
    assert!(head.contains(ACCEPT));
    let least = Duration::from_millis(2) * (head.len() as u32 - 1);
    assert!(started.elapsed() >= least, "{:?}", started.elapsed());
    assert_eq!(client.frame().await.text(), "hello");
    drop(client);

    gateway.set_fault("upgrade_drip=1h".parse().unwrap()).unwrap();
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    assert_eq!(client.more().await, Ok(1));
    drop(client);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn upgrade_header_bomb_ends_by_itself_or_with_the_client() {
    let gateway = with_fault("upgrade_header_bomb").await;
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    assert!(client.more().await.is_ok());
    drop(client);
    all_closed(&gateway).await;

    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    let (bytes, ended) = client.rest().await;
    assert_eq!(ended, Ended::Fin);
    assert!((64 << 20..65 << 20).contains(&bytes.len()), "{}", bytes.len());
    assert!(bytes.starts_with(b"HTTP/1.1 101 ") && !bytes.windows(4).any(|w| w == b"\r\n\r\n"));
}

#[tokio::test]
async fn upgrade_garbage_is_no_http() {
    let gateway = with_fault("upgrade_garbage").await;
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    client.more().await.unwrap();
    let drain = tokio::spawn(gateway.shutdown());
    let (bytes, ended) = client.rest().await;
    assert!(bytes.starts_with(b"\0\x01") && !bytes.windows(4).any(|four| four == b"HTTP "));
    assert_eq!(ended, Ended::Fin);
    drop(client);
    drain.await.unwrap();
}

#[tokio::test]
async fn upgrade_cut_and_upgrade_reset() {
    let gateway = with_fault("upgrade_cut").await;
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    let (bytes, ended) = client.rest().await;
    assert!(bytes.starts_with(b"HTTP/1.1 101 ") && !bytes.ends_with(b"\r\n\r\n"));
    assert_eq!(ended, Ended::Fin);

    let gateway = with_fault("upgrade_reset").await;
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    assert_eq!(client.rest().await, (vec![], Ended::Reset));
}

#[tokio::test]
async fn upgrade_status_refuses() {
    for (status, reason) in
        [(200, "OK"), (401, "Unauthorized"), (503, "Service Unavailable"), (599, "Status")]
    {
        let head = head_with(&format!("upgrade_status={status}")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} {reason}\r\n")), "{head}");
        assert!(values(&head, "Retry-After").is_empty());
    }
    let gateway = with_fault("upgrade_status=429").await;
    gateway.set_fault(Fault::RetryAfter(7)).unwrap();
    let mut client = connect(&gateway).await;
    let head = client.upgrade("").await;
    assert_eq!(values(&head, "Retry-After"), ["7"]);
    assert_eq!(client.rest().await.1, Ended::Fin);
    event(&gateway, 0, |kind| *kind == EventKind::Rejected { status: 429 }).await;
    assert!(gateway.set_fault(Fault::UpgradeStatus(101)).is_err());
}

#[tokio::test]
async fn redirects() {
    let head = head_with("redirect=wss://elsewhere.example/x?a=b").await;
    assert!(head.starts_with("HTTP/1.1 302 Found\r\n"), "{head}");
    assert_eq!(values(&head, "Location"), ["wss://elsewhere.example/x?a=b"]);
    assert_eq!(values(&head_with("redirect_loop").await, "Location"), ["/x"]);
}

#[tokio::test]
async fn a_101_that_is_wrong() {
    let healthy = head_with("bytes_after_upgrade").await;
    assert_eq!(values(&healthy, "Sec-WebSocket-Accept"), [ACCEPT]);
    assert_eq!(values(&healthy, "Sec-WebSocket-Protocol"), ["v1"]);
    for (fault, header, wrong) in [
        ("missing_accept", "Sec-WebSocket-Accept", vec![]),
        ("missing_upgrade_header", "Upgrade", vec![]),
        ("missing_connection_header", "Connection", vec![]),
        ("no_subprotocol", "Sec-WebSocket-Protocol", vec![]),
        ("wrong_subprotocol", "Sec-WebSocket-Protocol", vec!["not-offered"]),
        ("unsolicited_extension", "Sec-WebSocket-Extensions", vec!["permessage-deflate"]),
    ] {
        let head = head_with(fault).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{fault}: {head}");
        assert_eq!(values(&head, header), wrong, "{fault}");
        for other in ["Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"] {
            if other != header {
                assert_eq!(values(&head, other), values(&healthy, other), "{fault}");
            }
        }
    }
    let head = head_with("bad_accept").await;
    let accept = values(&head, "Sec-WebSocket-Accept");
    assert!(accept.len() == 1 && accept[0].len() == ACCEPT.len() && accept[0] != ACCEPT);
}

#[tokio::test]
async fn an_extension_that_was_offered_is_not_the_unsolicited_one() {
    let gateway = with_fault("unsolicited_extension").await;
    let mut client = connect(&gateway).await;
    let head = client.upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    assert_eq!(values(&head, "Sec-WebSocket-Extensions"), ["x-not-offered"]);
}

#[tokio::test]
async fn lax_gateways_let_everybody_in() {
    let gateway = gateway(Settings {
        token: Token::new("right"),
        origins: vec!["https://good.example".to_owned()],
        ..Settings::default()
    })
    .await;
    let status = async |extra: &str| {
        let head = connect(&gateway).await.upgrade(extra).await;
        head[9..12].parse::<u16>().unwrap()
    };
    let foreign = "Origin: https://bad.example\r\nAuthorization: Bearer right\r\n";
    assert_eq!((status("").await, status(foreign).await), (401, 403));
    gateway.set_fault(Fault::NoAuth).unwrap();
    assert_eq!((status("").await, status(foreign).await), (101, 403));
    assert_eq!(status("Authorization: Bearer wrong\r\n").await, 101);
    gateway.clear_all();
    gateway.set_fault(Fault::AnyOrigin).unwrap();
    assert_eq!((status("").await, status(foreign).await), (401, 101));
}

#[tokio::test]
async fn upgrade_plain_get_switches_without_being_asked() {
    let gateway = with_fault("upgrade_plain_get").await;
    let mut client = connect(&gateway).await;
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(client.frame().await.text(), "hello");
}
