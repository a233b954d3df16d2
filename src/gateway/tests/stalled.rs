//! Clients that do not read: with their window shut, only a RST gets through.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::MissedTickBehavior;

use super::client::*;
use crate::gateway::{Event, EventKind, Handle, Settings};

fn settings() -> Settings {
    Settings {
        heartbeat_interval: Some(Duration::from_millis(200)),
        heartbeat_timeout: Duration::from_millis(200),
        close_timeout: Duration::from_millis(100),
        ..Settings::default()
    }
}

/// Clients count as gone after an hour, or with the fault [`NOW`] at once.
fn far_deadline() -> Settings {
    let hour = Duration::from_secs(3600);
    Settings { heartbeat_interval: Some(Duration::from_millis(20)), heartbeat_timeout: hour, ..settings() }
}

const NOW: &str = "zombies_early=1h";

/// An open session with a small receive window.
async fn narrow(gateway: &Handle) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = Client::new(socket.connect(gateway.address()).await.unwrap());
    assert!(client.upgrade("").await.contains(" 101 "));
    client
}

/// Has so much echoed that the window shuts, but no more than the gateway's kernel holds.
async fn shut_window(client: &mut Client) {
    for _ in 0..4 {
        client.send_frame(BINARY, &[0; 60_000]).await;
    }
}

/// A client that has had more echoed than the gateway's kernel holds, and reads none of it.
async fn stuffed(gateway: &Handle) -> Client {
    let mut client = narrow(gateway).await;
    let flood = frame(0x82, &vec![0; 60_000]);
    let mut written = 0;
    let mut beats = tokio::time::interval(Duration::from_millis(20));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pings = || gateway.events(0).iter().filter(|event| event.kind.ping_sent().is_some()).count();
    // It is full when of ten pings that were due not one went out.
    let (mut before, mut still) = (0, 0);
    while still < 10 {
        let rest = &flood[written % flood.len()..];
        tokio::select! {
            count = client.stream.write(rest) => written += count.unwrap(),
            _ = beats.tick() => {
                still = if pings() == before { still + 1 } else { 0 };
                before = pings();
            }
        }
    }
    client
}

fn close_sent(event: &Event) -> bool {
    matches!(event.kind, EventKind::CloseSent { .. })
}

async fn closed(gateway: &Handle, reset: bool) -> Event {
    event(gateway, 0, |kind| *kind == EventKind::TcpClosed { reset }).await
}

#[tokio::test]
async fn a_shut_window_ends_in_a_reset_after_the_close_timeout() {
    let gateway = gateway(settings()).await;
    let mut client = narrow(&gateway).await;
    shut_window(&mut client).await;
    let closed = closed(&gateway, true).await;
    let told = at(&gateway, 1, &EventKind::CloseSent { code: Some(1011) });
    let pinged = at(&gateway, 1, &EventKind::PingSent { number: 1 });
    assert!(closed.monotonic_ns - told >= 100_000_000, "{}", closed.monotonic_ns - told);
    assert!(told - pinged >= 200_000_000, "{}", told - pinged);
    assert_eq!(client.rest().await.1, Ended::Reset);
}

#[tokio::test]
async fn output_beyond_the_kernels_queue_ends_in_a_reset_too() {
    let gateway = gateway(far_deadline()).await;
    let client = stuffed(&gateway).await;
    set(&gateway, NOW);
    let switched = gateway.events(0).last().unwrap().monotonic_ns;
    let closed = closed(&gateway, true).await;
    assert!(closed.monotonic_ns - switched >= 100_000_000, "{}", closed.monotonic_ns - switched);
    assert!(!gateway.events(0).iter().any(close_sent));
    drop(client);
}

#[tokio::test]
async fn who_reads_again_in_time_is_not_reset() {
    let patient = Settings { heartbeat_timeout: Duration::from_secs(30), ..settings() };
    let gateway = gateway(patient).await;
    let mut client = narrow(&gateway).await;
    shut_window(&mut client).await;
    event(&gateway, 0, |kind| *kind == EventKind::PingSent { number: 2 }).await;
    for _ in 0..4 {
        assert_eq!(client.frame_answering().await.payload.len(), 60_000);
    }
    client.close(1000).await;
    assert_eq!(client.frame_answering().await.close_code(), Some(1000));
    assert_eq!(client.rest().await.1, Ended::Fin);
}

/// Waits until a gateway has had time for several close timeouts, by its own clock.
async fn close_timeouts_passed(gateway: &Handle) {
    let watch = Settings { faults: vec![], ..lively(60_000) };
    let clock = crate::gateway::start(watch).await.unwrap();
    open(&clock).await.pings_until(25).await;
    assert!(gateway.open_connections() > 0);
}

#[tokio::test]
async fn stalled_fin_leaves_the_close_and_the_fin_behind_the_data() {
    let gateway = gateway_with(settings(), &["stalled_fin"]).await;
    let mut client = narrow(&gateway).await;
    shut_window(&mut client).await;
    event(&gateway, 0, |kind| *kind == EventKind::FinSent).await;
    // What the client says now must not turn the end into a reset.
    client.send_frame(BINARY, &[0; 1000]).await;
    close_timeouts_passed(&gateway).await;
    let mut echoed = 0;
    let close = loop {
        let got = client.frame_mute().await;
        match got.opcode() {
            BINARY => echoed += got.payload.len(),
            _ => break got,
        }
    };
    assert_eq!((echoed, close.close_code()), (240_000, Some(1011)));
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
    drop(client);
    closed(&gateway, false).await;
}

#[tokio::test]
async fn stalled_fin_cuts_what_does_not_fit() {
    let gateway = gateway_with(far_deadline(), &["stalled_fin"]).await;
    let mut client = stuffed(&gateway).await;
    set(&gateway, NOW);
    event(&gateway, 0, |kind| *kind == EventKind::FinSent).await;
    assert!(gateway.open_connections() == 1 && !gateway.events(0).iter().any(close_sent));
    assert_eq!(client.rest().await.1, Ended::Fin);
}

#[tokio::test]
async fn stalled_fin_switched_off_resets_at_once() {
    let gateway = gateway_with(settings(), &["stalled_fin"]).await;
    let mut client = narrow(&gateway).await;
    shut_window(&mut client).await;
    event(&gateway, 0, |kind| *kind == EventKind::FinSent).await;
    close_timeouts_passed(&gateway).await;
    gateway.clear_all();
    closed(&gateway, true).await;
    assert_eq!(client.rest().await.1, Ended::Reset);
}
