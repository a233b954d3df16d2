//! Conversations in the dialects of real gateways; mistakes in dialects; properties.

mod conversation;
mod gateways;
mod mistakes;
mod properties;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Dialect, Dialogue, Meaning, Message, Spec, SpecError, Variables};

fn spec(mut parts: Value) -> Spec {
    let base = json!({"dialect": 1, "name": "test"});
    for (key, value) in base.as_object().expect("an object") {
        parts.as_object_mut().expect("an object").entry(key).or_insert_with(|| value.clone());
    }
    serde_json::from_value(parts).expect("fits the shape")
}

fn compile(parts: Value) -> Result<Dialect, Vec<SpecError>> {
    Dialect::compile(&spec(parts))
}

fn dialogue(parts: Value, given: Variables) -> Dialogue {
    Dialogue::new(Arc::new(compile(parts).expect("a dialect")), given)
}

fn text(content: impl ToString) -> Message {
    Message::Text(content.to_string())
}

/// Hears a text.
fn hear(dialogue: &mut Dialogue, content: impl ToString) -> Meaning {
    dialogue.hear(&text(content))
}

/// What is sent, as JSON.
fn sent(message: &Message) -> Value {
    let Message::Text(text) = message else { panic!("not a text") };
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}
