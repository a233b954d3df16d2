use std::time::{Duration, Instant};

use super::client::*;
use crate::gateway::{EventKind, Fault, FaultKind, Handle, Settings};

/// A moment in which a gateway that is going to say something would have said it.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn unwatched_settings() -> Settings {
    Settings { heartbeat_interval: None, ..Settings::default() }
}

/// An open session whose hello has been read.
async fn greeted(gateway: &Handle) -> Client {
    let mut client = open(gateway).await;
    assert_eq!(client.frame().await.text(), "hello");
    client
}

#[tokio::test]
async fn silent_after_upgrade_answers_nothing() {
    let gateway = with_fault("silent_after_upgrade").await;
    let mut client = open(&gateway).await;
    client.send_frame(TEXT, b"anybody").await;
    client.send_frame(PING, b"there").await;
    client.close(1000).await;
    client.silent_until(a_moment()).await;
    drop(client);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn close_after_upgrade_sends_any_code() {
    for code in [1000, 1006, 1013, 4999] {
        let gateway = with_fault(&format!("close_after_upgrade={code}")).await;
        let mut client = open(&gateway).await;
        assert_eq!(client.frame().await.close_code(), Some(code));
        client.close(1000).await;
        assert_eq!(client.rest().await, (vec![], Ended::Fin));
    }
}

#[tokio::test]
async fn cut_and_reset_after_upgrade() {
    for (fault, expected) in [("cut_after_upgrade", Ended::Fin), ("reset_after_upgrade", Ended::Reset)] {
        let gateway = with_fault(fault).await;
        let mut client = open(&gateway).await;
        assert_eq!(client.rest().await, (vec![], expected), "{fault}");
    }
}

#[tokio::test]
async fn bytes_after_upgrade_come_with_the_101() {
    let gateway = with_fault("bytes_after_upgrade").await;
    let mut client = connect(&gateway).await;
    client.send(request("").as_bytes()).await;
    let first_read = client.more().await.unwrap();
    let head = client.head().await;
    assert_eq!(client.frame().await.text(), "hello");
    assert_eq!(first_read, head.len() + 2 + "hello".len());
}

#[tokio::test]
async fn hello_late_missing_or_binary() {
    let gateway = with_fault("hello_delay=200ms").await;
    let started = Instant::now();
    let mut client = open(&gateway).await;
    client.send_frame(PING, b"meanwhile").await;
    assert_eq!(client.frame().await.opcode(), PONG);
    assert_eq!(client.frame().await.text(), "hello");
    assert!(started.elapsed() >= Duration::from_millis(200));

    let gateway = with_fault("no_hello").await;
    let mut client = open(&gateway).await;
    client.send_frame(TEXT, b"first").await;
    assert_eq!(client.frame().await.text(), "first");

    let gateway = with_fault("wrong_hello").await;
    let hello = open(&gateway).await.frame().await;
    assert_eq!((hello.opcode(), &hello.payload[..]), (BINARY, &b"hello"[..]));
}

#[tokio::test]
async fn frame_drip_sends_single_bytes() {
    let gateway = with_fault("frame_drip=20ms").await;
    let started = Instant::now();
    let mut client = open(&gateway).await;
    assert_eq!(client.more().await, Ok(1));
    assert_eq!(client.frame().await.text(), "hello");
    assert!(started.elapsed() >= Duration::from_millis(20) * 6);
    client.close(1000).await;
    assert_eq!(client.frame().await.close_code(), Some(1000));
    assert_eq!(client.rest().await, (vec![], Ended::Fin));

    gateway.set_fault("frame_drip=1h".parse().unwrap()).unwrap();
    let mut client = open(&gateway).await;
    assert_eq!(client.more().await, Ok(1));
    drop(client);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn a_drain_hurries_a_dripping_session() {
    let gateway = with_fault("frame_drip=1h").await;
    let mut client = open(&gateway).await;
    assert_eq!(client.more().await, Ok(1));
    let drain = tokio::spawn(gateway.shutdown());
    assert_eq!(client.frame().await.text(), "hello");
    assert_eq!(client.frame().await.close_code(), Some(1001));
    client.close(1001).await;
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
    drop(client);
    drain.await.unwrap();
}

#[tokio::test]
async fn masked_frame_follows_the_switch() {
    let gateway = with_fault("masked_frame").await;
    let mut client = open(&gateway).await;
    let hello = client.frame().await;
    assert_eq!((hello.masked, hello.text()), (true, "hello"));
    gateway.clear_fault(FaultKind::MaskedFrame);
    client.send_frame(TEXT, b"x").await;
    assert!(!client.frame().await.masked);
}

#[tokio::test]
async fn close_unanswered_concerns_open_sessions_too() {
    let gateway = with_fault("bytes_after_upgrade").await;
    let mut client = greeted(&gateway).await;
    gateway.set_fault(Fault::CloseUnanswered).unwrap();
    client.close(1000).await;
    event(&gateway, 0, |kind| matches!(kind, EventKind::CloseReceived { .. })).await;
    client.send_frame(PING, b"there").await;
    client.silent_until(a_moment()).await;
    drop(client);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn close_delay_answers_late() {
    let gateway = with_fault("close_delay=200ms").await;
    let mut client = greeted(&gateway).await;
    let started = Instant::now();
    client.close(1000).await;
    assert_eq!(client.frame().await.close_code(), Some(1000));
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
}

#[tokio::test]
async fn close_keeps_tcp_answers_and_stays() {
    let gateway = with_fault("close_keeps_tcp").await;
    let mut client = greeted(&gateway).await;
    client.close(1000).await;
    assert_eq!(client.frame().await.close_code(), Some(1000));
    client.silent_until(a_moment()).await;
    drop(client);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn a_fault_that_cannot_show_is_refused() {
    let plain = gateway(Settings::default()).await;
    for fault in [
        "no_hello",
        "hello_delay=1s",
        "wrong_hello",
        "no_auth",
        "any_origin",
        "no_subprotocol",
        "tls_silent",
        "tls_expired",
    ] {
        let error = plain.set_fault(fault.parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("can have no effect"), "{error}");
    }
    assert!(plain.faults().is_empty());
    let unwatched = gateway(unwatched_settings()).await;
    for fault in [
        "zombies_kept",
        "zombies_late=1s",
        "zombies_early=1s",
        "zombies_half_closed",
        "zombies_cut",
        "zombies_reset",
        "zombies_code=1000",
        "healthy_evicted",
        "recovered_evicted",
        "application_zombies_kept",
        "stalled_fin",
        "slow_beside_zombies=1s",
        "pings_missing",
        "pings_drift=1s",
        "pings_early=1s",
        "application_pings_missing",
        "application_pings_drift=1s",
    ] {
        let error = unwatched.set_fault(fault.parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("can have no effect"), "{error}");
    }
    let patient = Settings { idle_timeout: Some(Duration::from_secs(60)), ..unwatched_settings() };
    let patient = gateway(patient).await;
    assert!(patient.set_fault(Fault::ZombiesKept).is_ok());
    assert!(patient.set_fault(Fault::RecoveredEvicted).is_err());
}
