//! Zombies that are not cleaned as they should be.

use std::time::Duration;

use super::client::*;
use crate::gateway::{ApplicationHeartbeat, EventKind, FaultKind, Handle, Level, Settings};

/// A gateway that can miss a client in each of the three ways.
fn watchful(timeout_ms: u64) -> Settings {
    let timeout = Duration::from_millis(timeout_ms);
    Settings {
        application_heartbeat: Some(ApplicationHeartbeat { interval: Duration::from_secs(3600), timeout }),
        idle_timeout: Some(timeout),
        ..lively(timeout_ms)
    }
}

/// From the first ping to the Close with this code, in nanoseconds.
fn survived(gateway: &Handle, code: u16) -> u64 {
    let close = at(gateway, 1, &EventKind::CloseSent { code: Some(code) });
    close - at(gateway, 1, &EventKind::PingSent { number: 1 })
}

#[tokio::test]
async fn zombies_kept_keeps_who_is_gone_until_it_is_switched_off() {
    let gateway = gateway_with(watchful(100), &["zombies_kept"]).await;
    let mut client = open(&gateway).await;
    client.pings_until(100).await;
    let missed = EventKind::HeartbeatMissed { level: Level::Protocol, number: 1 };
    let missed = |kind: &EventKind| *kind == missed || *kind == EventKind::Idle;
    assert_eq!(gateway.events(0).iter().filter(|event| missed(&event.kind)).count(), 2, "each is told once");
    gateway.clear_all();
    client.frame_mute().await.close_code().unwrap();
    assert_eq!(client.rest().await.1, Ended::Fin);
}

#[tokio::test]
async fn who_was_kept_and_comes_back_is_no_zombie() {
    let gateway = gateway_with(lively(2000), &["zombies_kept"]).await;
    let mut client = open(&gateway).await;
    client.pings_until(120).await;
    client.send_frame(PONG, &120u64.to_be_bytes()).await;
    event(&gateway, 0, |kind| *kind == EventKind::PongReceived { number: 120 }).await;
    gateway.clear_all();
    client.send_frame(TEXT, b"back").await;
    assert_eq!(client.frame_answering().await.text(), "back");
}

#[tokio::test]
async fn application_zombies_kept_keeps_only_those() {
    let second = Duration::from_secs(1);
    let application = ApplicationHeartbeat { interval: second / 50, timeout: second / 10 };
    let settings = Settings { application_heartbeat: Some(application), ..lively(1000) };
    let gateway = gateway_with(settings, &["application_zombies_kept"]).await;
    let (mut half_dead, mut mute) = (open(&gateway).await, open(&gateway).await);
    let missed = EventKind::HeartbeatMissed { level: Level::Application, number: 1 };
    let mute = async { while mute.frame_mute().await.opcode() != CLOSE {} };
    tokio::select! {
        got = async { loop {
            let got = half_dead.frame_answering().await;
            if got.opcode() != TEXT { break got }
        } } => panic!("{got:?}"),
        () = mute => {}
    }
    at(&gateway, 1, &missed);
    at(&gateway, 2, &EventKind::CloseSent { code: Some(1011) });
    gateway.clear_all();
    while half_dead.frame_answering().await.opcode() != CLOSE {}
    at(&gateway, 1, &EventKind::CloseSent { code: Some(4000) });
}

#[tokio::test]
async fn zombies_late_cleans_later() {
    let gateway = gateway_with(lively(100), &["zombies_late=200ms"]).await;
    let mut client = open(&gateway).await;
    assert_eq!(client.frame_mute().await.close_code(), Some(1011));
    client.rest().await;
    assert!(survived(&gateway, 1011) >= 300_000_000, "{}", survived(&gateway, 1011));
}

#[tokio::test]
async fn zombies_early_cleans_long_before_the_timeout() {
    let gateway = gateway_with(watchful(3_600_000), &["zombies_early=3599800ms"]).await;
    let mut client = open(&gateway).await;
    assert!(matches!(client.frame_mute().await.close_code(), Some(1011 | 4001)));
    client.rest().await;
    let told = |kind: &EventKind| matches!(kind, EventKind::HeartbeatMissed { .. } | EventKind::Idle);
    assert!(!gateway.events(0).iter().any(|event| told(&event.kind)));
    let closed = gateway.events(0).into_iter().find(|e| matches!(e.kind, EventKind::CloseSent { .. }));
    let waited = closed.unwrap().monotonic_ns - at(&gateway, 1, &EventKind::Upgraded);
    assert!(waited >= 200_000_000, "{waited}");
}

#[tokio::test]
async fn zombies_code_is_any_code_at_each_level() {
    let idle = Settings { idle_timeout: Some(Duration::from_millis(50)), ..Settings::default() };
    for (settings, code) in [(lively(50), 1006), (lively(50), 0), (idle, 4321)] {
        let gateway = gateway_with(settings, &[&format!("zombies_code={code}")]).await;
        let mut client = open(&gateway).await;
        assert_eq!(client.frame_mute().await.close_code(), Some(code));
        assert_eq!(client.rest().await.1, Ended::Fin);
    }
}

#[tokio::test]
async fn zombies_cut_and_zombies_reset_say_no_close() {
    for (fault, ended, reset) in [("zombies_cut", Ended::Fin, false), ("zombies_reset", Ended::Reset, true)] {
        let gateway = gateway_with(lively(50), &[fault]).await;
        let mut client = open(&gateway).await;
        let (bytes, how) = client.rest().await;
        assert_eq!(how, ended, "{fault}");
        assert!(bytes.chunks(10).all(|ping| ping[..2] == [0x89, 8]), "{fault}: {bytes:?}");
        drop(client);
        event(&gateway, 0, |kind| *kind == EventKind::TcpClosed { reset }).await;
        let told = |kind: &EventKind| matches!(kind, EventKind::CloseSent { .. });
        assert!(!gateway.events(0).iter().any(|event| told(&event.kind)));
    }
}

#[tokio::test]
async fn zombies_half_closed_closes_and_keeps_tcp_unread() {
    let gateway = gateway_with(lively(50), &["zombies_half_closed"]).await;
    let mut first = open(&gateway).await;
    assert_eq!(first.frame_mute().await.close_code(), Some(1011));
    // A second one is opened and closed meanwhile.
    let mut second = open(&gateway).await;
    let closed = async {
        assert_eq!(second.frame_mute().await.close_code(), Some(1011));
    };
    first.silent_until(closed).await;
    assert_eq!(gateway.open_connections(), 2);
    // Nobody reads: the client's kernel fills up.
    first.send_frame(TEXT, &[b'x'; 1000]).await;
    drop(second);
    event(&gateway, 0, |kind| *kind == EventKind::PeerGone { reset: false }).await;
    gateway.clear_fault(FaultKind::ZombiesHalfClosed);
    let fin = event(&gateway, 0, |kind| *kind == EventKind::FinSent).await;
    assert_eq!(fin.connection, Some(1));
    assert_eq!(first.rest().await, (vec![], Ended::Fin));
}
