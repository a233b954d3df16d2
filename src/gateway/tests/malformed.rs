//! One example of each thing that a client can do wrong in a session, and what a healthy gateway does.

use std::time::{Duration, Instant};

use super::client::*;
use crate::gateway::deflate::deflate;
use crate::gateway::{EventKind, Handle, Offence, Settings};

/// An offence, what commits it, the Close that it gets, and the first frame that answers it when it is
/// taken as good: its opcode and payload.
pub struct Example {
    pub offence: Offence,
    pub bytes: Vec<u8>,
    pub code: u16,
    pub good: (u8, Vec<u8>),
}

fn example(offence: Offence, bytes: Vec<u8>, code: u16, opcode: u8, good: &[u8]) -> Example {
    Example { offence, bytes, code, good: (opcode, good.to_vec()) }
}

/// All of framing, encoding and size but what comes after a Close.
pub fn examples() -> Vec<Example> {
    use Offence as O;
    let long_form = [&[0x81, 0xFE, 0, 1, 0, 0, 0, 0][..], b"x"].concat();
    let fragments = [frame(0x09, b"pi"), frame(0x80, b"ng")].concat();
    let inside = [frame(0x01, b"out"), frame(0x81, b"in")].concat();
    let reason = [&1000u16.to_be_bytes()[..], b"\xFF"].concat();
    let (big, ping) = (vec![7; 64 * 1024 + 1], [b'p'; 126]);
    vec![
        example(O::ReservedBit, frame(0xA1, b"x"), 1002, TEXT, b"x"),
        example(O::ReservedOpcode, frame(0x83, b"x"), 1002, BINARY, b"x"),
        example(O::Unmasked, vec![0x81, 0x01, b'x'], 1002, TEXT, b"x"),
        example(O::ControlTooLong, frame(0x89, &ping), 1002, PONG, &ping[..125]),
        example(O::ControlFragmented, fragments, 1002, PONG, b"ping"),
        example(O::BadLength, long_form, 1002, TEXT, b"x"),
        example(O::NothingToContinue, frame(0x80, b"lone"), 1002, TEXT, b"lone"),
        example(O::Interleaved, inside, 1002, TEXT, b"in"),
        example(O::ShortClose, frame(0x88, b"\x03"), 1002, CLOSE, b""),
        example(O::BadCloseCode, frame(0x88, &999u16.to_be_bytes()), 1002, CLOSE, &999u16.to_be_bytes()),
        example(O::BadCloseReason, frame(0x88, &reason), 1007, CLOSE, &1000u16.to_be_bytes()),
        example(O::NotUtf8, frame(0x81, b"\xC0\xAF"), 1007, TEXT, b"\xC0\xAF"),
        example(O::BadDeflate, frame(0xC1, b"\xFF\xFF"), 1007, BINARY, b"\xFF\xFF"),
        example(O::TooBig, frame(0x82, &big), 1009, BINARY, &big),
    ]
}

/// A gateway that speaks permessage-deflate.
pub async fn speaking_deflate() -> Handle {
    gateway(Settings { deflate: true, ..Settings::default() }).await
}

/// An open session with permessage-deflate.
pub async fn open_deflate(gateway: &Handle) -> Client {
    let mut client = connect(gateway).await;
    let head = client.upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    assert!(head.contains(" 101 ") && head.contains("client_no_context_takeover\r\n"), "{head}");
    client
}

/// Waits until this offence of a connection is in the log.
pub async fn noted(gateway: &Handle, offence: Offence) {
    event(gateway, 0, |kind| *kind == EventKind::Offence { offence }).await;
}

/// Waits until everything that the client sent has been answered.
async fn still_served(client: &mut Client) {
    client.send_frame(PING, b"still there?").await;
    let pong = client.frame().await;
    assert_eq!((pong.opcode(), &pong.payload[..]), (PONG, &b"still there?"[..]));
}

