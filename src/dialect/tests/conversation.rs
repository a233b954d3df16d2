//! What a dialogue does, part by part.

use std::time::Duration;

use super::*;
use crate::dialect::{Answer, Await, Part};

fn opening() -> Value {
    json!({
        "open": [
            {"await": {"json": {"type": "hello"}}, "within": "5s",
             "capture": {"session": "/session_id", "beat_ms": "/heartbeat/interval"}},
            {"send": {"json": {"type": "auth", "token": "${token}", "session": "${session}"}}},
            {"send": {"text": "go ${client}"}},
            {"await": {"starts_with": "ok"}},
        ],
        "heartbeat": {"server": {"beat": {"json": {"type": "ping"}}, "capture": {"id": "/id"},
            "reply": {"json": {"type": "pong", "id": "${id}"}},
            "interval": {"captured": "beat_ms", "unit": "ms"}}},
        "error": {"json": {"type": "error"}},
    })
}

#[test]
fn open_steps_go_in_order_and_the_server_may_beat_meanwhile() {
    let mut dialogue = dialogue(opening(), Variables::new().with("token", "s3cr3t").with("client", "c1"));
    assert_eq!(dialogue.poll_send(), None);
    assert_eq!(dialogue.awaits(), Some(Await { within: Some(Duration::from_secs(5)), step: 0 }));
    assert_eq!(hear(&mut dialogue, "hello"), Meaning::WrongStep);
    assert_eq!(hear(&mut dialogue, json!({"type": "error"})), Meaning::Error);
    let beat = hear(&mut dialogue, json!({"type": "ping", "id": 3}));
    let Meaning::Beat { reply: Some(reply) } = beat else { panic!("{beat:?}") };
    assert_eq!(sent(&reply), json!({"type": "pong", "id": 3}));
    let hello = json!({"type": "hello", "session_id": "s1", "heartbeat": {"interval": 25_000}});
    assert_eq!(hear(&mut dialogue, hello), Meaning::Step);
    assert_eq!(dialogue.awaits(), None);
    let auth = dialogue.poll_send().expect("our turn");
    assert_eq!(sent(&auth), json!({"type": "auth", "token": "s3cr3t", "session": "s1"}));
    assert_eq!(dialogue.poll_send(), Some(text("go c1")));
    assert_eq!(dialogue.poll_send(), None);
    assert_eq!(dialogue.awaits(), Some(Await { within: None, step: 3 }));
    assert!(!dialogue.is_open());
    assert_eq!(hear(&mut dialogue, "ok then"), Meaning::Step);
    assert!(dialogue.is_open());
    assert_eq!(hear(&mut dialogue, "ok then"), Meaning::Other);
    let interval = dialogue.dialect().beat_interval(dialogue.variables());
    assert_eq!(interval, Some(Duration::from_secs(25)));
    assert!(!format!("{dialogue:?} {auth:?} {:?}", dialogue.variables()).contains("s3cr3t"));
}

#[test]
fn a_greeting_without_what_it_promises_is_no_greeting() {
    let mut dialogue = dialogue(opening(), Variables::new());
    assert_eq!(hear(&mut dialogue, json!({"type": "hello", "session_id": "s1"})), Meaning::WrongStep);
    assert_eq!(dialogue.variables().names().count(), 0, "half a greeting leaves nothing");
}

#[test]
fn a_beat_without_an_id_is_answered_without_one() {
    let mut dialogue = dialogue(opening(), Variables::new());
    let beat = hear(&mut dialogue, json!({"type": "ping"}));
    let Meaning::Beat { reply: Some(reply) } = beat else { panic!("{beat:?}") };
    assert_eq!(sent(&reply), json!({"type": "pong"}));
}

fn pings() -> Value {
    json!({"heartbeat": {"client": {
        "send": {"json": {"type": "ping", "id": "${nonce}"}},
        "answer": {"json": {"type": "pong", "id": "${nonce}"}},
    }}})
}

#[test]
fn answers_with_a_nonce_find_their_exchange_in_any_order() {
    let mut dialogue = dialogue(pings(), Variables::new());
    let mut ask = || dialogue.ask(Part::Heartbeat, &Variables::new()).expect("it has one").exchange;
    let (first, second, third) = (ask(), ask(), ask());
    assert!(first < second && second < third);
    let pong = |id: u64| json!({"type": "pong", "id": id});
    let part = Part::Heartbeat;
    let answer = |exchange| Meaning::Answer { exchange, part, result: Answer::Accepted };
    assert_eq!(hear(&mut dialogue, pong(second)), answer(second));
    assert_eq!(hear(&mut dialogue, pong(first)), answer(first));
    assert_eq!(hear(&mut dialogue, pong(first)), Meaning::Stray { part, repeated: true });
    assert_eq!(hear(&mut dialogue, pong(7)), Meaning::Stray { part, repeated: false });
    assert_eq!(hear(&mut dialogue, json!({"type": "pong"})), Meaning::Stray { part, repeated: false });
    dialogue.forget(third);
    assert_eq!(hear(&mut dialogue, pong(third)), Meaning::Stray { part, repeated: false });
    assert_eq!(hear(&mut dialogue, json!({"type": "other"})), Meaning::Other);
    assert_eq!(dialogue.ask(Part::Echo, &Variables::new()), None);
}

