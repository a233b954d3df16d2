//! What the gateway counts at its clients.

use serde_json::Value;

use super::client::*;
use super::control::{ask, controlled, value};

#[tokio::test]
async fn bytes_frames_and_messages_are_counted_exactly() {
    let gateway = controlled(None).await;
    let mut client = connect(&gateway).await;
    let mut sent = request("").len();
    let mut received = client.upgrade("").await.len();
    let shots = [
        frame(0x81, b"text"),
        frame(0x02, b"one "),
        frame(0x80, b"message"),
        frame(0x89, b"ping"),
        frame(0x8A, b"pong"),
    ];
    for shot in &shots {
        client.send(shot).await;
        sent += shot.len();
    }
    for size in [4, 11, 4] {
        received += 2 + size;
        assert_eq!(client.frame().await.payload.len(), size);
    }
    let (_, _, body) = ask(&gateway, "GET /connections", "", "").await;
    let listed: Value = serde_json::from_str(&body).unwrap();
    let own = &listed["connections"][0];
    for (name, count) in
        [("bytes_received", sent), ("bytes_sent", received), ("frames_received", 5), ("messages_received", 2)]
    {
        assert_eq!(own[name], count, "{name}: {own}");
    }
    // A refused frame counts, and so does what comes after the gateway's FIN.
    let bad = frame(0x83, b"no such opcode");
    client.send(&bad).await;
    assert_eq!(client.rest().await.1, Ended::Fin);
    client.close(1000).await;
    drop(client);
    all_closed(&gateway).await;
    assert_eq!(value(&gateway, "frames_received_total").await, 6);
    assert_eq!(value(&gateway, "messages_received_total").await, 2);
    assert_eq!(value(&gateway, "bytes_received_total").await, (sent + bad.len() + 8) as i64);
    assert_eq!(value(&gateway, "bytes_sent_total").await, (received + 4) as i64);
    assert_eq!(value(&gateway, "connections_total").await, 1);
}
