//! Zombies and sessions that behave, side by side.

use std::time::{Duration, Instant};

use super::client::*;
use crate::gateway::{EventKind, Handle, Settings};

/// Answers pings until the gateway closes, and answers that too.
async fn behave(mut client: Client) -> Option<u16> {
    let code = client.frame_answering().await.close_code();
    client.close(1000).await;
    client.rest().await;
    code
}

fn close_sent(gateway: &Handle, connection: u64) -> bool {
    let close = |kind: &EventKind| matches!(kind, EventKind::CloseSent { .. });
    gateway.events(0).iter().any(|event| event.connection == Some(connection) && close(&event.kind))
}

#[tokio::test]
async fn a_zombie_ends_alone_when_the_gateway_is_healthy() {
    let gateway = gateway(lively(1000)).await;
    let (mut healthy, mut mute) = (open(&gateway).await, open(&gateway).await);
    tokio::select! {
        got = healthy.frame_answering() => panic!("{got:?}"),
        close = mute.frame_mute() => assert_eq!(close.close_code(), Some(1011)),
    }
    healthy.send_frame(TEXT, b"well").await;
    assert_eq!(healthy.frame_answering().await.text(), "well");
}

#[tokio::test]
async fn healthy_evicted_takes_one_session_that_behaves_with_each_zombie() {
    let gateway = gateway_with(lively(1500), &["healthy_evicted"]).await;
    let healthy = [open(&gateway).await, open(&gateway).await, open(&gateway).await];
    let mut zombies = [open(&gateway).await, open(&gateway).await];
    let mut sessions: Vec<_> = healthy.map(|client| tokio::spawn(behave(client))).into();
    for zombie in &mut zombies {
        assert_eq!(zombie.frame_mute().await.close_code(), Some(1011));
    }
    for _ in 0..2 {
        let (code, _, rest) = futures_util::future::select_all(sessions).await;
        assert_eq!(code.unwrap(), Some(1011));
        sessions = rest;
    }
    let closed: Vec<bool> = (1..=3).map(|connection| close_sent(&gateway, connection)).collect();
    assert_eq!(closed.iter().filter(|closed| **closed).count(), 2, "{closed:?}");
    assert!(!sessions[0].is_finished());
    sessions[0].abort();
}

#[tokio::test]
async fn recovered_evicted_does_not_forgive_a_late_pong() {
    let settings = Settings { heartbeat_interval: Some(Duration::from_millis(100)), ..lively(2000) };
    for fault in [&["recovered_evicted"][..], &[]] {
        let gateway = gateway_with(settings.clone(), fault).await;
        let mut client = open(&gateway).await;
        // 1.2 s of 2 s unanswered.
        client.pings_until(13).await;
        client.send_frame(PONG, &13u64.to_be_bytes()).await;
        if fault.is_empty() {
            for number in 14..=30 {
                client.pings_until(number).await;
                client.send_frame(PONG, &number.to_be_bytes()).await;
            }
            continue;
        }
        assert_eq!(client.frame_answering().await.close_code(), Some(1011));
        client.rest().await;
        let close = at(&gateway, 1, &EventKind::CloseSent { code: Some(1011) });
        let waited = close - at(&gateway, 1, &EventKind::PingSent { number: 1 });
        assert!(waited >= 2_000_000_000, "{waited}");
        at(&gateway, 1, &EventKind::PongReceived { number: 13 });
    }
}

#[tokio::test]
async fn slow_beside_zombies_delays_the_pongs_of_the_others_only() {
    let gateway = gateway_with(lively(2500), &["zombies_kept", "slow_beside_zombies=300ms"]).await;
    let (mut mute, mut other) = (open(&gateway).await, open(&gateway).await);
    // As long as every ping is answered, all is fast: the pong comes before the echo.
    let both = async |suspect: &mut Client, fast: bool| {
        suspect.send_frame(PING, b"x").await;
        suspect.send_frame(TEXT, b"y").await;
        let kinds = [suspect.frame_mute().await.opcode(), suspect.frame_mute().await.opcode()];
        assert_eq!(kinds, if fast { [PONG, TEXT] } else { [TEXT, PONG] });
    };
    both(&mut other, true).await;
    // Both are to be late for a while; then one answers.
    mute.pings_until(70).await;
    let last = loop {
        let got = other.frame().await;
        other.send_frame(PONG, &got.payload).await;
        if got.payload >= 70u64.to_be_bytes().to_vec() {
            break got;
        }
    };
    let number = u64::from_be_bytes(last.payload.try_into().unwrap());
    let answered = |kind: &EventKind| *kind == EventKind::PongReceived { number };
    event(&gateway, 0, answered).await;
    both(&mut mute, true).await;
    let asked = Instant::now();
    both(&mut other, false).await;
    assert!(asked.elapsed() >= Duration::from_millis(300), "{:?}", asked.elapsed());
    // The zombie answers: nobody is slow any more.
    mute.send_frame(PING, b"end").await;
    let mut newest = Vec::new();
    loop {
        let got = mute.frame().await;
        match got.opcode() {
            PING => newest = got.payload,
            _ => break,
        }
    }
    mute.send_frame(PONG, &newest).await;
    let number = u64::from_be_bytes(newest.try_into().unwrap());
    event(&gateway, 0, |kind| *kind == EventKind::PongReceived { number }).await;
    both(&mut other, true).await;
}

#[tokio::test]
async fn session_closed_after_counts_from_the_upgrade_or_the_switch() {
    let gateway = gateway_with(Settings::default(), &["session_closed_after=100ms"]).await;
    assert_eq!(behave(open(&gateway).await).await, Some(1011));
    let close = at(&gateway, 1, &EventKind::CloseSent { code: Some(1011) });
    assert!(close - at(&gateway, 1, &EventKind::Upgraded) >= 100_000_000);

    gateway.clear_all();
    let client = open(&gateway).await;
    set(&gateway, "session_closed_after=150ms");
    let switched = gateway.events(0).last().unwrap().monotonic_ns;
    assert_eq!(behave(client).await, Some(1011));
    let close = at(&gateway, 2, &EventKind::CloseSent { code: Some(1011) });
    assert!(close - switched >= 150_000_000, "{}", close - switched);
}
