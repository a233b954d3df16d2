//! Every mistake has a place and says what is allowed.

use super::*;

fn mistakes(parts: Value) -> Vec<String> {
    compile(parts).expect_err("has mistakes").iter().map(ToString::to_string).collect()
}

#[test]
fn messages_and_patterns() {
    let parts = json!({
        "open": [
            {"await": {"text": "a", "json": 1}},
            {"send": {}},
            {},
            {"send": {"text": "x"}, "within": "1s", "capture": {"a": "/a"}},
            {"await": {"text": "x"}, "capture": {"a": "/a"}},
            {"await": {"json": {}}, "capture": {"A": "/a", "b": "b", "token": "/t", "any": ""}},
        ],
        "error": {"text": "x", "prefix": "y"},
        "teardown": [{"binary": "?"}, {"json": {}, "suffix": "${token}"}, {"json": {"a": ["${token"]}}],
    });
    assert_eq!(
        mistakes(parts),
        [
            "/open/0/await: has text and json; keep one",
            "/open/1/send: needs one of text, json, binary",
            "/open/2: needs one of await, send",
            "/open/3/within: goes with await only",
            "/open/3/capture: goes with await only",
            "/open/4/capture: takes values out of JSON, and the pattern beside it is none",
            "/open/5/capture/A: can't be a name; write a lower-case letter, then letters, digits and _",
            "/open/5/capture/any: any is given by gateprobe; take another name",
            "/open/5/capture/b: \"b\" is not a JSON Pointer (RFC 6901), such as /data/id",
            "/open/5/capture/token: token is given by gateprobe; take another name",
            "/error/prefix: goes with json only",
            "/teardown/0/binary: is not Base64 (RFC 4648, section 4)",
            "/teardown/1/suffix: can't have placeholders",
            "/teardown/2/json/a/0: has `${` without `}`; write `$${` for the two characters themselves",
        ]
    );
}

#[test]
fn names_are_known_where_they_have_a_value() {
    let parts = json!({
        "before": {"method": "GET", "path": "/?x=${ticket}", "capture": {"ticket": "/t"}, "query": {"t": "${ticket}"}},
        "open": [
            {"send": {"text": "${id}"}},
            {"await": {"json": {}}, "capture": {"id": "/id"}},
            {"send": {"text": "${id} ${ticket} ${nonce}"}},
        ],
        "echo": {"send": {"text": "${payload} ${sequence}"}, "answer": {"text": "${any}"}},
        "publish": {"send": {"text": "${sequence} ${payload} ${any}"}},
        "teardown": [{"text": "${epoch} ${id}"}],
        "refresh": {"send": {"text": "${old_token} ${token}"}, "accepted": {"json": {}}, "capture": {"epoch": "/e"}},
    });
    let own = "channel, client, last_sequence, session";
    let rest = "timestamp, token, user";
    assert_eq!(
        mistakes(parts),
        [
            format!("/before/path: no such variable here: ${{ticket}}; known: {own}, {rest}"),
            format!("/open/0/send/text: no such variable here: ${{id}}; known: {own}, ticket, {rest}"),
            format!(
                "/open/2/send/text: no such variable here: ${{nonce}}; known: channel, client, id, last_sequence, session, ticket, {rest}"
            ),
            format!(
                "/echo/send/text: no such variable here: ${{sequence}}; known: channel, client, epoch, id, last_sequence, nonce, payload, session, ticket, {rest}"
            ),
            format!(
                "/publish/send/text: no such variable here: ${{any}}; known: channel, client, epoch, id, last_sequence, nonce, payload, sequence, session, ticket, {rest}"
            ),
        ]
    );
}

#[test]
fn promises() {
    let parts = json!({
        "subprotocols": ["a b", "ok", "ok"],
        "credential": {"header": {}, "query": {}},
        "before": {"method": "GET", "path": "negotiate", "body": {"binary": "AA=="}},
        "heartbeat": {"pings": {"interval": "0s"},
            "server": {"beat": {"text": "2"}, "interval": {"captured": "beat", "unit": "s"}}},
        "zombie": {"origin": "last_client_data", "earliest": "10s", "latest": "5s"},
        "closes": {"refused": [4401, "4300-4200"], "zombie": ["4400-4499"]},
    });
    let known = "channel, client, last_sequence, session, timestamp, token, user";
    assert_eq!(
        mistakes(parts),
        [
            "/subprotocols/0: \"a b\" can't be a subprotocol; use letters, digits, - . and _",
            "/subprotocols/2: \"ok\" stands here twice; remove one",
            "/credential: has header and query; keep one",
            "/before/path: is no path; write one that begins with /, such as /negotiate?v=1",
            "/before/body/binary: can't be a body; write text or json",
            "/heartbeat/pings/interval: is no time at all; write more, such as 25s",
            &format!("/heartbeat/server/interval/captured: no such variable here: beat; known: {known}"),
            "/zombie/earliest: 10s is later than latest, which is 5s",
            "/closes/refused/1: is no range of close codes; write the lower one first, within 1000 to 4999",
            "/closes/zombie/0: stands in refused already; a code has one meaning",
        ]
    );
    for zombie in [json!({"window": "1s", "latest": "1s"}), json!({"latest": "1s"}), json!({})] {
        let mut zombie = zombie;
        zombie["origin"] = "unanswered_beat".into();
        assert_eq!(mistakes(json!({ "zombie": zombie })).len(), 1);
    }
    assert_eq!(mistakes(json!({"dialect": 2})), ["/dialect: 2 is not a version of this language; write 1"]);
}
