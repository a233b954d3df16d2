use std::time::{Duration, Instant};

use super::client::*;
use crate::gateway::{EventKind, Fault, FaultKind, Handle};

fn request_came(kind: &EventKind) -> bool {
    *kind == EventKind::RequestRead
}

async fn peer_gone(gateway: &Handle, reset: bool) {
    let gone = |kind: &EventKind| *kind == EventKind::PeerGone { reset };
    event(gateway, 0, gone).await;
    all_closed(gateway).await;
}

#[tokio::test]
async fn accept_silent_says_nothing_and_notices_the_end() {
    for reset in [false, true] {
        let gateway = with_fault("accept_silent").await;
        let mut client = connect(&gateway).await;
        client.send(request("").as_bytes()).await;
        client.silent_until(tokio::time::sleep(Duration::from_millis(50))).await;
        assert_eq!(gateway.open_connections(), 1);
        if reset {
            client.stream.set_zero_linger().unwrap();
        }
        drop(client);
        peer_gone(&gateway, reset).await;
    }
}

#[tokio::test]
async fn accept_silent_ends_with_the_gateway() {
    let gateway = with_fault("accept_silent").await;
    let mut client = connect(&gateway).await;
    event(&gateway, 0, |kind| *kind == EventKind::Accepted).await;
    let drain = tokio::spawn(gateway.shutdown());
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
    drop(client);
    drain.await.unwrap();
}

#[tokio::test]
async fn accept_close_and_accept_reset() {
    let gateway = with_fault("accept_close").await;
    assert_eq!(connect(&gateway).await.rest().await, (vec![], Ended::Fin));
    gateway.clear_all();
    gateway.set_fault(Fault::AcceptReset).unwrap();
    assert_eq!(connect(&gateway).await.rest().await, (vec![], Ended::Reset));
    gateway.clear_fault(FaultKind::AcceptReset);
    open(&gateway).await;
}

#[tokio::test]
async fn refuse_every_counts_from_the_switch() {
    let gateway = with_fault("refuse_every=3").await;
    for round in 0..3 {
        open(&gateway).await;
        open(&gateway).await;
        let mut third = connect(&gateway).await;
        assert_eq!(third.rest().await, (vec![], Ended::Reset), "round {round}");
    }
    open(&gateway).await;
    gateway.set_fault("refuse_every=1".parse().unwrap()).unwrap();
    assert_eq!(connect(&gateway).await.rest().await.1, Ended::Reset);
}

#[tokio::test]
async fn accept_delay_waits_before_the_first_byte_is_read() {
    let gateway = with_fault("accept_delay=200ms").await;
    let started = Instant::now();
    let mut client = connect(&gateway).await;
    assert!(client.upgrade("").await.contains(" 101 "));
    assert!(started.elapsed() >= Duration::from_millis(200));
    let events = gateway.events(0);
    let at = |wanted: fn(&EventKind) -> bool| {
        events.iter().find(|event| wanted(&event.kind)).unwrap().monotonic_ns
    };
    let waited = at(request_came) - at(|kind| *kind == EventKind::Accepted);
    assert!(waited >= 200_000_000, "{waited} ns");
}

#[tokio::test]
async fn accept_delay_notices_that_the_client_left() {
    let gateway = with_fault("accept_delay=1h").await;
    let mut client = connect(&gateway).await;
    client.send(b"unread").await;
    drop(client);
    peer_gone(&gateway, false).await;
}