#[test]
fn connections_that_are_numbered_apart_tell_whose_answer_it_is() {
    let mut mine = dialogue(pings(), Variables::new()).numbered_from(5_000);
    let mut other = dialogue(pings(), Variables::new());
    assert_eq!(mine.ask(Part::Heartbeat, &Variables::new()).expect("asked").exchange, 5_000);
    let theirs = other.ask(Part::Heartbeat, &Variables::new()).expect("asked").exchange;
    let stray = Meaning::Stray { part: Part::Heartbeat, repeated: false };
    assert_eq!(hear(&mut mine, json!({"type": "pong", "id": theirs})), stray);
}

#[test]
fn answers_without_a_nonce_go_to_the_oldest() {
    let parts = json!({"heartbeat": {"client": {"send": {"text": "ping"}, "answer": {"text": "pong"}}}});
    let mut dialogue = dialogue(parts, Variables::new());
    let part = Part::Heartbeat;
    assert_eq!(hear(&mut dialogue, "pong"), Meaning::Stray { part, repeated: false });
    let first = dialogue.ask(part, &Variables::new()).expect("asked").exchange;
    let second = dialogue.ask(part, &Variables::new()).expect("asked").exchange;
    for exchange in [first, second] {
        assert_eq!(hear(&mut dialogue, "pong"), Meaning::Answer { exchange, part, result: Answer::Accepted });
    }
    assert_eq!(hear(&mut dialogue, "pong"), Meaning::Stray { part, repeated: true });
}

#[test]
fn an_echo_is_held_against_what_was_sent() {
    let parts = json!({"echo": {"send": {"text": "${payload}"}, "answer": {"text": "${payload}"}}});
    let mut dialogue = dialogue(parts, Variables::new());
    let payload = |content: &str| Variables::new().with("payload", content);
    dialogue.ask(Part::Echo, &payload("a")).expect("asked");
    let second = dialogue.ask(Part::Echo, &payload("b")).expect("asked");
    assert_eq!(second.message, text("b"));
    let answer = Meaning::Answer { exchange: second.exchange, part: Part::Echo, result: Answer::Accepted };
    assert_eq!(hear(&mut dialogue, "b"), answer);
    assert_eq!(hear(&mut dialogue, "c"), Meaning::Other, "a pattern of nothing but payload has no shape");
}

#[test]
fn refusals_are_told_from_what_is_accepted() {
    let parts = json!({
        "refresh": {
            "send": {"json": {"type": "refresh", "id": "${nonce}", "new": "${token}", "old": "${old_token}"}},
            "accepted": {"json": {"id": "${nonce}"}},
            "refused": {"json": {"id": "${nonce}", "error": "${any}"}},
            "capture": {"lifetime": "/expires_in"},
        },
        "teardown": [{"text": "bye ${token} ${lifetime}"}],
        "error": {"json": {"error": "${any}"}},
    });
    let mut dialogue = dialogue(parts, Variables::new().with("token", "t1"));
    let part = Part::Refresh;
    let mut ask = |token: &str| {
        let asked = dialogue.ask(part, &Variables::new().with("token", token)).expect("asked");
        (asked.exchange, sent(&asked.message))
    };
    let (refused, message) = ask("t2");
    assert_eq!(message, json!({"type": "refresh", "id": refused, "new": "t2", "old": "t1"}));
    let (accepted, _) = ask("t3");
    assert_eq!(
        hear(&mut dialogue, json!({"id": refused, "error": 1})),
        Meaning::Answer { exchange: refused, part, result: Answer::Refused }
    );
    assert_eq!(dialogue.teardown(), [text("bye t1 ")]);
    assert_eq!(
        hear(&mut dialogue, json!({"id": accepted, "expires_in": 60})),
        Meaning::Answer { exchange: accepted, part, result: Answer::Accepted }
    );
    assert_eq!(dialogue.teardown(), [text("bye t3 60")], "the token is now the new one");
    assert_eq!(hear(&mut dialogue, json!({"error": 5})), Meaning::Error);
}

