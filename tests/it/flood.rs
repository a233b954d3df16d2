//! A gateway that never stops talking can't make a run late.

use futures_util::SinkExt;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Bench, words};

/// Accepts, upgrades, and then sends messages for as long as they are taken; reads nothing.
async fn flood(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
            while socket.send(Message::text("and another thing")).await.is_ok() {}
        });
    }
}

async fn verdict(check: &str) -> (String, f64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(flood(listener));
    let yaml = format!(
        "lag_bound: 5s\ntargets: {{ talker: {{ url: 'ws://{address}', checks: {{ handshake: {{ {check} }} }} }} }}"
    );
    let report = Bench::new(&yaml).run("talker").await.remove(0);
    server.abort();
    (words(&report), report.duration.as_secs_f64())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_close_timeout_holds_against_a_flood() {
    let (words, took) = verdict("close_timeout: 500ms, timeout: 20s").await;
    assert_eq!(words, "fail close_unanswered");
    assert!(took < 10.0, "{took} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runs_deadline_holds_against_a_flood() {
    let (words, took) = verdict("close_timeout: 2s, timeout: 2s").await;
    assert_eq!(words, "fail close_unanswered");
    assert!(took < 10.0, "{took} s");
}
