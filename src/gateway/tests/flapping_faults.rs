//! Faults that show when clients come and go.

use std::time::{Duration, Instant};

use super::client::*;
use super::control::{controlled, value};
use crate::gateway::{EventKind, FaultKind, Handle, Payload, Settings};

async fn healthy() -> Handle {
    gateway(Settings::default()).await
}

/// Opens a session, closes it, and waits until the gateway has let go of it.
async fn visit(gateway: &Handle) {
    let mut client = open(gateway).await;
    client.close(1000).await;
    client.rest().await;
    drop(client);
    all_closed(gateway).await;
}

#[tokio::test]
async fn each_connection_is_slower_until_the_fault_is_off() {
    let gateway = healthy().await;
    set(&gateway, "connect_slower=60ms");
    for number in 0..4 {
        let started = Instant::now();
        visit(&gateway).await;
        assert!(started.elapsed() >= Duration::from_millis(60) * number, "{number}");
    }
    gateway.clear_fault(FaultKind::ConnectSlower);
    set(&gateway, "connect_slower=1h");
    visit(&gateway).await;
    let mut late = connect(&gateway).await;
    late.send(request("").as_bytes()).await;
    drop(late);
    all_closed(&gateway).await;
}

#[tokio::test]
async fn beyond_a_rate_connections_are_told_to_come_back() {
    let gateway = healthy().await;
    set(&gateway, "rate_limit=2");
    let _early = [open(&gateway).await, open(&gateway).await];
    let mut third = connect(&gateway).await;
    let head = third.upgrade("").await;
    assert!(head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{head}");
    assert!(head.contains("\r\nRetry-After: 1\r\n"), "{head}");
    assert_eq!(third.rest().await.1, Ended::Fin);
    gateway.clear_all();
    open(&gateway).await;
}

#[tokio::test]
async fn from_some_connection_on_nothing_is_answered_but_close() {
    let gateway = healthy().await;
    set(&gateway, "unstable_after=2");
    let mut first = open(&gateway).await;
    let mut second = open(&gateway).await;
    for client in [&mut first, &mut second] {
        client.send_frame(PING, b"a").await;
        client.send_frame(TEXT, b"b").await;
        client.send_frame(TEXT, br#"{"type":"ping"}"#).await;
    }
    assert_eq!(first.frame().await.opcode(), PONG);
    assert_eq!(first.frame().await.text(), "b");
    assert_eq!(first.frame().await.text(), r#"{"type":"pong"}"#);
    second.send_frame(PING, b"last").await;
    assert_eq!(pinged(&gateway, b"last").await, Some(2));
    gateway.clear_all();
    second.send_frame(TEXT, b"well again").await;
    assert_eq!(second.frame().await.text(), "well again");

    set(&gateway, "unstable_after=1");
    let mut third = open(&gateway).await;
    third.send_frame(BINARY, b"c").await;
    third.close(1000).await;
    assert_eq!(third.frame().await.close_code(), Some(1000));
}

/// Waits for a ping with this payload, and tells the connection on which it came.
async fn pinged(gateway: &Handle, payload: &[u8]) -> Option<u64> {
    let wanted = EventKind::PingReceived { payload: Payload::new(payload) };
    event(gateway, 0, |kind| *kind == wanted).await.connection
}

#[tokio::test]
async fn leaked_sessions_are_counted_until_the_fault_is_off() {
    let gateway = controlled(None).await;
    set(&gateway, "sessions_leaked");
    let kept = open(&gateway).await;
    for _ in 0..3 {
        visit_beside(&gateway, 1).await;
    }
    assert_eq!(value(&gateway, "sessions_open").await, 4);
    assert_eq!(value(&gateway, "connections_open").await, 1);
    gateway.clear_fault(FaultKind::SessionsLeaked);
    assert_eq!(value(&gateway, "sessions_open").await, 1);
    drop(kept);
    all_closed(&gateway).await;
    assert_eq!(value(&gateway, "sessions_open").await, 0);
    assert!(healthy().await.set_fault("sessions_leaked".parse().unwrap()).is_err());
}

/// Comes and goes while others stay.
async fn visit_beside(gateway: &Handle, others: usize) {
    let seen = gateway.events(0).len() as u64;
    let mut client = open(gateway).await;
    client.close(1000).await;
    client.rest().await;
    drop(client);
    event(gateway, seen, |kind| matches!(kind, EventKind::TcpClosed { .. })).await;
    assert_eq!(gateway.open_connections(), others);
}

/// Runs in a process of its own: it looks at the memory of the whole process.
#[test]
fn leaked_memory_is_resident_and_given_back() {
    const ALONE: &str = "GATEPROBE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(leak_memory());
    }
    let test = "gateway::tests::flapping_faults::leaked_memory_is_resident_and_given_back";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args([test, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

async fn leak_memory() {
    const MIB: i64 = 1024 * 1024;
    let gateway = controlled(None).await;
    visit(&gateway).await;
    let before = value(&gateway, "resident_memory_bytes").await;
    let grown = async || value(&gateway, "resident_memory_bytes").await - before;
    set(&gateway, "memory_leaked=8192");
    visit(&gateway).await;
    visit(&gateway).await;
    let two = grown().await;
    assert!((16 * MIB..22 * MIB).contains(&two), "{two} bytes instead of 16 MiB");
    for _ in 0..8 {
        visit(&gateway).await;
    }
    let all = grown().await;
    assert!((64 * MIB..72 * MIB).contains(&all), "{all} bytes instead of 64 MiB");
    gateway.clear_all();
    let left = grown().await;
    assert!(left < 6 * MIB, "{left} of {all} bytes are left");
}
