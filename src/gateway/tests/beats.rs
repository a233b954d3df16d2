//! Heartbeats and idleness of a healthy gateway.

use std::time::{Duration, Instant};

use super::client::*;
use crate::gateway::{ApplicationHeartbeat, EventKind, Level, Payload, Settings};

fn application(interval_ms: u64, timeout_ms: u64) -> Option<ApplicationHeartbeat> {
    let [interval, timeout] = [interval_ms, timeout_ms].map(Duration::from_millis);
    Some(ApplicationHeartbeat { interval, timeout })
}

#[tokio::test]
async fn pings_and_pongs_of_both_sides_are_in_the_log() {
    let gateway = gateway(Settings::default()).await;
    let mut client = open(&gateway).await;
    let before = crate::gateway::monotonic_ns();
    client.send_frame(PING, &[0xAB; 20]).await;
    assert_eq!(client.frame().await.payload, [0xAB; 20]);
    client.send_frame(TEXT, br#"{"type":"ping","id":"x"}"#).await;
    client.frame().await;
    client.send_frame(TEXT, br#"{"type":"ping"}"#).await;
    client.frame().await;
    let last = |kind: &EventKind| *kind == EventKind::ApplicationPongSent { id: None };
    let after = event(&gateway, 0, last).await.monotonic_ns;
    let (payload, id) = (Payload::new(&[0xAB; 16]), Some(r#""x""#.into()));
    let expected = [
        EventKind::PingReceived { payload },
        EventKind::PongSent { payload },
        EventKind::ApplicationPingReceived { id: id.clone() },
        EventKind::ApplicationPongSent { id },
        EventKind::ApplicationPingReceived { id: None },
        EventKind::ApplicationPongSent { id: None },
    ];
    let times: Vec<u64> = expected.iter().map(|kind| at(&gateway, 1, kind)).collect();
    assert!(times.is_sorted() && before < times[0] && times[5] == after, "{before} {times:?}");
    let line = serde_json::to_value(&gateway.events(3)[0]).unwrap();
    assert_eq!((&line["event"], &line["payload"]), (&"ping_received".into(), &"ab".repeat(16).into()));
}

#[tokio::test]
async fn pings_come_on_their_times_and_never_early() {
    let gateway = gateway(lively(60_000)).await;
    let mut client = open(&gateway).await;
    client.pings_until(10).await;
    event(&gateway, 0, |kind| *kind == EventKind::PingSent { number: 10 }).await;
    let start = at(&gateway, 1, &EventKind::Upgraded);
    for number in 1..=10 {
        let sent = at(&gateway, 1, &EventKind::PingSent { number });
        assert!(sent - start >= number * 20_000_000, "{number}: {} ns", sent - start);
    }
}

#[tokio::test]
async fn application_pings_replace_pings_and_are_answered_by_id_or_without() {
    let settings = Settings {
        heartbeat_interval: None,
        application_heartbeat: application(20, 2000),
        ..Settings::default()
    };
    let gateway = gateway(settings).await;
    let mut client = open(&gateway).await;
    for number in 1..=4 {
        let expected = format!(r#"{{"type":"ping","id":{number}}}"#);
        assert_eq!(client.frame().await.text(), expected);
        let pong = match number % 2 {
            0 => r#"{"type":"pong"}"#.to_owned(),
            _ => expected.replace("ping", "pong"),
        };
        client.send_frame(TEXT, pong.as_bytes()).await;
        // Without an id it may be a newer one that is answered.
        let answered = |kind: &EventKind| match kind {
            EventKind::ApplicationPongReceived { number: answered } => *answered >= number,
            _ => false,
        };
        event(&gateway, 0, answered).await;
    }
    let pinged = |kind: &EventKind| matches!(kind, EventKind::PingSent { .. });
    assert!(!gateway.events(0).iter().any(|event| pinged(&event.kind)));
}

#[tokio::test]
async fn an_application_pong_is_echoed_only_where_nobody_asks_for_it() {
    let pong = r#"{"type":"pong","id":99}"#;
    let plain = gateway(Settings::default()).await;
    let mut client = open(&plain).await;
    client.send_frame(TEXT, pong.as_bytes()).await;
    assert_eq!(client.frame().await.text(), pong);

    let settings = Settings { application_heartbeat: application(60_000, 60_000), ..Settings::default() };
    let asking = gateway(settings).await;
    let mut client = open(&asking).await;
    client.send_frame(TEXT, pong.as_bytes()).await;
    client.send_frame(TEXT, b"after").await;
    assert_eq!(client.frame().await.text(), "after");
    let heard = |kind: &EventKind| matches!(kind, EventKind::ApplicationPongReceived { .. });
    assert!(!asking.events(0).iter().any(|event| heard(&event.kind)));
}

#[tokio::test]
async fn who_answers_only_protocol_pings_is_closed_with_4000() {
    let settings = Settings { application_heartbeat: application(20, 300), ..lively(5_000) };
    let gateway = gateway(settings).await;
    let mut client = open(&gateway).await;
    let close = loop {
        let got = client.frame_answering().await;
        if got.opcode() != TEXT {
            break got;
        }
    };
    assert_eq!(close.close_code(), Some(4000));
    assert_eq!(client.rest().await.1, Ended::Fin);
    let missed = EventKind::HeartbeatMissed { level: Level::Application, number: 1 };
    let sent = at(&gateway, 1, &EventKind::ApplicationPingSent { number: 1 });
    let closed = at(&gateway, 1, &EventKind::CloseSent { code: Some(4000) });
    assert!(closed - sent >= 300_000_000, "{}", closed - sent);
    assert!(closed >= at(&gateway, 1, &missed));
}

#[tokio::test]
async fn who_sends_no_data_is_closed_with_4001_whatever_it_answers() {
    let gateway = gateway(Settings { idle_timeout: Some(Duration::from_secs(1)), ..lively(5_000) }).await;
    let mut client = open(&gateway).await;
    let mut pings = 0;
    while pings < 70 {
        let got = client.frame().await;
        if got.opcode() == PING {
            pings += 1;
            client.send_frame(PONG, &got.payload).await;
            client.send_frame(BINARY, b"busy").await;
        } else {
            assert_eq!(got.opcode(), BINARY);
        }
    }
    let busy = gateway.events(0).last().unwrap().monotonic_ns;
    let close = loop {
        let got = client.frame_answering().await;
        if got.opcode() != BINARY {
            break got;
        }
    };
    assert_eq!(close.close_code(), Some(4001));
    assert_eq!(client.rest().await.1, Ended::Fin);
    let told = at(&gateway, 1, &EventKind::Idle);
    let closed = at(&gateway, 1, &EventKind::CloseSent { code: Some(4001) });
    let start = at(&gateway, 1, &EventKind::Upgraded);
    assert!(told <= closed && busy - start >= 1_000_000_000, "{start} {busy} {told} {closed}");
    assert!(closed - start >= 2_000_000_000, "{}", closed - start);
}

#[tokio::test]
async fn an_answer_that_is_there_counts_however_late_the_gateway_looks() {
    // The gateway's only thread is held up beyond the deadline, with the pong in its socket.
    let gateway = gateway(lively(1000)).await;
    let mut client = open(&gateway).await;
    let ping = client.frame().await;
    client.send_frame(PONG, &ping.payload).await;
    let until = Instant::now() + Duration::from_millis(1200);
    while Instant::now() < until {
        std::thread::park_timeout(until.saturating_duration_since(Instant::now()));
    }
    client.send_frame(TEXT, b"still here").await;
    assert_eq!(client.frame_answering().await.text(), "still here");
}
