//! A gateway that never stops talking can't make a run late.

use futures_util::{SinkExt, StreamExt};
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

/// Accepts, upgrades, sends a great many messages at once, and then does all that it should.
async fn burst(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
            for _ in 0..20_000 {
                if socket.feed(Message::text("the story so far")).await.is_err() {
                    return;
                }
            }
            let _ = socket.flush().await;
            // Answers the Close, too.
            while let Some(Ok(_)) = socket.next().await {}
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_much_to_say_that_answers_our_close_is_right() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(burst(listener));
    let yaml = format!(
        "lag_bound: 5s\ntargets: {{ talker: {{ url: 'ws://{address}', \
         checks: {{ handshake: {{ close_timeout: 10s, timeout: 20s }} }} }} }}"
    );
    let report = Bench::new(&yaml).run("talker").await.remove(0);
    server.abort();
    assert_eq!(words(&report), "pass", "{}", report.detail);
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
