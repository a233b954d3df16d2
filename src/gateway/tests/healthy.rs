use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::client::*;
use crate::gateway::{EventKind, Handle, Settings, Token, start};

async fn healthy() -> Handle {
    gateway(Settings::default()).await
}

#[tokio::test]
async fn upgrades_echoes_and_closes() {
    let gateway = healthy().await;
    let mut client = connect(&gateway).await;
    let head = client.upgrade("").await;
    assert!(head.contains(&format!("Sec-WebSocket-Accept: {ACCEPT}\r\n")), "{head}");
    assert!(head.contains("\r\nDate: ") && head.contains(" GMT\r\n"), "{head}");
    client.send_frame(TEXT, "grüß".as_bytes()).await;
    let echo = client.frame().await;
    assert_eq!((echo.text(), echo.masked), ("grüß", false));
    client.send_frame(BINARY, &[0; 300]).await;
    let echo = client.frame().await;
    assert_eq!((echo.opcode(), echo.payload.len()), (BINARY, 300));
    client.send_frame(PING, b"payload").await;
    let pong = client.frame().await;
    assert_eq!((pong.opcode(), &pong.payload[..]), (PONG, &b"payload"[..]));
    client.close(4000).await;
    assert_eq!(client.frame().await.close_code(), Some(4000));
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
}

