//! Dialects and conversations: no file's content and no message panics, what is remembered stays bounded, and
//! what a template makes, the pattern made of it matches.
#![no_main]

use std::sync::Arc;

use gateprobe::dialect::{Dialect, Dialogue, Meaning, Message, Part, Spec, Variables};
use libfuzzer_sys::fuzz_target;

/// Each form of a pattern, with open values where they are hardest.
const FALLBACK: &str = r#"{
    "dialect": 1, "name": "fuzz",
    "open": [{"await": {"json": {}}, "capture": {"a": "/a"}}, {"send": {"text": "${a}"}}],
    "heartbeat": {
        "client": {"send": {"text": "x"}, "answer": {"prefix": "4${nonce}", "json": "${any}"}},
        "server": {"beat": {"starts_with": "${a}a${any}b"}, "reply": {"json": ["${a}"]}}
    },
    "echo": {"send": {"text": "x"}, "answer": {"text": "${any}${nonce}${any}"}},
    "delivery": {"message": {"json": {"a": "${any}"}}, "capture": {"sequence": "/a"}},
    "error": {"binary_starts_with": "AA=="}
}"#;

fuzz_target!(|input: (&str, &str, &str, Vec<(bool, Vec<u8>)>)| {
    let (file, template, payload, messages) = input;
    mirror(template, payload);
    let spec: Option<Spec> = serde_json::from_str(file).or_else(|_| serde_json::from_str(FALLBACK)).ok();
    let Some(Ok(dialect)) = spec.as_ref().map(Dialect::compile) else { return };
    let mut dialogue = Dialogue::new(Arc::new(dialect), Variables::new());
    for (text, bytes) in messages {
        while dialogue.poll_send().is_some() {}
        for part in Part::ALL {
            dialogue.ask(part, &Variables::new().with("payload", payload));
        }
        let message = match text {
            true => Message::Text(String::from_utf8_lossy(&bytes).into_owned()),
            false => Message::Binary(bytes.into()),
        };
        dialogue.hear(&message);
    }
    dialogue.teardown();
});

/// Sends and awaits the same.
fn mirror(template: &str, payload: &str) {
    for (key, value) in [("text", template.into()), ("json", serde_json::json!([template, {"a": template}]))] {
        let message = serde_json::json!({ key: value });
        let spec = serde_json::json!({"dialect": 1, "name": "a", "echo": {"send": message, "answer": message}});
        let Ok(spec) = serde_json::from_value::<Spec>(spec) else { return };
        // A template may have a mistake.
        let Ok(dialect) = Dialect::compile(&spec) else { return };
        let mut dialogue = Dialogue::new(Arc::new(dialect), Variables::new());
        let asked = dialogue.ask(Part::Echo, &Variables::new().with("payload", payload)).expect("it has one");
        assert!(matches!(dialogue.hear(&asked.message), Meaning::Answer { .. }));
    }
}
