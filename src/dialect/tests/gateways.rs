//! The language says what real gateways speak.

use std::time::Duration;

use super::*;
use crate::dialect::{Answer, CloseClass, Origin, Part};

fn accepted(exchange: u64, part: Part) -> Meaning {
    Meaning::Answer { exchange, part, result: Answer::Accepted }
}

#[test]
fn graphql_transport_ws() {
    let parts = json!({
        "subprotocols": ["graphql-transport-ws"],
        "open": [
            {"send": {"json": {"type": "connection_init", "payload": {"token": "${token}"}}}},
            {"await": {"json": {"type": "connection_ack"}}, "within": "3s"},
        ],
        "heartbeat": {
            "client": {"send": {"json": {"type": "ping", "payload": {"n": "${nonce}"}}}, "answer": {"json": {"type": "pong"}}},
            "server": {"beat": {"json": {"type": "ping"}}, "reply": {"json": {"type": "pong"}}},
            "pings": {"interval": "12s"},
        },
        "zombie": {"origin": "unanswered_beat", "window": "12s"},
        "subscribe": {
            "send": {"json": {"id": "s${nonce}", "type": "subscribe", "payload": {"query": "subscription { a(b: \"${channel}\") }"}}},
            "answer": {"json": {"id": "s${nonce}", "type": "next"}},
            "refused": {"json": {"id": "s${nonce}", "type": "error"}},
        },
        "closes": {"refused": [4401, 4403, 4406], "throttled": [4429]},
    });
    let mut dialogue = dialogue(parts, Variables::new().with("token", "t").with("channel", "x\"y"));
    assert_eq!(sent(&dialogue.poll_send().expect("our turn"))["payload"], json!({"token": "t"}));
    assert_eq!(
        hear(&mut dialogue, json!({"type": "ping"})),
        Meaning::Beat { reply: Some(text("{\"type\":\"pong\"}")) }
    );
    assert_eq!(hear(&mut dialogue, json!({"type": "connection_ack"})), Meaning::Step);
    let asked = dialogue.ask(Part::Subscribe, &Variables::new()).expect("asked");
    assert_eq!(sent(&asked.message)["payload"]["query"], "subscription { a(b: \"x\"y\") }");
    let next = json!({"id": format!("s{}", asked.exchange), "type": "next", "payload": {}});
    assert_eq!(hear(&mut dialogue, next), accepted(asked.exchange, Part::Subscribe));
    assert_eq!(dialogue.dialect().pings_interval(dialogue.variables()), Some(Duration::from_secs(12)));
    assert_eq!(dialogue.dialect().close_class(4401), Some(CloseClass::Refused));
}

#[test]
fn pusher_7() {
    let parts = json!({
        "open": [{"await": {"json": {"event": "pusher:connection_established"}}}],
        "heartbeat": {
            "client": {"send": {"json": {"event": "pusher:ping", "data": {}}}, "answer": {"json": {"event": "pusher:pong"}}},
            "server": {"beat": {"json": {"event": "pusher:ping"}}, "reply": {"json": {"event": "pusher:pong"}}},
        },
        "zombie": {"origin": "unanswered_beat", "window": "30s"},
        "subscribe": {
            "send": {"json": {"event": "pusher:subscribe", "data": {"channel": "${channel}"}}},
            "answer": {"json": {"event": "pusher_internal:subscription_succeeded", "channel": "${channel}"}},
        },
        "closes": {"refused": ["4000-4099"], "throttled": ["4100-4199"], "drained": [4200, "4202-4299"], "zombie": [4201]},
    });
    let mut dialogue = dialogue(parts, Variables::new().with("channel", "room"));
    let established = json!({"event": "pusher:connection_established", "data": "{\"activity_timeout\":120}"});
    assert_eq!(hear(&mut dialogue, established), Meaning::Step);
    let asked = dialogue.ask(Part::Subscribe, &Variables::new()).expect("asked");
    let answer = json!({"event": "pusher_internal:subscription_succeeded", "channel": "room", "data": "{}"});
    assert_eq!(hear(&mut dialogue, answer), accepted(asked.exchange, Part::Subscribe));
    let classes = [4001, 4150, 4201, 4202, 4300].map(|code| dialogue.dialect().close_class(code));
    assert_eq!(
        classes,
        [
            Some(CloseClass::Refused),
            Some(CloseClass::Throttled),
            Some(CloseClass::Zombie),
            Some(CloseClass::Drained),
            None
        ]
    );
}