#[tokio::test]
async fn an_application_ping_is_answered_with_its_fields() {
    let gateway = healthy().await;
    let mut client = open(&gateway).await;
    for (text, answer) in [
        (r#"{"type":"ping","id":7,"at":[1]}"#, r#"{"type":"pong","id":7,"at":[1]}"#),
        (r#"{"type":"other"}"#, r#"{"type":"other"}"#),
        (r#"["ping"]"#, r#"["ping"]"#),
    ] {
        client.send_frame(TEXT, text.as_bytes()).await;
        assert_eq!(client.frame().await.text(), answer);
    }
}

#[tokio::test]
async fn the_limit_of_a_message_is_64_kib() {
    let gateway = healthy().await;
    let mut client = open(&gateway).await;
    client.send_frame(BINARY, &vec![1; 64 * 1024]).await;
    assert_eq!(client.frame().await.payload.len(), 64 * 1024);
    client.send_frame(BINARY, &vec![1; 64 * 1024 + 1]).await;
    assert_eq!(client.frame().await.close_code(), Some(1009));
    assert_eq!(client.rest().await.1, Ended::Fin);
}

#[tokio::test]
async fn violations_have_their_close_codes() {
    let gateway = healthy().await;
    for (bytes, code) in [
        (vec![0x81, 0x01, b'x'], 1002),
        (frame(0xC1, b"x"), 1002),
        (frame(0x83, b""), 1002),
        (frame(0x80, b"lonely"), 1002),
        (frame(0x09, b"fragmented"), 1002),
        (frame(0x88, b"\x03"), 1002),
        (frame(0x88, &999u16.to_be_bytes()), 1002),
        (frame(0x88, b"\x03\xE8\xFF"), 1007),
        (frame(0x81, b"\xC0\xAF"), 1007),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
    ] {
        let mut client = open(&gateway).await;
        client.send(&bytes).await;
        let close = client.frame().await;
        assert_eq!(close.close_code(), Some(code), "{bytes:02x?}");
        assert_eq!(client.rest().await, (vec![], Ended::Fin), "{bytes:02x?}");
    }
}

#[tokio::test]
async fn the_hello_comes_first_and_is_in_the_log() {
    let gateway = gateway(Settings { hello: Some("welcome".to_owned()), ..Settings::default() }).await;
    let mut client = open(&gateway).await;
    assert_eq!(client.frame().await.text(), "welcome");
    client.close(1000).await;
    client.rest().await;
    drop(client);
    all_closed(&gateway).await;
    let kinds: Vec<_> = gateway.events(0).into_iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            EventKind::Accepted,
            EventKind::RequestRead,
            EventKind::Upgraded,
            EventKind::FirstMessageSent,
            EventKind::CloseReceived { code: Some(1000) },
            EventKind::CloseSent { code: Some(1000) },
            EventKind::FinSent,
            EventKind::TcpClosed { reset: false },
        ]
    );
    let times: Vec<_> = gateway.events(0).iter().map(|event| event.monotonic_ns).collect();
    assert!(times.is_sorted());
}

#[tokio::test]
async fn refusals_are_complete_responses() {
    let gateway = gateway(Settings { token: Token::new("right"), ..Settings::default() }).await;
    let mut client = connect(&gateway).await;
    let head = client.upgrade("").await;
    assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
    assert!(head.contains("WWW-Authenticate: Bearer\r\n") && head.contains("\r\nDate: "), "{head}");
    let (body, ended) = client.rest().await;
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    assert_eq!(ended, Ended::Fin);

    let mut client = connect(&gateway).await;
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
    let mut client = connect(&gateway).await;
    client.send(b"\x16\x03\x01\x00\x01\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    let mut client = connect(&gateway).await;
    assert!(client.upgrade("Authorization: Bearer right\r\n").await.contains(" 101 "));
}

#[tokio::test]
async fn a_request_that_does_not_come_is_refused() {
    let gateway =
        gateway(Settings { handshake_timeout: Duration::from_millis(50), ..Settings::default() }).await;
    let mut client = connect(&gateway).await;
    client.send(b"GET / HTTP/1.1\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 408 "));
    assert_eq!(client.rest().await.1, Ended::Fin);
}

#[tokio::test]
async fn a_client_that_answers_pings_stays_and_a_mute_one_is_closed() {
    let gateway = gateway(Settings {
        heartbeat_interval: Some(Duration::from_millis(100)),
        heartbeat_timeout: Duration::from_millis(300),
        ..Settings::default()
    })
    .await;
    let mut client = open(&gateway).await;
    for _ in 0..5 {
        let ping = client.frame().await;
        assert_eq!(ping.opcode(), PING);
        client.send_frame(PONG, &ping.payload).await;
    }
    let answered = |kind: &EventKind| matches!(kind, EventKind::PongReceived { number: 5 });
    let last = event(&gateway, 0, answered).await;
    let close = loop {
        let frame = client.frame().await;
        if frame.opcode() != PING {
            break frame;
        }
    };
    assert_eq!(close.close_code(), Some(1011));
    assert_eq!(client.rest().await.1, Ended::Fin);
    let events = gateway.events(last.seq);
    let sent = |wanted: EventKind| events.iter().find(|event| event.kind == wanted).unwrap();
    let missed = sent(EventKind::CloseSent { code: Some(1011) }).monotonic_ns
        - sent(EventKind::PingSent { number: 6 }).monotonic_ns;
    assert!(missed >= 300_000_000, "{missed} ns");
}

#[tokio::test]
async fn a_drain_closes_every_session_with_1001() {
    let gateway = healthy().await;
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(open(&gateway).await);
    }
    let next = gateway.events(0).len() as u64;
    let mut early = connect(&gateway).await;
    event(&gateway, next, |kind| *kind == EventKind::Accepted).await;
    assert_eq!(gateway.open_connections(), 21);
    let address = gateway.address();
    let drain = tokio::spawn(gateway.shutdown());
    for client in &mut sessions {
        assert_eq!(client.frame().await.close_code(), Some(1001));
        client.close(1001).await;
        assert_eq!(client.rest().await, (vec![], Ended::Fin));
    }
    assert_eq!(early.rest().await, (vec![], Ended::Fin));
    drop((sessions, early));
    drain.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_drain_is_bounded_and_a_cut_resets() {
    let gateway = healthy().await;
    let mut mute = open(&gateway).await;
    let started = std::time::Instant::now();
    let drain = tokio::spawn(gateway.shutdown());
    assert_eq!(mute.frame().await.close_code(), Some(1001));
    assert_eq!(mute.rest().await.1, Ended::Fin);
    drain.await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());

    let gateway = healthy().await;
    let mut client = open(&gateway).await;
    gateway.cut().await;
    assert_eq!(client.rest().await, (vec![], Ended::Reset));

    let gateway = healthy().await;
    let mut client = open(&gateway).await;
    drop(gateway);
    assert_eq!(client.rest().await, (vec![], Ended::Reset));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let text = |settings| async { start(settings).await.err().unwrap().to_string() };
    let any: SocketAddr = (Ipv4Addr::UNSPECIFIED, 0).into();
    let open_control = Settings { control: Some(any), ..Settings::default() };
    assert!(text(open_control.clone()).await.contains("give it a token"));
    let guarded = Settings { control_token: Token::new("secret"), ..open_control };
    assert!(start(guarded).await.is_ok());
    let gateway = healthy().await;
    let taken = Settings { listen: gateway.address(), ..Settings::default() };
    assert!(text(taken).await.contains("cannot listen on 127.0.0.1:"));
    let pointless = Settings { faults: vec!["tls_expired".parse().unwrap()], ..Settings::default() };
    assert!(text(pointless).await.contains("tls_expired can have no effect"));
    let timeless = Settings { heartbeat_interval: Some(Duration::ZERO), ..Settings::default() };
    assert!(text(timeless).await.contains("heartbeat interval must be longer"));
}
