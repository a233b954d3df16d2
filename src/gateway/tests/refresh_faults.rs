use std::time::{Duration, Instant};

use serde_json::json;

use super::client::*;
use super::jwt::{SECRET, signed, unsigned};
use super::refresh::*;
use crate::gateway::{EventKind, FaultKind, Handle, TokenRefusal};

async fn subscribed(gateway: &Handle, token: &str) -> Client {
    let mut client = opened(gateway, token).await;
    say(&mut client, json!({ "type": "subscribe", "id": 1, "channel": "c" })).await;
    assert_eq!(heard(&mut client).await["type"], "subscribed");
    client
}

async fn publish(client: &mut Client, sequence: u64) {
    let message = json!({ "type": "publish", "id": 2, "channel": "c", "sequence": sequence, "payload": "p" });
    say(client, message).await;
    assert_eq!(heard(client).await["type"], "published");
}

#[tokio::test]
async fn a_delayed_refresh_is_answered_when_the_time_has_come() {
    let gateway = refreshing().await;
    let (first, second, third) = (token(60.0), token(60.0), token(60.0));
    let mut client = opened(&gateway, &first).await;
    set(&gateway, "refresh_delay=1h");
    ask(&mut client, &first, &second).await;
    // What is asked meanwhile is answered.
    served(&mut client).await;
    assert!(!gateway.events(0).iter().any(|event| event.kind == EventKind::TokenRefreshed));
    gateway.clear_all();
    assert_eq!(answer(&mut client).await, "token_refreshed");

    set(&gateway, "refresh_delay=100ms");
    let asked = Instant::now();
    assert_eq!(refresh(&mut client, &second, &third).await, "token_refreshed");
    assert!(asked.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_delayed_refresh_comes_too_late_for_a_token_that_ends() {
    let gateway = refreshing().await;
    set(&gateway, "refresh_delay=1h");
    let end = clock() + 0.5;
    let first = with("exp", end);
    let mut client = opened(&gateway, &first).await;
    ask(&mut client, &first, &token(60.0)).await;
    expires(&mut client, end).await;
}

#[tokio::test]
async fn no_more_refreshes_wait_than_there_is_room_for() {
    let gateway = refreshing().await;
    set(&gateway, "refresh_delay=1h");
    let first = token(60.0);
    let mut client = opened(&gateway, &first).await;
    for _ in 0..33 {
        ask(&mut client, "not the one", &token(60.0)).await;
    }
    assert_eq!(answer(&mut client).await, "wrong_old_token");
    served(&mut client).await;
    gateway.clear_all();
    for _ in 0..32 {
        assert_eq!(answer(&mut client).await, "wrong_old_token");
    }
}

#[tokio::test]
async fn an_ignored_refresh_is_neither_answered_nor_applied() {
    let gateway = refreshing().await;
    set(&gateway, "refresh_ignored");
    let end = clock() + 1.0;
    let (first, second) = (with("exp", end), token(60.0));
    let mut client = opened(&gateway, &first).await;
    ask(&mut client, &first, &second).await;
    served(&mut client).await;
    gateway.clear_all();
    assert_eq!(refresh(&mut client, &second, &token(60.0)).await, "wrong_old_token");
    expires(&mut client, end).await;
    let mut client = opened(&gateway, &token(60.0)).await;
    assert_eq!(refresh(&mut client, &first, &second).await, "wrong_old_token", "it has not been used");
}

#[tokio::test]
async fn refreshes_are_refused_always_or_once() {
    let gateway = refreshing().await;
    let (first, second) = (token(60.0), token(60.0));
    let mut client = opened(&gateway, &first).await;
    set(&gateway, "refresh_refused");
    for _ in 0..2 {
        assert_eq!(refresh(&mut client, &first, &second).await, "unavailable");
    }
    let refused = EventKind::TokenRefused { why: TokenRefusal::Unavailable };
    event(&gateway, 0, |kind| *kind == refused).await;
    gateway.clear_all();
    set(&gateway, "refresh_refused_once");
    let mut other = opened(&gateway, &token(60.0)).await;
    assert_eq!(refresh(&mut client, &first, &second).await, "unavailable");
    assert_eq!(refresh(&mut other, "", "").await, "unavailable");
    assert_eq!(refresh(&mut other, "", "").await, "malformed");
    let third = token(60.0);
    assert_eq!(refresh(&mut client, &first, &second).await, "token_refreshed");
    assert_eq!(refresh(&mut client, &second, &third).await, "token_refreshed");
    gateway.clear_all();
    set(&gateway, "refresh_refused_once");
    assert_eq!(refresh(&mut client, &third, &token(60.0)).await, "unavailable", "switched on anew");
}

#[tokio::test]
async fn a_refresh_drops_the_session() {
    let gateway = refreshing().await;
    set(&gateway, "refresh_drops");
    let first = token(60.0);
    let mut client = opened(&gateway, &first).await;
    assert_eq!(refresh(&mut client, &first, &token(60.0)).await, "token_refreshed");
    assert_eq!(client.frame().await.close_code(), Some(1011));
    // One that is refused drops nothing.
    let mut client = opened(&gateway, &first).await;
    assert_eq!(refresh(&mut client, &first, &token(-5.0)).await, "expired");
    served(&mut client).await;
}

#[tokio::test]
async fn a_refresh_that_is_not_applied_leaves_the_old_end() {
    let gateway = refreshing().await;
    set(&gateway, "refresh_not_applied");
    let end = clock() + 0.5;
    let (first, second, third) = (with("exp", end), token(60.0), token(60.0));
    let mut client = opened(&gateway, &first).await;
    assert_eq!(refresh(&mut client, &first, &second).await, "token_refreshed");
    assert_eq!(refresh(&mut client, &second, &third).await, "token_refreshed");
    expires(&mut client, end).await;
}

#[tokio::test]
async fn each_kind_of_bad_token_can_be_taken_and_no_other() {
    let gateway = refreshing().await;
    let used = token(60.0);
    let mut client = opened(&gateway, &token(60.0)).await;
    assert_eq!(refresh(&mut client, "", &used).await, "wrong_old_token");
    let first = token(60.0);
    let mut client = opened(&gateway, &first).await;
    assert_eq!(refresh(&mut client, &first, &used).await, "token_refreshed");
    let bad = |kind: &str| match kind {
        "forged" => signed(&claims(60.0), "another secret"),
        "unsigned" => unsigned(&claims(60.0)),
        "other_audience" => with("aud", "b"),
        "expired" => token(-100.0),
        "not_yet_valid" => with("nbf", clock() + 100.0),
        "other_subject" => with("sub", "you"),
        "replayed" => used.clone(),
        "wrong_old_token" => token(60.0),
        other => panic!("{other}"),
    };
    let kinds = [
        "forged",
        "unsigned",
        "other_audience",
        "expired",
        "not_yet_valid",
        "other_subject",
        "replayed",
        "wrong_old_token",
    ];
    for fault in kinds.iter().chain(&["any"]) {
        set(&gateway, &format!("refresh_takes={fault}"));
        for kind in kinds {
            let first = token(60.0);
            let mut client = opened(&gateway, &first).await;
            let old = if kind == "wrong_old_token" { "another" } else { &first };
            let expected = if [kind, "any"].contains(fault) { "token_refreshed" } else { kind };
            assert_eq!(refresh(&mut client, old, &bad(kind)).await, expected, "{fault}: {kind}");
            served(&mut client).await;
        }
        // What is wrong in two things passes only where all is taken; what is no token, never.
        let first = token(60.0);
        let mut client = opened(&gateway, &first).await;
        let expected = if *fault == "any" { "token_refreshed" } else { "expired" };
        let mut twice = claims(-100.0);
        twice["sub"] = json!("you");
        let answered = refresh(&mut client, &first, &signed(&twice, SECRET)).await;
        let expected = if *fault == "expired" { "other_subject" } else { expected };
        assert_eq!(answered, expected, "{fault}");
        assert_eq!(refresh(&mut client, &first, "nonsense").await, "malformed");
    }
}

#[tokio::test]
async fn another_issuer_can_be_taken() {
    let mut settings = settings();
    settings.jwt = settings.jwt.map(|rules| rules.with_issuer(Some("us".into())));
    let gateway = gateway(settings).await;
    let (first, bad) = (with("iss", "us"), with("iss", "them"));
    let mut client = opened(&gateway, &first).await;
    assert_eq!(refresh(&mut client, &first, &token(60.0)).await, "other_issuer");
    assert_eq!(refresh(&mut client, &first, &bad).await, "other_issuer");
    set(&gateway, "refresh_takes=other_issuer");
    assert_eq!(refresh(&mut client, &first, &bad).await, "token_refreshed");
}

#[tokio::test]
async fn a_refresh_stalls_the_stream() {
    let gateway = refreshing().await;
    set(&gateway, "refresh_stalls_stream=1h");
    let (first, second) = (token(60.0), token(60.0));
    let mut client = subscribed(&gateway, &first).await;
    publish(&mut client, 1).await;
    assert_eq!(heard(&mut client).await["sequence"], 1);
    assert_eq!(refresh(&mut client, &first, &second).await, "token_refreshed");
    publish(&mut client, 2).await;
    publish(&mut client, 3).await;
    served(&mut client).await;
    gateway.clear_all();
    for sequence in [2, 3] {
        assert_eq!(heard(&mut client).await["sequence"], sequence);
    }
    set(&gateway, "refresh_stalls_stream=100ms");
    assert_eq!(refresh(&mut client, &second, &token(60.0)).await, "token_refreshed");
    publish(&mut client, 4).await;
    assert_eq!(heard(&mut client).await["sequence"], 4);
}

#[tokio::test]
async fn a_refresh_loses_messages() {
    let gateway = refreshing().await;
    set(&gateway, "refresh_loses_messages=1h");
    let first = token(60.0);
    let mut client = subscribed(&gateway, &first).await;
    publish(&mut client, 1).await;
    assert_eq!(heard(&mut client).await["sequence"], 1);
    assert_eq!(refresh(&mut client, &first, &token(60.0)).await, "token_refreshed");
    publish(&mut client, 2).await;
    served(&mut client).await;
    gateway.clear_fault(FaultKind::RefreshLosesMessages);
    publish(&mut client, 3).await;
    assert_eq!(heard(&mut client).await["sequence"], 3);
}

#[tokio::test]
async fn an_expired_session_lives_or_ends_late() {
    let gateway = refreshing().await;
    set(&gateway, "expired_sessions_live");
    let end = clock() + 0.4;
    let mut client = opened(&gateway, &with("exp", end)).await;
    client.silent_until(past(end + 0.1)).await;
    served(&mut client).await;
    gateway.clear_all();
    expires(&mut client, end).await;

    set(&gateway, "expiry_late=400ms");
    let end = clock() + 0.4;
    let mut client = opened(&gateway, &with("exp", end)).await;
    expires(&mut client, end + 0.4).await;
}

#[tokio::test]
async fn a_clock_that_runs_ahead_shows_in_the_date_and_judges_by_itself() {
    let gateway = refreshing().await;
    let mut honest = opened(&gateway, &token(60.0)).await;
    set(&gateway, "clock_skew=1h");
    let before = clock();
    let mut client = connect(&gateway).await;
    let ahead = with("exp", before + 3_660.0);
    let head = client.upgrade(&format!("Authorization: Bearer {ahead}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let date = head.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
    let date = jiff::fmt::rfc2822::parse(date).unwrap().timestamp().as_second() as f64;
    assert!((before.floor() + 3_600.0..=clock() + 3_600.0).contains(&date), "{date} at {before}");

    // A token of now has expired an hour ago, and one for in an hour is valid.
    let mut refused = connect(&gateway).await;
    let head = refused.upgrade(&format!("Authorization: Bearer {}\r\n", token(60.0))).await;
    assert!(head.starts_with("HTTP/1.1 401 ") && head.contains("\r\nDate: "), "{head}");
    assert_eq!(refresh(&mut client, &ahead, &token(60.0)).await, "expired");
    let mut later = claims(7_200.0);
    later["nbf"] = json!(clock() + 3_590.0);
    ask(&mut client, &ahead, &signed(&later, SECRET)).await;
    let answer = heard(&mut client).await;
    let expires_in = Duration::from_secs(answer["expires_in"].as_u64().unwrap());
    assert!(expires_in <= Duration::from_secs(3_600), "{answer}");
    // Who was there already has outlived its token, too.
    expires(&mut honest, before).await;
}