#[test]
fn a_session_is_resumed_or_fresh() {
    let parts = json!({"resume": {
        "send": {"json": {"type": "resume", "id": "${nonce}", "session": "${session}", "seq": "${last_sequence}"}},
        "resumed": {"json": {"id": "${nonce}", "recovered": true}},
        "fresh": {"json": {"id": "${nonce}"}},
        "capture": {"session": "/session"},
    }});
    let part = Part::Resume;
    for (recovered, result) in [(json!(true), Answer::Resumed), (json!(null), Answer::Fresh)] {
        let mut dialogue =
            dialogue(parts.clone(), Variables::new().with("session", "s1").with("last_sequence", 7));
        let Some(asked) = dialogue.ask(part, &Variables::new()) else { panic!("it has one") };
        assert_eq!(sent(&asked.message)["seq"], 7);
        let answer = json!({"id": asked.exchange, "recovered": recovered, "session": "s2"});
        let exchange = asked.exchange;
        assert_eq!(hear(&mut dialogue, answer), Meaning::Answer { exchange, part, result });
        assert_eq!(dialogue.variables().get("session"), Some(&json!("s2")));
    }
}

#[test]
fn deliveries_are_numbered_and_the_last_number_is_kept() {
    let parts = json!({
        "delivery": {"message": {"json": {"ch": "${channel}"}}, "capture": {"sequence": "/seq", "epoch": "/e"}},
        "teardown": [{"json": ["${last_sequence}", "${epoch}"]}],
    });
    let mut dialogue = dialogue(parts, Variables::new().with("channel", "room"));
    let heard = |dialogue: &mut Dialogue, sequence: Value| {
        hear(dialogue, json!({"ch": "room", "seq": sequence, "e": "x"}))
    };
    assert_eq!(heard(&mut dialogue, json!(5)), Meaning::Delivery { sequence: Some(5) });
    assert_eq!(heard(&mut dialogue, json!("6")), Meaning::Delivery { sequence: Some(6) });
    assert_eq!(heard(&mut dialogue, json!(-1)), Meaning::Delivery { sequence: None });
    assert_eq!(hear(&mut dialogue, json!({"ch": "room"})), Meaning::Delivery { sequence: None });
    assert_eq!(sent(&dialogue.teardown()[0]), json!([-1, "x"]));
    assert_eq!(hear(&mut dialogue, json!({"ch": "other", "seq": 9})), Meaning::Other);
}

#[test]
fn publishing_without_an_answer_waits_for_none() {
    let parts = json!({"publish": {"send": {"text": "${sequence} ${payload}"}}});
    let mut dialogue = dialogue(parts, Variables::new());
    let asked = dialogue.ask(Part::Publish, &Variables::new().with("sequence", 4).with("payload", "x"));
    assert_eq!(asked.expect("it has one").message, text("4 x"));
    assert_eq!(hear(&mut dialogue, "4 x"), Meaning::Other);
}

#[test]
fn binary_messages_are_matched_by_their_bytes() {
    let parts = json!({"heartbeat": {
        "client": {"send": {"binary": "wAA="}, "answer": {"binary": "0AA="}},
        "server": {"beat": {"binary_starts_with": "AQ=="}},
    }});
    let mut dialogue = dialogue(parts, Variables::new());
    let asked = dialogue.ask(Part::Heartbeat, &Variables::new()).expect("asked");
    assert_eq!(asked.message, Message::Binary(vec![0xc0, 0].into()));
    let part = Part::Heartbeat;
    assert_eq!(dialogue.hear(&Message::Binary(vec![1, 2].into())), Meaning::Beat { reply: None });
    assert_eq!(
        dialogue.hear(&Message::Binary(vec![0xd0, 0].into())),
        Meaning::Answer { exchange: asked.exchange, part, result: Answer::Accepted }
    );
    assert_eq!(hear(&mut dialogue, "0AA="), Meaning::Other);
}

#[test]
fn a_flood_of_exchanges_is_bounded() {
    let mut dialogue = dialogue(pings(), Variables::new());
    let first = dialogue.ask(Part::Heartbeat, &Variables::new()).expect("asked").exchange;
    for _ in 0..1_000 {
        dialogue.ask(Part::Heartbeat, &Variables::new()).expect("asked");
    }
    let late = hear(&mut dialogue, json!({"type": "pong", "id": first}));
    assert_eq!(late, Meaning::Stray { part: Part::Heartbeat, repeated: false });
}

#[test]
fn a_wish_to_come_back_says_when() {
    let mut dialogue = dialogue(
        json!({
            "dialect": 1, "name": "t",
            "error": {"json": {"type": "${any}"}},
            "reconnect": {"message": {"json": {"type": "reconnect"}}, "capture": {"delay": "/delay"},
                "delay": {"captured": "delay", "unit": "s"}},
        }),
        Variables::new(),
    );
    for (delay, told) in
        [(json!(5), Some(5.0)), (json!("2.5"), Some(2.5)), (json!(0), None), (json!("soon"), None)]
    {
        let wish = json!({"type": "reconnect", "delay": delay});
        let delay = told.map(Duration::from_secs_f64);
        assert_eq!(hear(&mut dialogue, wish), Meaning::Reconnect { delay });
    }
    assert_eq!(
        hear(&mut dialogue, json!({"type": "reconnect"})),
        Meaning::Reconnect { delay: None },
        "none is kept"
    );
    assert_eq!(hear(&mut dialogue, json!({"type": "other"})), Meaning::Error);
}