#[test]
fn phoenix_2() {
    let parts = json!({
        "open": [
            {"send": {"json": ["1", "1", "${channel}", "phx_join", {"access_token": "${token}"}]}},
            {"await": {"json": ["1", "1", "${channel}", "phx_reply", {"status": "ok"}]}},
        ],
        "heartbeat": {"client": {
            "send": {"json": [null, "r${nonce}", "phoenix", "heartbeat", {}]},
            "answer": {"json": [null, "r${nonce}", "phoenix", "phx_reply", {"status": "ok"}]},
        }},
        "zombie": {"origin": "last_client_data", "window": "60s"},
        "error": {"json": ["${any}", "${any}", "${any}", "phx_error", "${any}"]},
    });
    let mut dialogue = dialogue(parts, Variables::new().with("channel", "room:1").with("token", "t"));
    dialogue.poll_send().expect("our turn");
    let joined = json!(["1", "1", "room:1", "phx_reply", {"status": "ok", "response": {}}]);
    assert_eq!(hear(&mut dialogue, joined), Meaning::Step);
    let asked = dialogue.ask(Part::Heartbeat, &Variables::new()).expect("asked");
    let answer = json!([null, format!("r{}", asked.exchange), "phoenix", "phx_reply", {"status": "ok", "response": {}}]);
    assert_eq!(hear(&mut dialogue, answer), accepted(asked.exchange, Part::Heartbeat));
    assert_eq!(hear(&mut dialogue, json!(["1", "1", "room:1", "phx_error", {}])), Meaning::Error);
    let promise = dialogue.dialect().zombie(dialogue.variables()).expect("a promise");
    assert_eq!((promise.origin, promise.latest), (Origin::LastClientData, Duration::from_secs(60)));
}

#[test]
fn centrifugo_json() {
    let parts = json!({
        "open": [
            {"send": {"json": {"id": 1, "connect": {"token": "${token}"}}}},
            {"await": {"json": {"id": 1, "connect": {}}},
             "capture": {"client": "/connect/client", "ping_s": "/connect/ping"}},
        ],
        "heartbeat": {"server": {"beat": {"text": "{}"}, "reply": {"text": "{}"},
            "interval": {"captured": "ping_s", "unit": "s"}}},
        "zombie": {"origin": "unanswered_beat", "window": "8s"},
        "subscribe": {
            "send": {"json": {"id": "${nonce}", "subscribe": {"channel": "${channel}", "recoverable": true}}},
            "answer": {"json": {"id": "${nonce}", "subscribe": {}}},
            "refused": {"json": {"id": "${nonce}", "error": {}}},
            "capture": {"epoch": "/subscribe/epoch", "last_sequence": "/subscribe/offset"},
        },
        "delivery": {"message": {"json": {"push": {"channel": "${channel}", "pub": {}}}},
            "capture": {"sequence": "/push/pub/offset"}},
        "resume": {
            "send": {"json": {"id": "${nonce}", "subscribe": {"channel": "${channel}", "recover": true, "epoch": "${epoch}", "offset": "${last_sequence}"}}},
            "resumed": {"json": {"id": "${nonce}", "subscribe": {"recovered": true}}},
            "fresh": {"json": {"id": "${nonce}"}},
        },
        "refresh": {
            "send": {"json": {"id": "${nonce}", "refresh": {"token": "${token}"}}},
            "accepted": {"json": {"id": "${nonce}", "refresh": {}}},
            "refused": {"json": {"id": "${nonce}", "error": {}}},
            "capture": {"lifetime": "/refresh/ttl"},
        },
        "closes": {"refused": [3500], "throttled": [3008], "zombie": [3012]},
        "limits": {"message": "64KiB"},
    });
    let mut dialogue = dialogue(parts, Variables::new().with("token", "t").with("channel", "room"));
    dialogue.poll_send().expect("our turn");
    assert_eq!(hear(&mut dialogue, "{}"), Meaning::Beat { reply: Some(text("{}")) });
    let connected = json!({"id": 1, "connect": {"client": "c9", "ping": 25, "pong": true}});
    assert_eq!(hear(&mut dialogue, connected), Meaning::Step);
    let asked = dialogue.ask(Part::Subscribe, &Variables::new()).expect("asked");
    let answer = json!({"id": asked.exchange, "subscribe": {"epoch": "e", "offset": 4}});
    assert_eq!(hear(&mut dialogue, answer), accepted(asked.exchange, Part::Subscribe));
    let push = json!({"push": {"channel": "room", "pub": {"data": 1, "offset": 5}}});
    assert_eq!(hear(&mut dialogue, push), Meaning::Delivery { sequence: Some(5) });
    let asked = dialogue.ask(Part::Resume, &Variables::new()).expect("asked");
    assert_eq!(
        sent(&asked.message)["subscribe"],
        json!({"channel": "room", "recover": true, "epoch": "e", "offset": 5})
    );
    let answer = hear(&mut dialogue, json!({"id": asked.exchange, "subscribe": {"epoch": "e"}}));
    assert_eq!(
        answer,
        Meaning::Answer { exchange: asked.exchange, part: Part::Resume, result: Answer::Fresh }
    );
    let dialect = dialogue.dialect();
    assert_eq!(dialect.beat_interval(dialogue.variables()), Some(Duration::from_secs(25)));
    assert_eq!(dialect.message_limit(), Some(65_536));
}

