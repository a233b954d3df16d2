//! The end of a session that has outlived its token, and the new tokens that put it off.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::client::*;
use super::jwt::{SECRET, rules, signed, unsigned};
use crate::gateway::{EventKind, Handle, Settings, TokenRefusal};

/// The time of day, in seconds since the Unix epoch.
pub fn clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// The settings of a gateway that refreshes tokens.
pub fn settings() -> Settings {
    let jwt = rules(Algorithm::HS256, SECRET).unwrap().with_audience(Some("a".into()));
    Settings { json: true, jwt: Some(jwt), heartbeat_interval: None, ..Settings::default() }
}

pub async fn refreshing() -> Handle {
    gateway(settings()).await
}

/// The claims of a good token that ends in so many seconds; no two have the same `jti`.
pub fn claims(seconds: f64) -> Value {
    let jti = format!("{:x}", rand::random::<u64>());
    json!({ "sub": "me", "aud": "a", "exp": clock() + seconds, "jti": jti })
}

pub fn token(seconds: f64) -> String {
    signed(&claims(seconds), SECRET)
}

/// A good token for a minute with one claim changed.
pub fn with(name: &str, value: impl Into<Value>) -> String {
    let mut claims = claims(60.0);
    claims[name] = value.into();
    signed(&claims, SECRET)
}

