//! Clients that do not read: with their window shut, only a RST gets through.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

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
    assert!(closed.monotonic_ns - told >= 99_000_000, "{}", closed.monotonic_ns - told);
    assert!(told - pinged >= 199_000_000, "{}", told - pinged);
    assert_eq!(client.rest().await.1, Ended::Reset);
}

#[tokio::test]
async fn output_beyond_the_kernels_queue_ends_in_a_reset_too() {
    let gateway = gateway(settings()).await;
    let mut client = narrow(&gateway).await;
    let flood = frame(0x82, &vec![0; 60_000]);
    // Echoes fill both windows, then the gateway stops reading, and only a reset ends the writing.
    while client.stream.write_all(&flood).await.is_ok() {}
    let closed = closed(&gateway, true).await;
    let missed = |kind: &EventKind| matches!(kind, EventKind::HeartbeatMissed { .. });
    let missed = event(&gateway, 0, missed).await;
    assert!(closed.monotonic_ns - missed.monotonic_ns >= 99_000_000);
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
    let gateway = gateway_with(settings(), &["stalled_fin"]).await;
    let mut client = narrow(&gateway).await;
    let flood = frame(0x82, &vec![0; 60_000]);
    tokio::select! {
        _ = async { while client.stream.write_all(&flood).await.is_ok() {} } => panic!("a reset"),
        _ = event(&gateway, 0, |kind| *kind == EventKind::FinSent) => {}
    }
    close_timeouts_passed(&gateway).await;
    let told = |event: &Event| matches!(event.kind, EventKind::CloseSent { .. });
    assert!(!gateway.events(0).iter().any(told));
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