#[test]
fn engine_io_4_with_socket_io_5() {
    let parts = json!({
        "open": [
            {"await": {"prefix": "0", "json": {"sid": "${any}"}}, "capture": {
                "ping_ms": "/pingInterval", "timeout_ms": "/pingTimeout"}},
            {"send": {"prefix": "40", "json": {"token": "${token}", "pid": "${session}", "offset": "${last_sequence}"}}},
            {"await": {"prefix": "40", "json": {"sid": "${any}"}}, "within": "45s"},
        ],
        "heartbeat": {"server": {"beat": {"text": "2"}, "reply": {"text": "3"},
            "interval": {"captured": "ping_ms", "unit": "ms"}}},
        "zombie": {"origin": "unanswered_beat", "window": {"captured": "timeout_ms", "unit": "ms"}, "release": "31s"},
        "echo": {"send": {"prefix": "42${nonce}", "json": ["echo", "${payload}"]},
            "answer": {"prefix": "43${nonce}", "json": ["${payload}"]}},
        "delivery": {"message": {"prefix": "42", "json": ["message", "${any}", "${any}"]},
            "capture": {"sequence": "/2"}},
        "error": {"starts_with": "44"},
    });
    let mut dialogue = dialogue(parts, Variables::new().with("token", "t"));
    assert_eq!(dialogue.dialect().zombie(dialogue.variables()), None, "not told yet");
    let open = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(hear(&mut dialogue, open), Meaning::Step);
    assert_eq!(dialogue.poll_send(), Some(text(r#"40{"token":"t"}"#)));
    assert_eq!(hear(&mut dialogue, "2"), Meaning::Beat { reply: Some(text("3")) });
    assert_eq!(hear(&mut dialogue, r#"40{"sid":"x"}"#), Meaning::Step);
    let promise = dialogue.dialect().zombie(dialogue.variables()).expect("told");
    assert_eq!((promise.earliest.as_secs(), promise.release), (20, Some(Duration::from_secs(31))));
    let asked = dialogue.ask(Part::Echo, &Variables::new().with("payload", "p")).expect("asked");
    assert_eq!(asked.message, text(format!("42{}[\"echo\",\"p\"]", asked.exchange)));
    let ack = format!("43{}[\"p\"]", asked.exchange);
    assert_eq!(hear(&mut dialogue, &ack), accepted(asked.exchange, Part::Echo));
    assert_eq!(hear(&mut dialogue, &ack), Meaning::Stray { part: Part::Echo, repeated: true });
    let event = r#"42["message",{"a":1},"17"]"#;
    assert_eq!(hear(&mut dialogue, event), Meaning::Delivery { sequence: Some(17) });
    assert_eq!(hear(&mut dialogue, r#"44{"message":"no"}"#), Meaning::Error);
}

#[test]
fn signalr_json() {
    let end = "\u{1e}";
    let parts = json!({
        "before": {"method": "POST", "path": "/chat/negotiate?negotiateVersion=1",
            "capture": {"connection": "/connectionToken"}, "query": {"id": "${connection}"}},
        "open": [
            {"send": {"json": {"protocol": "json", "version": 1}, "suffix": end}},
            {"await": {"text": format!("{{}}{end}")}, "within": "15s"},
        ],
        "heartbeat": {"server": {"beat": {"json": {"type": 6}, "suffix": end},
            "reply": {"json": {"type": 6}, "suffix": end}, "interval": "15s"}},
        "zombie": {"origin": "last_client_data", "window": "30s"},
        "echo": {
            "send": {"json": {"type": 1, "invocationId": "i${nonce}", "target": "Echo", "arguments": ["${payload}"]}, "suffix": end},
            "answer": {"json": {"type": 3, "invocationId": "i${nonce}", "result": "${payload}"}, "suffix": end},
            "refused": {"json": {"type": 3, "invocationId": "i${nonce}", "error": "${any}"}, "suffix": end},
        },
        "error": {"json": {"type": 7, "error": "${any}"}, "suffix": end},
        "limits": {"message": "32KiB"},
    });
    let mut dialogue = dialogue(parts, Variables::new());
    assert_eq!(dialogue.poll_send(), Some(text("{\"protocol\":\"json\",\"version\":1}\u{1e}")));
    assert_eq!(hear(&mut dialogue, "{}\u{1e}"), Meaning::Step);
    let beat = text("{\"type\":6}\u{1e}");
    assert_eq!(dialogue.hear(&beat), Meaning::Beat { reply: Some(beat.clone()) });
    let asked =
        dialogue.ask(Part::Echo, &Variables::new().with("payload", json!({"a": [1]}))).expect("asked");
    let record = |fields: Value| format!("{fields}{end}");
    let id = format!("i{}", asked.exchange);
    let done = record(json!({"type": 3, "invocationId": id, "result": {"a": [1]}}));
    assert_eq!(hear(&mut dialogue, done), accepted(asked.exchange, Part::Echo));
    let bye = record(json!({"type": 7, "error": "x"}));
    assert_eq!(hear(&mut dialogue, bye), Meaning::Error);
}

#[test]
fn a_request_before_the_upgrade() {
    let parts = json!({"before": {
        "method": "POST", "path": "/tickets?for=${user}", "headers": {"Authorization": "Bearer ${token}"},
        "body": {"json": {"client": "${client}"}}, "status": 201,
        "capture": {"ticket": "/data/ticket"}, "query": {"ticket": "${ticket}"},
    }});
    let dialect = compile(parts).expect("a dialect");
    let before = dialect.before().expect("it has one");
    let given = Variables::new().with("user", "a/b c&d").with("token", "s3cr3t").with("client", 7);
    let request = before.request(&given);
    assert_eq!((request.method, request.target.as_str()), ("POST", "/tickets?for=a%2Fb%20c%26d"));
    assert_eq!(request.headers, [("Authorization".to_owned(), "Bearer s3cr3t".to_owned())]);
    assert_eq!(request.body, Some(("application/json", b"{\"client\":7}".to_vec())));
    assert!(!format!("{request:?}").contains("s3cr3t"));
    let told = before.read(201, br#"{"data": {"ticket": "t1"}}"#).expect("as promised");
    let query = before.query(&told);
    assert_eq!(query, [("ticket".to_owned(), "t1".to_owned())]);
    let errors = [(200, "{}"), (201, "{}"), (201, "oops")];
    let errors =
        errors.map(|(status, text)| before.read(status, text.as_bytes()).expect_err("wrong").to_string());
    let wanted = [
        "it answered 200, not 201",
        "its answer lacks what `ticket` is captured from",
        "its answer is not JSON",
    ];
    assert_eq!(errors, wanted);
    assert!(before.request(&Variables::new()).headers.is_empty(), "no token, no header");
    assert!(dialect.sends("ticket") && dialect.sends_to_open("token") && !dialect.sends("payload"));
}
