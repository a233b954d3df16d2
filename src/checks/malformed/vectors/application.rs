//! Messages that are legal WebSocket, but not what a JSON application speaks. To keep the connection is as good as
//! to close it; to fail is not.

use super::{COMMON, Class, Group, Need, Vector};
use crate::checks::malformed::acceptable::Word;
use crate::checks::malformed::shot::{Body, Shot, Then, frame, text};

const BROKEN: &[Word] = &[
    Word::ErrorReply,
    Word::Replied,
    Word::Ignored,
    Word::Code(1003),
    Word::Code(1007),
    Word::Code(1008),
    Word::Private,
];
const NESTED: &[Word] = &[
    Word::Accepted,
    Word::Replied,
    Word::ErrorReply,
    Word::Ignored,
    Word::Code(1008),
    Word::Code(1009),
    Word::Private,
];

const JSON: Vector = Vector {
    group: Group::Application,
    expected: BROKEN,
    source: "RFC 8259, section 2; RFC 6455, section 7.4.1",
    needs: Need::Json,
    ..COMMON
};
const NESTING: Vector = Vector { expected: NESTED, source: "RFC 8259, section 9; CWE-674", ..JSON };

pub static VECTORS: &[Vector] = &[
    Vector {
        name: "json_cut_after_colon",
        summary: r#"{"type":"#,
        shot: Shot::Session { volleys: &[text(br#"{"type":"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_no_closing_brace",
        summary: r#"{"type":"gateprobe""#,
        shot: Shot::Session { volleys: &[text(br#"{"type":"gateprobe""#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_trailing_characters",
        summary: r#"{"type":"gateprobe"}xyz"#,
        shot: Shot::Session { volleys: &[text(br#"{"type":"gateprobe"}xyz"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_trailing_comma",
        summary: r#"{"type":"gateprobe",}"#,
        shot: Shot::Session { volleys: &[text(br#"{"type":"gateprobe",}"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_unquoted_key",
        summary: r#"{type:"gateprobe"}"#,
        shot: Shot::Session { volleys: &[text(br#"{type:"gateprobe"}"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_missing_value",
        summary: r#"{"type":,"id":1}"#,
        shot: Shot::Session { volleys: &[text(br#"{"type":,"id":1}"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_undefined",
        summary: r#"{"type":undefined}"#,
        shot: Shot::Session { volleys: &[text(br#"{"type":undefined}"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_unterminated_array",
        summary: r#"{"type":"gateprobe","list":[1,2}"#,
        shot: Shot::Session {
            volleys: &[text(br#"{"type":"gateprobe","list":[1,2}"#).once()],
            then: Then::Ping,
        },
        ..JSON
    },
    Vector {
        name: "json_bare_words",
        summary: "this is no JSON",
        shot: Shot::Session { volleys: &[text(b"this is no JSON").once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_wrong_type",
        summary: r#"{"type":42,"id":{}}"#,
        source: "RFC 6455, section 7.4.1",
        shot: Shot::Session { volleys: &[text(br#"{"type":42,"id":{}}"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "json_unknown_type",
        summary: r#"{"type":"gateprobe-unknown"}"#,
        source: "RFC 6455, section 7.4.1",
        shot: Shot::Session { volleys: &[text(br#"{"type":"gateprobe-unknown"}"#).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "empty",
        summary: "a text message without any content",
        autobahn: Some("1.1.1 wants it echoed"),
        shot: Shot::Session { volleys: &[text(b"").once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "null_bytes",
        summary: "a text message of eight null bytes",
        autobahn: Some("6.7.1 wants a null byte echoed"),
        shot: Shot::Session { volleys: &[text(&[0; 8]).once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "binary_on_text",
        summary: "a binary message to an application that speaks text",
        source: "RFC 6455, section 7.4.1",
        autobahn: Some("1.2 wants binary messages echoed"),
        shot: Shot::Session { volleys: &[frame(2, b"gateprobe\x00\xff").once()], then: Then::Ping },
        ..JSON
    },
    Vector {
        name: "nesting_10",
        summary: "JSON with 10 lists inside each other",
        shot: Shot::Session { volleys: &[text(b"").with(Body::Nested(10)).once()], then: Then::Ping },
        ..NESTING
    },
    Vector {
        name: "nesting_100",
        summary: "JSON with 100 lists inside each other",
        shot: Shot::Session { volleys: &[text(b"").with(Body::Nested(100)).once()], then: Then::Ping },
        ..NESTING
    },
    Vector {
        name: "nesting_500",
        class: Class::Caution,
        summary: "JSON with 500 lists inside each other",
        shot: Shot::Session { volleys: &[text(b"").with(Body::Nested(500)).once()], then: Then::Ping },
        ..NESTING
    },
    Vector {
        name: "nesting_1000",
        class: Class::Caution,
        summary: "JSON with 1000 lists inside each other",
        shot: Shot::Session { volleys: &[text(b"").with(Body::Nested(1_000)).once()], then: Then::Ping },
        ..NESTING
    },
];
