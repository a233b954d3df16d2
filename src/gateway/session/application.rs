//! The application's ping and pong: JSON objects in text messages. No I/O.

use serde_json::{Map, Value};

/// The id in a log event is cut after so many bytes.
const ID_LIMIT: usize = 32;

/// A text that belongs to a heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub enum Beat {
    /// `{"type":"ping",...}`.
    Ping(Map<String, Value>),
    /// `{"type":"pong",...}`.
    Pong(Map<String, Value>),
}

/// The heartbeat that a client's text is; `None` for any other text.
pub fn read(text: &str) -> Option<Beat> {
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    match object.get("type")?.as_str()? {
        "ping" => Some(Beat::Ping(object)),
        "pong" => Some(Beat::Pong(object)),
        _ => None,
    }
}

/// The gateway's own ping.
pub fn ping(number: u64) -> String {
    format!(r#"{{"type":"ping","id":{number}}}"#)
}

/// The answer to a ping: the same object as a pong, with another id where it is to be wrong.
pub fn pong(mut ping: Map<String, Value>, wrong: bool) -> Map<String, Value> {
    if wrong {
        let id = wrong_id(ping.get("id"));
        ping.insert("id".to_owned(), id);
    }
    ping.insert("type".to_owned(), Value::from("pong"));
    ping
}

/// The `id` of a ping or pong as JSON, cut to what a log event holds.
pub fn id(object: &Map<String, Value>) -> Option<Box<str>> {
    let mut text = object.get("id")?.to_string();
    text.truncate(text.floor_char_boundary(ID_LIMIT));
    Some(text.into())
}

/// The ping that a pong answers: the one with its id; without an id, the newest.
pub fn answered(pong: &Map<String, Value>, last: u64) -> Option<u64> {
    pong.get("id").map_or(Some(last), Value::as_u64)
}

/// Another id of the same type, so that only its value is wrong.
fn wrong_id(id: Option<&Value>) -> Value {
    /// Far above what counts from 1, and far below what a double can't tell apart.
    const FAR: u64 = 1 << 40;
    match id {
        Some(Value::Number(number)) => match number.as_u64() {
            Some(number) => Value::from(number ^ FAR),
            None => Value::from(number.as_f64().unwrap_or_default() + 1.0),
        },
        Some(Value::String(text)) => Value::from(format!("not {text}")),
        _ => Value::from("wrong"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn only_objects_of_the_two_types_are_heartbeats() {
        assert!(matches!(read(r#"{"id":1,"type":"ping"}"#), Some(Beat::Ping(_))));
        assert!(matches!(read(r#"{"type":"pong"}"#), Some(Beat::Pong(_))));
        for other in ["", "ping", r#"["ping"]"#, r#"{"type":"pings"}"#, r#"{"type":["ping"]}"#, r#"{"a":1}"#]
        {
            assert_eq!(read(other), None, "{other}");
        }
        assert!(matches!(read(&ping(7)), Some(Beat::Ping(ping)) if ping["id"] == 7));
    }

    #[test]
    fn a_pong_is_the_same_object_in_the_same_order() {
        let answer = |text, wrong| Value::from(pong(object(text), wrong)).to_string();
        assert_eq!(answer(r#"{"at":[1],"type":"ping","id":7}"#, false), r#"{"at":[1],"type":"pong","id":7}"#);
        assert_eq!(answer(r#"{"type":"ping","id":7}"#, true), r#"{"type":"pong","id":1099511627783}"#);
        assert_eq!(answer(r#"{"type":"ping","id":"a"}"#, true), r#"{"type":"pong","id":"not a"}"#);
        assert_eq!(answer(r#"{"type":"ping"}"#, true), r#"{"type":"pong","id":"wrong"}"#);
        assert_eq!(answer(r#"{"type":"ping","id":-1}"#, true), r#"{"type":"pong","id":0.0}"#);
    }

    #[test]
    fn an_id_is_cut_between_characters() {
        assert_eq!(id(&object(r#"{"id":7}"#)).as_deref(), Some("7"));
        assert_eq!(id(&object("{}")), None);
        let long = format!(r#"{{"id":"{}"}}"#, "ü".repeat(100));
        assert_eq!(id(&object(&long)).unwrap().len(), 31);
    }

    #[test]
    fn a_pong_without_an_id_answers_the_newest_ping() {
        assert_eq!(answered(&object("{}"), 5), Some(5));
        assert_eq!(answered(&object(r#"{"id":3}"#), 5), Some(3));
        assert_eq!(answered(&object(r#"{"id":"3"}"#), 5), None);
    }
}
