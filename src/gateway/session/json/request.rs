//! What a text of the dialect `json` asks for. No I/O.

use serde_json::{Map, Value, json};

use super::depth::is_too_deep;
use crate::gateway::offence::Offence;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// `{"type":"echo","id":...,"payload":"..."}`: the same back.
    Echo {
        /// A string or a number.
        id: Value,
        /// A string.
        payload: Value,
    },
    /// `{"type":"ping"}`, with or without an id.
    Ping(Map<String, Value>),
    /// `{"type":"pong"}`, with or without an id.
    Pong(Map<String, Value>),
    /// What concerns the streams, with a `channel` that is a string.
    Stream(Verb, Map<String, Value>),
    /// `{"type":"token_refresh","old_token":"...","new_token":"..."}`: another token for the session.
    Refresh(Map<String, Value>),
}

/// What is asked of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `subscribe`: joins a channel.
    Subscribe,
    /// `unsubscribe`: leaves it.
    Unsubscribe,
    /// `publish`: puts a message into it.
    Publish,
    /// `resume`: takes up a session again.
    Resume,
}

impl Verb {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "subscribe" => Self::Subscribe,
            "unsubscribe" => Self::Unsubscribe,
            "publish" => Self::Publish,
            "resume" => Self::Resume,
            _ => return None,
        })
    }
}

/// Why a text asks for nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong {
    /// What is wrong with it.
    pub offence: Offence,
    /// Its id, where that could be read.
    id: Option<Value>,
}

/// Reads a text.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<Request, Wrong> {
    let wrong = |offence, id| Wrong { offence, id };
    if is_too_deep(text) {
        return Err(wrong(Offence::TooDeep, None));
    }
    let value: Value = serde_json::from_str(text).map_err(|_| wrong(Offence::BadJson, None))?;
    let Value::Object(mut object) = value else {
        return Err(wrong(Offence::WrongType, None));
    };
    let given = object.contains_key("id");
    let id = object.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    let id_fits = id.is_some() || !given;
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    match kind.as_str() {
        "ping" if id_fits => Ok(Request::Ping(object)),
        "pong" if id_fits => Ok(Request::Pong(object)),
        "token_refresh" => {
            let told = ["old_token", "new_token"].map(|name| object.get(name).is_some_and(Value::is_string));
            match id_fits && told == [true, true] {
                true => Ok(Request::Refresh(object)),
                false => Err(wrong(Offence::WrongType, id)),
            }
        }
        "echo" => match (id, object.remove("payload")) {
            (Some(id), Some(payload)) if payload.is_string() => Ok(Request::Echo { id, payload }),
            (id, _) => Err(wrong(Offence::WrongType, id)),
        },
        "" | "ping" | "pong" => Err(wrong(Offence::WrongType, id)),
        kind => match Verb::of(kind) {
            Some(verb) if id_fits && object.get("channel").is_some_and(Value::is_string) => {
                Ok(Request::Stream(verb, object))
            }
            Some(_) => Err(wrong(Offence::WrongType, id)),
            None => Err(wrong(Offence::UnknownType, id)),
        },
    }
}

/// The answer to an echo.
pub fn echo(id: &Value, payload: &Value) -> String {
    json!({"type": "echo", "id": id, "payload": payload}).to_string()
}

impl Wrong {
    /// A message of a type that this gateway does not know, set up as it is.
    pub fn unknown(message: &Map<String, Value>) -> Self {
        Self { offence: Offence::UnknownType, id: message.get("id").cloned() }
    }

    /// The message that tells the client.
    pub fn reply(&self) -> String {
        let why = match self.offence {
            Offence::TooDeep => "nested too deeply",
            Offence::BadJson => "not JSON",
            Offence::UnknownType => "unknown type",
            _ => "not an object with the fields of its type",
        };
        json!({"type": "error", "id": self.id, "error": why}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_read() {
        let echo = read(r#"{"type":"echo","id":"a","payload":"x"}"#);
        assert_eq!(echo, Ok(Request::Echo { id: "a".into(), payload: "x".into() }));
        assert!(matches!(read(r#"{"type":"ping","id":7}"#), Ok(Request::Ping(ping)) if ping["id"] == 7));
        assert!(matches!(read(r#"{"id":"b","type":"pong"}"#), Ok(Request::Pong(_))));
        assert!(matches!(read(r#"{"type":"ping"}"#), Ok(Request::Ping(_))));
        let subscribe = read(r#"{"type":"subscribe","channel":"a"}"#);
        assert!(matches!(subscribe, Ok(Request::Stream(Verb::Subscribe, _))));
        let refresh = read(r#"{"type":"token_refresh","id":1,"old_token":"a","new_token":"b"}"#);
        assert!(matches!(refresh, Ok(Request::Refresh(message)) if message["new_token"] == "b"));
        assert_eq!(super::echo(&7.into(), &"x".into()), r#"{"type":"echo","id":7,"payload":"x"}"#);
    }

    #[test]
    fn what_is_wrong_has_its_name_and_keeps_its_id() {
        use Offence as O;
        for (text, offence, id) in [
            ("", O::BadJson, "null"),
            ("\0\0\0", O::BadJson, "null"),
            (r#"{"type":"#, O::BadJson, "null"),
            (r#"{"type":"echo""#, O::BadJson, "null"),
            (r#"{"type":"ping"} x"#, O::BadJson, "null"),
            (r#"{"type":"ping",}"#, O::BadJson, "null"),
            (r#"{type:"ping"}"#, O::BadJson, "null"),
            (r#"{"type":}"#, O::BadJson, "null"),
            ("undefined", O::BadJson, "null"),
            ("[1, 2", O::BadJson, "null"),
            ("bare words", O::BadJson, "null"),
            ("null", O::WrongType, "null"),
            ("[]", O::WrongType, "null"),
            ("{}", O::WrongType, "null"),
            (r#"{"id":1}"#, O::WrongType, "1"),
            (r#"{"type":5,"id":1}"#, O::WrongType, "1"),
            (r#"{"type":"ping","id":[1]}"#, O::WrongType, "null"),
            (r#"{"type":"echo","id":"a"}"#, O::WrongType, r#""a""#),
            (r#"{"type":"echo","payload":"x"}"#, O::WrongType, "null"),
            (r#"{"type":"echo","id":1,"payload":5}"#, O::WrongType, "1"),
            (r#"{"type":"nonsense","id":1}"#, O::UnknownType, "1"),
            (r#"{"type":"subscribe","id":1}"#, O::WrongType, "1"),
            (r#"{"type":"token_refresh","id":1,"old_token":"a"}"#, O::WrongType, "1"),
            (r#"{"type":"token_refresh","id":1,"old_token":"a","new_token":5}"#, O::WrongType, "1"),
            (r#"{"type":"resume","id":1,"channel":5}"#, O::WrongType, "1"),
        ] {
            let wrong = read(text).unwrap_err();
            assert_eq!(wrong.offence, offence, "{text:?}");
            let start = format!(r#"{{"type":"error","id":{id},"error":""#);
            assert!(wrong.reply().starts_with(&start), "{text:?}: {}", wrong.reply());
        }
        for (levels, offence) in
            [(10, O::WrongType), (127, O::WrongType), (128, O::TooDeep), (1000, O::TooDeep)]
        {
            let text = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
            assert_eq!(read(&text).unwrap_err().offence, offence, "{levels}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_read_or_has_a_reply(text in r#"[\[\]{}":,\\a-z0-9]{0,80}"#) {
            if let Err(wrong) = read(&text) {
                prop_assert!(serde_json::from_str::<Value>(&wrong.reply()).is_ok());
            }
        }
    }
}