/// A session that this token has opened.
pub async fn opened(gateway: &Handle, token: &str) -> Client {
    let mut client = connect(gateway).await;
    let head = client.upgrade(&format!("Authorization: Bearer {token}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}

pub async fn say(client: &mut Client, message: Value) {
    client.send_frame(TEXT, message.to_string().as_bytes()).await;
}

pub async fn heard(client: &mut Client) -> Value {
    serde_json::from_str(client.frame().await.text()).unwrap()
}

pub async fn ask(client: &mut Client, old: &str, new: &str) {
    let message = json!({ "type": "token_refresh", "id": 7, "old_token": old, "new_token": new });
    say(client, message).await;
}

/// The answer to a refresh: `token_refreshed`, or the code of the error.
pub async fn answer(client: &mut Client) -> String {
    let answer = heard(client).await;
    assert_eq!(answer["id"], 7, "{answer}");
    match answer["type"].as_str() {
        Some("token_refreshed") => "token_refreshed".to_owned(),
        _ => {
            assert!(answer["type"] == "error" && answer["error"].is_string(), "{answer}");
            answer["code"].as_str().unwrap().to_owned()
        }
    }
}

pub async fn refresh(client: &mut Client, old: &str, new: &str) -> String {
    ask(client, old, new).await;
    answer(client).await
}

/// Asserts that the session is served.
pub async fn served(client: &mut Client) {
    let echo = json!({ "type": "echo", "id": 1, "payload": "p" });
    say(client, echo.clone()).await;
    assert_eq!(heard(client).await, echo);
}

/// Waits until the time of day is behind this one.
pub async fn past(time: f64) {
    while clock() <= time {
        tokio::time::sleep(Duration::try_from_secs_f64(time - clock()).unwrap_or_default()).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The end of a session that has outlived its token: not before this time of day.
pub async fn expires(client: &mut Client, not_before: f64) {
    let close = client.frame().await;
    assert_eq!((close.close_code(), &close.payload[2..]), (Some(4401), &b"token expired"[..]));
    assert!(clock() >= not_before, "{} s too early", not_before - clock());
    client.close(4401).await;
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
}

async fn metrics(gateway: &Handle) -> String {
    let mut client =
        Client::new(tokio::net::TcpStream::connect(gateway.control_address().unwrap()).await.unwrap());
    client.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    String::from_utf8(client.rest().await.0).unwrap()
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_what_is_granted_beyond() {
    let strict = settings();
    let plain = Settings { json: false, ..settings() };
    let jwt = strict.jwt.clone().map(|rules| rules.with_leeway(Duration::from_secs(1)));
    let lenient = Settings { jwt, expiry_grace: Duration::from_millis(250), ..settings() };
    for (settings, granted) in [(strict, 0.0), (plain, 0.0), (lenient, 1.25)] {
        let gateway = gateway(settings).await;
        let end = clock() + 0.5;
        let mut client = opened(&gateway, &with("exp", end)).await;
        let mut other = opened(&gateway, &token(60.0)).await;
        expires(&mut client, end + granted).await;
        event(&gateway, 0, |kind| *kind == EventKind::SessionExpired).await;
        other.send_frame(PING, b"").await;
        assert_eq!(other.frame().await.opcode(), PONG);
    }
}

#[tokio::test]
async fn a_refreshed_session_outlives_its_old_token_and_ends_with_the_new_one() {
    let gateway = gateway(Settings { control: Some("127.0.0.1:0".parse().unwrap()), ..settings() }).await;
    let (first_end, second_end) = (clock() + 0.6, clock() + 1.2);
    let (first, second) = (with("exp", first_end), with("exp", second_end));
    let mut client = opened(&gateway, &first).await;
    assert_eq!(refresh(&mut client, &first, &second).await, "token_refreshed");
    client.silent_until(past(first_end + 0.1)).await;
    served(&mut client).await;
    expires(&mut client, second_end).await;
    let kinds = [EventKind::TokenRefreshed, EventKind::SessionExpired];
    let log = gateway.events(0);
    let logged = log.iter().filter(|event| kinds.contains(&event.kind)).map(|event| &event.kind);
    assert!(logged.eq(&kinds));
    let text = metrics(&gateway).await;
    for line in [
        "gateprobe_gateway_tokens_refreshed_total 1",
        "gateprobe_gateway_sessions_expired_total 1",
        "gateprobe_gateway_closes_sent_total{code=\"4401\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn several_refreshes_say_how_long_each_token_lasts() {
    let gateway = refreshing().await;
    let mut old = token(30.0);
    let mut client = opened(&gateway, &old).await;
    for seconds in [100, 200, 300] {
        let new = token(f64::from(seconds) + 0.9);
        ask(&mut client, &old, &new).await;
        let answer = heard(&mut client).await;
        let expires_in = answer["expires_in"].as_u64().unwrap_or_else(|| panic!("{answer}"));
        assert!((1..=u64::from(seconds as u32)).contains(&expires_in), "{answer}");
        old = new;
    }
    // Without an id there is none in the answer.
    let message = json!({ "type": "token_refresh", "old_token": old, "new_token": token(5.0) });
    say(&mut client, message).await;
    let answer = heard(&mut client).await;
    assert_eq!((&answer["type"], answer.get("id")), (&json!("token_refreshed"), None));
}

#[tokio::test]
async fn a_bad_token_is_refused_and_changes_nothing() {
    let gateway = refreshing().await;
    let end = clock() + 3.0;
    let first = with("exp", end);
    let mut client = opened(&gateway, &first).await;
    let good = token(60.0);
    let (header, rest) = good.split_once('.').unwrap();
    for (new, why) in [
        ("", TokenRefusal::Malformed),
        ("no.jwt.here", TokenRefusal::Malformed),
        (&with("exp", Value::Null), TokenRefusal::Malformed),
        (&with("nbf", "tomorrow"), TokenRefusal::Malformed),
        (&signed(&claims(60.0), "another secret"), TokenRefusal::Forged),
        (&format!("{header}.A{rest}"), TokenRefusal::Forged),
        (&unsigned(&claims(60.0)), TokenRefusal::Unsigned),
        (&with("aud", "b"), TokenRefusal::OtherAudience),
        (&with("aud", Value::Null), TokenRefusal::OtherAudience),
        (&token(-5.0), TokenRefusal::Expired),
        (&with("nbf", clock() + 60.0), TokenRefusal::NotYetValid),
        (&with("sub", "you"), TokenRefusal::OtherSubject),
        (&with("sub", Value::Null), TokenRefusal::OtherSubject),
        (&first, TokenRefusal::Replayed),
    ] {
        assert_eq!(refresh(&mut client, &first, new).await, why.name(), "{new}");
        let refused = event(&gateway, 0, |kind| *kind == EventKind::TokenRefused { why }).await;
        let line = serde_json::to_string(&refused).unwrap();
        assert!(line.contains(why.name()) && (new.is_empty() || !line.contains(new)), "{line}");
    }
    assert_eq!(refresh(&mut client, &token(60.0), &good).await, "wrong_old_token");
    served(&mut client).await;
    assert_eq!(refresh(&mut client, &first, &good).await, "token_refreshed");
    client.silent_until(past(end + 0.1)).await;
    served(&mut client).await;
}

#[tokio::test]
async fn a_refused_refresh_does_not_put_off_the_end() {
    let gateway = refreshing().await;
    let end = clock() + 0.5;
    let first = with("exp", end);
    let mut client = opened(&gateway, &first).await;
    assert_eq!(refresh(&mut client, &first, &token(-5.0)).await, "expired");
    expires(&mut client, end).await;
}

#[tokio::test]
async fn a_token_is_good_for_one_refresh() {
    let gateway = refreshing().await;
    let (first, second, other) = (token(60.0), token(60.0), token(60.0));
    let mut client = opened(&gateway, &first).await;
    // Any number of sessions can be opened with a token.
    let mut beside = opened(&gateway, &first).await;
    let mut others = opened(&gateway, &other).await;
    assert_eq!(refresh(&mut client, &first, &second).await, "token_refreshed");
    assert_eq!(refresh(&mut client, &first, &second).await, "replayed");
    assert_eq!(refresh(&mut client, &second, &second).await, "replayed");
    assert_eq!(refresh(&mut client, &second, &first).await, "replayed");
    assert_eq!(refresh(&mut beside, &first, &second).await, "replayed");
    assert_eq!(refresh(&mut others, &other, &second).await, "replayed");
    // The same jti in another text is the same token.
    let mut again = claims(60.0);
    let jti = again["jti"].clone();
    assert_eq!(refresh(&mut others, &other, &signed(&again, SECRET)).await, "token_refreshed");
    again["exp"] = json!(clock() + 90.0);
    assert_eq!(again["jti"], jti);
    assert_eq!(refresh(&mut beside, &first, &signed(&again, SECRET)).await, "replayed");
    // Of two at once, the second one shows an old token that is not the session's any more.
    let (third, fourth) = (token(60.0), token(60.0));
    ask(&mut client, &second, &third).await;
    ask(&mut client, &second, &fourth).await;
    assert_eq!(answer(&mut client).await, "token_refreshed");
    assert_eq!(answer(&mut client).await, "wrong_old_token");
    assert_eq!(refresh(&mut client, &third, &fourth).await, "token_refreshed");
}

#[tokio::test]
async fn a_gateway_without_such_tokens_knows_no_refresh() {
    let gateway = gateway(Settings { jwt: None, ..settings() }).await;
    let mut client = open(&gateway).await;
    ask(&mut client, "old", "new").await;
    let answer = heard(&mut client).await;
    assert_eq!((&answer["error"], &answer["id"]), (&json!("unknown type"), &json!(7)));
    for fault in ["refresh_ignored", "refresh_takes=any", "expired_sessions_live", "expiry_late=1s"] {
        let error = gateway.set_fault(fault.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("can have no effect"), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_says_nothing_of_its_end_has_none() {
    // Let in by faults: what has expired already can't end the session, nor can what is no token.
    let gateway = refreshing().await;
    for (fault, token) in [
        ("jwt_expired_accepted", token(-100.0)),
        ("no_auth", "anything".to_owned()),
        ("malformed_accepted=bad_token", token(-100.0)),
    ] {
        gateway.clear_all();
        set(&gateway, fault);
        let mut client = opened(&gateway, &token).await;
        served(&mut client).await;
        served(&mut client).await;
    }
}