#[tokio::test]
async fn each_offence_has_its_code_and_is_noted() {
    let gateway = speaking_deflate().await;
    for Example { offence, bytes, code, .. } in examples() {
        let mut client = open_deflate(&gateway).await;
        client.send(&bytes).await;
        assert_eq!(client.frame().await.close_code(), Some(code), "{offence}");
        assert_eq!(client.rest().await, (vec![], Ended::Fin), "{offence}");
        noted(&gateway, offence).await;
    }
    let told = |event: &crate::gateway::Event| matches!(event.kind, EventKind::Offence { .. });
    assert_eq!(gateway.events(0).iter().filter(|event| told(event)).count(), examples().len());
}

#[tokio::test]
async fn what_comes_after_a_close_is_ignored() {
    let gateway = gateway(Settings::default()).await;
    let mut client = open(&gateway).await;
    client.send(&[frame(0x88, &1000u16.to_be_bytes()), frame(0x81, b"more")].concat()).await;
    assert_eq!(client.frame().await.close_code(), Some(1000));
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
    noted(&gateway, Offence::DataAfterClose).await;
}

#[tokio::test]
async fn odd_but_legal_input_is_served() {
    let gateway = gateway(Settings::default()).await;
    let mut client = open(&gateway).await;
    let pings: Vec<u8> = (0..10).flat_map(|number| frame(0x89, &[number])).collect();
    client.send(&pings).await;
    for number in 0..10 {
        assert_eq!(client.frame().await.payload, [number]);
    }
    let mut fragments = frame(0x01, b"a");
    (0..31).for_each(|_| fragments.extend(frame(0x00, b"b")));
    client.send(&fragments).await;
    client.send(&frame(0x80, b"c")).await;
    assert_eq!(client.frame().await.text(), format!("a{}c", "b".repeat(31)));
    let split = "ü".as_bytes();
    client.send(&[frame(0x01, &split[..1]), frame(0x80, &split[1..])].concat()).await;
    assert_eq!(client.frame().await.text(), "ü");
    client.send_frame(PONG, b"nobody asked").await;
    client.send_frame(PONG, &1u64.to_be_bytes()).await;
    still_served(&mut client).await;
    client.send_frame(TEXT, b"").await;
    assert_eq!(client.frame().await.text(), "");
}

#[tokio::test]
async fn a_frame_that_is_announced_too_long_is_refused_before_it_comes() {
    let gateway = gateway(Settings { message_limit: 1000, ..Settings::default() }).await;
    let mut client = open(&gateway).await;
    client.send_frame(BINARY, &[1; 1000]).await;
    assert_eq!(client.frame().await.payload.len(), 1000);
    client.send(&[0x82, 0xFE, 0x03, 0xE9, 0, 0, 0, 0]).await;
    assert_eq!(client.frame().await.close_code(), Some(1009));
}

#[tokio::test]
async fn compressed_messages_are_echoed_and_bombs_refused() {
    let gateway = speaking_deflate().await;
    let mut client = open_deflate(&gateway).await;
    let text = "text that repeats, text that repeats";
    let message = deflate(text.as_bytes());
    client.send(&frame(0xC1, &message)).await;
    assert_eq!(client.frame().await.text(), text);
    client.send(&[frame(0x41, &message[..5]), frame(0x80, &message[5..])].concat()).await;
    assert_eq!(client.frame().await.text(), text);
    let limit = 64 * 1024;
    client.send(&frame(0xC2, &deflate(&vec![0; limit]))).await;
    assert_eq!(client.frame().await.payload, vec![0; limit]);
    client.send(&frame(0xC2, &deflate(&vec![0; limit + 1]))).await;
    assert_eq!(client.frame().await.close_code(), Some(1009));
    let mut plain = open(&gateway).await;
    plain.send(&frame(0xC1, &message)).await;
    assert_eq!(plain.frame().await.close_code(), Some(1002));
}

#[tokio::test]
async fn a_close_that_is_never_completed_ends_in_time() {
    let gateway = gateway(Settings::default()).await;
    // It sends its Close, and never ends its side.
    let mut client = open(&gateway).await;
    let started = Instant::now();
    client.close(1000).await;
    client.frame().await;
    all_closed(&gateway).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // It never answers the gateway's.
    let mut client = open(&gateway).await;
    set(&gateway, "session_closed_after=1ms");
    assert_eq!(client.frame().await.close_code(), Some(1011));
    all_closed(&gateway).await;
}
