//! The gateway that speaks the dialect `json`.

use std::time::Duration;

use serde_json::Value;

use super::client::*;
use super::malformed::noted;
use crate::gateway::{ApplicationHeartbeat, EventKind, FaultKind, Handle, Offence, Settings};

async fn speaking_json() -> Handle {
    gateway(Settings { json: true, ..Settings::default() }).await
}

/// A text for each thing that an application can find wrong.
const WRONG: [(Offence, &str); 4] = [
    (Offence::BadJson, r#"{"type":"#),
    (Offence::UnknownType, r#"{"type":"nonsense","id":"n"}"#),
    (Offence::WrongType, r#"{"type":"echo","id":"n","payload":5}"#),
    (Offence::TooDeep, "[[[["),
];

fn wrong(offence: Offence, text: &str) -> String {
    if offence == Offence::TooDeep { text.repeat(100) } else { text.to_owned() }
}

async fn error(client: &mut Client) -> Value {
    let reply: Value = serde_json::from_str(client.frame().await.text()).unwrap();
    assert_eq!(reply["type"], "error", "{reply}");
    assert!(reply["error"].is_string(), "{reply}");
    reply["id"].clone()
}

#[tokio::test]
async fn echo_ping_and_pong_are_answered_as_the_preset_says() {
    let gateway = speaking_json().await;
    let mut client = open(&gateway).await;
    client.send_frame(TEXT, br#"{"type":"pong","id":1}"#).await;
    for (text, answer) in [
        (r#"{"type":"echo","id":"n","payload":"p","more":1}"#, r#"{"type":"echo","id":"n","payload":"p"}"#),
        (r#"{"type":"ping","id":"n"}"#, r#"{"type":"pong","id":"n"}"#),
    ] {
        client.send_frame(TEXT, text.as_bytes()).await;
        assert_eq!(client.frame().await.text(), answer);
    }
    client.send_frame(PING, b"p").await;
    assert_eq!(client.frame().await.opcode(), PONG);
}

#[tokio::test]
async fn what_is_wrong_gets_an_error_and_the_session_goes_on() {
    let gateway = speaking_json().await;
    let mut client = open(&gateway).await;
    for (offence, text) in WRONG {
        client.send_frame(TEXT, wrong(offence, text).as_bytes()).await;
        let id = error(&mut client).await;
        let known = matches!(offence, Offence::UnknownType | Offence::WrongType);
        assert_eq!(id, if known { "n".into() } else { Value::Null }, "{offence}");
        noted(&gateway, offence).await;
    }
    client.send_frame(BINARY, b"bytes").await;
    assert_eq!(client.frame().await.close_code(), Some(1003));
    noted(&gateway, Offence::UnwantedBinary).await;
    client.close(1003).await;
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
}

#[tokio::test]
async fn a_flood_of_errors_ends_in_1008() {
    let gateway = speaking_json().await;
    let mut client = open(&gateway).await;
    let flood: Vec<u8> = (0..20).flat_map(|_| frame(0x81, b"nonsense")).collect();
    client.send(&flood).await;
    for _ in 0..20 {
        error(&mut client).await;
    }
    assert_eq!(client.frame().await.close_code(), Some(1008));
    noted(&gateway, Offence::Flood).await;
}

#[tokio::test]
async fn its_own_heartbeat_is_answered() {
    let beat = ApplicationHeartbeat { interval: Duration::from_millis(20), timeout: Duration::from_secs(9) };
    let gateway =
        gateway(Settings { json: true, application_heartbeat: Some(beat), ..Settings::default() }).await;
    let mut client = open(&gateway).await;
    assert_eq!(client.frame().await.text(), r#"{"type":"ping","id":1}"#);
    client.send_frame(TEXT, br#"{"type":"pong","id":1}"#).await;
    let answered = |kind: &EventKind| *kind == EventKind::ApplicationPongReceived { number: 1 };
    event(&gateway, 0, answered).await;
}

#[tokio::test]
async fn faults_deal_with_each_offence_of_an_application() {
    let gateway = speaking_json().await;
    let shots = WRONG.map(|(offence, text)| (offence, TEXT, wrong(offence, text)));
    let binary = (Offence::UnwantedBinary, BINARY, "bytes".to_owned());
    for (offence, opcode, text) in shots.into_iter().chain([binary]) {
        let shoot = async |fault: &str| {
            gateway.clear_all();
            set(&gateway, &format!("malformed_{fault}={offence}"));
            let mut client = open(&gateway).await;
            client.send_frame(opcode, text.as_bytes()).await;
            client
        };
        let mut accepted = shoot("accepted").await;
        let echo = accepted.frame().await;
        assert_eq!((echo.opcode(), &echo.payload[..]), (opcode, text.as_bytes()), "{offence}");
        accepted.send_frame(TEXT, br#"{"type":"ping"}"#).await;
        assert_eq!(accepted.frame().await.text(), r#"{"type":"pong"}"#);
        assert_eq!(shoot("error").await.frame().await.close_code(), Some(1011), "{offence}");
        assert_eq!(shoot("wrong_code").await.frame().await.close_code(), Some(1000), "{offence}");
        let mut hung = shoot("hang").await;
        hung.send_frame(PING, b"there?").await;
        hung.silent_until(tokio::time::sleep(Duration::from_millis(20))).await;
        assert_eq!(shoot("crash").await.rest().await, (vec![], Ended::Reset), "{offence}");
    }
}

#[tokio::test]
async fn faults_deal_with_a_flood() {
    let gateway = speaking_json().await;
    let flood: Vec<u8> = (0..20).flat_map(|_| frame(0x81, b"nonsense")).collect();
    for (fault, code) in [("error", Some(1011)), ("wrong_code", Some(1000)), ("accepted", None)] {
        gateway.clear_all();
        set(&gateway, &format!("malformed_{fault}=flood"));
        let mut client = open(&gateway).await;
        client.send(&flood).await;
        for _ in 0..20 {
            error(&mut client).await;
        }
        match code {
            Some(_) => assert_eq!(client.frame().await.close_code(), code, "{fault}"),
            None => {
                client.send_frame(PING, b"on").await;
                assert_eq!(client.frame().await.opcode(), PONG);
            }
        }
    }
    gateway.clear_fault(FaultKind::MalformedAccepted);
    set(&gateway, "malformed_crash=flood");
    let mut client = open(&gateway).await;
    client.send(&flood).await;
    assert_eq!(client.rest().await.1, Ended::Reset);
}

#[tokio::test]
async fn what_a_plain_echo_never_finds_wrong_is_no_fault_there() {
    let plain = gateway(Settings::default()).await;
    for scope in ["application", "flood", "bad_json", "bad_deflate", "foreign_origin", "no_token"] {
        let error = plain.set_fault(format!("malformed_accepted={scope}").parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("can have no effect"), "{error}");
    }
    for scope in ["any", "handshake", "encoding", "framing", "size"] {
        set(&plain, &format!("malformed_accepted={scope}"));
    }
    let mut client = open(&plain).await;
    client.send_frame(TEXT, b"nonsense").await;
    assert_eq!(client.frame().await.text(), "nonsense");
}
