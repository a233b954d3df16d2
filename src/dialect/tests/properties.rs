//! Properties that hold for all templates and all messages.

use proptest::prelude::*;

use super::*;
use crate::dialect::Part;

/// Texts with placeholders, dollars, quotes and braces.
fn template_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z \"\\\\{}\u{e9}]{0,4}",
        Just("${token}".to_owned()),
        Just("${payload}".to_owned()),
        Just("${nonce}".to_owned()),
        Just("${user}".to_owned()),
        Just("$${".to_owned()),
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn value(leaf: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        leaf.prop_map(Value::from),
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn given() -> impl Strategy<Value = Variables> {
    (value("[ -~]{0,6}"), proptest::option::of("[ -~\u{e9}]{0,6}")).prop_map(|(payload, token)| {
        let variables = Variables::new().with("payload", payload);
        match token {
            Some(token) => variables.with("token", token),
            None => variables,
        }
    })
}

/// A dialect that sends and awaits the same.
fn mirror(message: Value) -> Value {
    json!({"echo": {"send": message, "answer": message}})
}

fn is_answered(parts: Value, variables: &Variables) -> bool {
    let mut dialogue = dialogue(parts, Variables::new());
    let asked = dialogue.ask(Part::Echo, variables).expect("it has one");
    matches!(dialogue.hear(&asked.message), Meaning::Answer { exchange, .. } if exchange == asked.exchange)
}

proptest! {
    #[test]
    fn what_a_template_makes_its_pattern_matches(
        json in value(template_text()), prefix in template_text(), suffix in "[a-z\u{1e}]{0,2}", variables in given(),
    ) {
        let message = json!({"json": json, "prefix": prefix, "suffix": suffix});
        prop_assert!(is_answered(mirror(message), &variables));
    }

    #[test]
    fn texts_too(text in template_text(), variables in given()) {
        let whole = mirror(json!({ "text": text }));
        let longer = format!("{text}!");
        let beginning = json!({"echo": {"send": {"text": longer}, "answer": {"starts_with": text}}});
        let both = is_answered(whole, &variables) && is_answered(beginning, &variables);
        prop_assert!(both);
    }

    #[test]
    fn no_message_panics(
        messages in proptest::collection::vec(prop_oneof![
            "\\PC*".prop_map(text),
            value("\\PC{0,8}").prop_map(text),
            "4[0-9][\\[\\]{}\",0-9a-z]*".prop_map(text),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Message::Binary(bytes.into())),
        ], 0..8),
    ) {
        let parts = json!({
            "open": [{"await": {"json": {}}, "capture": {"a": "/a"}}, {"send": {"text": "${a}"}}],
            "heartbeat": {"client": {"send": {"text": "x"}, "answer": {"prefix": "4${nonce}", "json": "${any}"}},
                "server": {"beat": {"starts_with": "${a}a${any}b"}, "reply": {"json": ["${a}"]}}},
            "echo": {"send": {"text": "x"}, "answer": {"text": "${any}${nonce}${any}"}},
            "delivery": {"message": {"json": {"a": "${any}"}}, "capture": {"sequence": "/a"}},
            "error": {"binary_starts_with": "AA=="},
        });
        let mut dialogue = dialogue(parts, Variables::new());
        for message in &messages {
            dialogue.poll_send();
            dialogue.ask(Part::Echo, &Variables::new());
            dialogue.ask(Part::Heartbeat, &Variables::new());
            dialogue.hear(message);
        }
        prop_assert!(dialogue.teardown().is_empty());
    }

    #[test]
    fn deep_json_is_refused_not_followed(depth in 100_usize..5_000) {
        let mut dialogue = dialogue(json!({"error": {"json": "${any}"}}), Variables::new());
        let deep = "[".repeat(depth) + &"]".repeat(depth);
        let meaning = hear(&mut dialogue, deep);
        prop_assert!(depth < 128 || meaning == Meaning::Other, "{meaning:?}");
    }
}
