//! What a client can do wrong in its upgrade request: the refusals, and the faults.

use std::time::Duration;

use super::client::*;
use super::malformed::noted;
use crate::gateway::{Handle, Offence, Settings, Token};

const SLOW: Duration = Duration::from_millis(100);

/// A gateway that is particular about everything, and impatient.
async fn strict() -> Handle {
    let origins = vec!["https://good.example".to_owned()];
    let token = Token::new("right");
    gateway(Settings { origins, token, handshake_timeout: SLOW, ..Settings::default() }).await
}

/// An offence, the request that commits it, and the status that refuses it.
fn examples() -> Vec<(Offence, String, u16)> {
    use Offence as O;
    let good = request("Authorization: Bearer right\r\n");
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let large = format!("X-Large: {}\r\nHost:", "a".repeat(16 * 1024));
    vec![
        (O::BadRequest, changed("Host:", "no colon\r\nHost:"), 400),
        (O::HttpVersion, changed("HTTP/1.1", "HTTP/1.0"), 505),
        (O::SlowHeader, good.trim_end().to_owned(), 408),
        (O::HeaderTooLarge, changed("Host:", &large), 431),
        (O::BadMethod, changed("GET", "POST"), 405),
        (O::BadHost, changed("Host: localhost\r\n", ""), 400),
        (O::RequestBody, changed("Host:", "Transfer-Encoding: chunked\r\nHost:"), 400),
        (O::NoUpgrade, changed("Upgrade: websocket\r\n", ""), 426),
        (O::BadVersion, changed("Version: 13", "Version: 12"), 426),
        (O::BadKey, changed(&key, ""), 400),
        (O::BadKey, changed(KEY, "c2hvcnQ="), 400),
        (O::ForeignOrigin, changed("Host:", "Origin: https://bad.example\r\nHost:"), 403),
        (O::NoToken, changed("Authorization: Bearer right\r\n", ""), 401),
        (O::BadToken, changed("Bearer right", "Bearer wrong"), 401),
    ]
}

/// Commits an offence, and waits until the gateway knows of it.
async fn commit(gateway: &Handle, offence: Offence, text: &str) -> Client {
    let mut client = connect(gateway).await;
    client.send(text.as_bytes()).await;
    noted(gateway, offence).await;
    client
}

/// Whether a head has this status.
fn has_status(head: &str, status: u16) -> bool {
    head.starts_with(&format!("HTTP/1.1 {status} "))
}

#[tokio::test]
async fn each_offence_has_its_status() {
    for (offence, text, status) in examples() {
        let gateway = strict().await;
        let mut client = commit(&gateway, offence, &text).await;
        let head = client.head().await;
        assert!(has_status(&head, status), "{offence}: {head}");
        if offence == Offence::BadVersion {
            assert!(head.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{head}");
        }
        assert_eq!(client.rest().await.1, Ended::Fin, "{offence}");
    }
}

#[tokio::test]
async fn a_header_that_drips_has_no_more_time_than_any() {
    let gateway = strict().await;
    let mut client = connect(&gateway).await;
    let started = std::time::Instant::now();
    let drip = async {
        let mut beats = tokio::time::interval(Duration::from_millis(10));
        loop {
            beats.tick().await;
            if gateway.events(0).len() > 1 {
                return;
            }
            client.send(b"GET / HTTP/1.1\r\n".get(..1).unwrap()).await;
        }
    };
    drip.await;
    assert!(has_status(&client.head().await, 408));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn faults_answer_each_offence_with_another_status() {
    for (fault, status) in [("accepted", 101), ("error", 500), ("wrong_code", 200)] {
        for (offence, text, _) in examples() {
            let gateway = strict().await;
            set(&gateway, &format!("malformed_{fault}={offence}"));
            let mut client = commit(&gateway, offence, &text).await;
            if offence == Offence::SlowHeader && status == 101 {
                client.send(b"\r\n\r\n").await;
            }
            let head = client.head().await;
            assert!(has_status(&head, status), "{fault} {offence}: {head}");
            if status == 101 {
                client.send_frame(TEXT, b"served").await;
                assert_eq!(client.frame().await.text(), "served", "{offence}");
            }
        }
    }
}

#[tokio::test]
async fn faults_hang_crash_and_hurt_by_each_offence() {
    for (offence, text, status) in examples() {
        let gateway = strict().await;
        set(&gateway, "malformed_hang=handshake");
        let mut client = commit(&gateway, offence, &text).await;
        client.silent_until(tokio::time::sleep(Duration::from_millis(5))).await;
        gateway.clear_all();

        let mut bystander = connect(&gateway).await;
        assert!(bystander.upgrade("Authorization: Bearer right\r\n").await.contains(" 101 "));
        set(&gateway, &format!("malformed_hurts={offence}"));
        let seen = gateway.events(0).len() as u64;
        let mut client = connect(&gateway).await;
        client.send(text.as_bytes()).await;
        assert!(has_status(&client.head().await, status), "{offence}");
        event(&gateway, seen, |kind| *kind == crate::gateway::EventKind::Offence { offence }).await;
        set(&gateway, &format!("malformed_crash={offence}"));
        let mut client = connect(&gateway).await;
        client.send(text.as_bytes()).await;
        assert_eq!(client.rest().await, (vec![], Ended::Reset), "{offence}");
        assert_eq!(bystander.rest().await, (vec![], Ended::Reset), "{offence}");
    }
}
