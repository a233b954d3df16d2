//! The gateway's own pings, missing and out of step.

use std::time::Duration;

use super::client::*;
use crate::gateway::{ApplicationHeartbeat, EventKind, FaultKind, Settings};

fn both(timeout_ms: u64) -> Settings {
    let application = ApplicationHeartbeat {
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(timeout_ms),
    };
    Settings { application_heartbeat: Some(application), ..lively(timeout_ms) }
}

#[tokio::test]
async fn pings_missing_sends_none_and_misses_nobody() {
    let gateway = gateway(Settings { heartbeat_timeout: Duration::from_millis(100), ..both(60_000) }).await;
    let mut client = open(&gateway).await;
    set(&gateway, "pings_missing");
    // At most what was on its way at the switch; the application's pings are the clock.
    let mut texts = 0;
    while texts < 20 {
        let got = client.frame().await;
        texts += usize::from(got.opcode() == TEXT);
        assert!(texts < 2 || got.opcode() == TEXT, "{got:?}");
    }
    gateway.clear_fault(FaultKind::PingsMissing);
    while client.frame().await.opcode() != PING {}
    let missed = |kind: &EventKind| matches!(kind, EventKind::HeartbeatMissed { .. });
    event(&gateway, 0, missed).await;
}

#[tokio::test]
async fn application_pings_missing_sends_none_of_them() {
    let gateway = gateway_with(both(60_000), &["application_pings_missing"]).await;
    let mut client = open(&gateway).await;
    client.pings_until(10).await;
    gateway.clear_all();
    assert!(client.frame_mute().await.text().contains(r#""id":1"#));
}

#[tokio::test]
async fn pings_drift_makes_each_interval_longer() {
    let gateway = gateway_with(lively(60_000), &["pings_drift=30ms"]).await;
    let mut client = open(&gateway).await;
    client.pings_until(4).await;
    event(&gateway, 0, |kind| *kind == EventKind::PingSent { number: 4 }).await;
    let start = at(&gateway, 1, &EventKind::Upgraded);
    for (number, due_ms) in [(1, 50), (2, 50 + 80), (3, 50 + 80 + 110), (4, 50 + 80 + 110 + 140)] {
        let sent = at(&gateway, 1, &EventKind::PingSent { number });
        assert!(sent - start >= due_ms * 1_000_000, "{number}: {} ns", sent - start);
    }
}

#[tokio::test]
async fn application_pings_drift_too() {
    let gateway = gateway_with(both(60_000), &["application_pings_drift=50ms"]).await;
    let mut client = open(&gateway).await;
    while client.frame_mute().await.text() != r#"{"type":"ping","id":3}"# {}
    event(&gateway, 0, |kind| *kind == EventKind::ApplicationPingSent { number: 3 }).await;
    let third = at(&gateway, 1, &EventKind::ApplicationPingSent { number: 3 });
    let start = at(&gateway, 1, &EventKind::Upgraded);
    assert!(third - start >= (70 + 120 + 170) * 1_000_000, "{}", third - start);
}

#[tokio::test]
async fn pings_early_follows_the_switch_within_an_interval() {
    let hourly = Settings { heartbeat_interval: Some(Duration::from_secs(3600)), ..lively(60_000) };
    let gateway = gateway(hourly).await;
    let mut client = open(&gateway).await;
    set(&gateway, "pings_early=1h");
    client.pings_until(5).await;
    event(&gateway, 0, |kind| *kind == EventKind::PingSent { number: 5 }).await;
    let sent = |number| at(&gateway, 1, &EventKind::PingSent { number });
    assert!(sent(5) - at(&gateway, 1, &EventKind::Upgraded) >= 50_000_000);
}
