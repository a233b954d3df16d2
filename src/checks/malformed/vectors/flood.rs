//! Many of something at once.

use super::{COMMON, Class, Group, Need, Vector};
use crate::checks::malformed::acceptable::Word;
use crate::checks::malformed::shot::{Shot, Then, frame, text};

const MANY: Vector = Vector { group: Group::Flood, ..COMMON };

pub static VECTORS: &[Vector] = &[
    Vector {
        name: "pings_10",
        summary: "ten pings in one write; the last one must be answered",
        source: "RFC 6455, sections 5.5.2 and 5.5.3",
        autobahn: Some("2.10 wants all ten answered, and says that no rule asks for it"),
        expected: &[Word::Ponged],
        shot: Shot::Session {
            volleys: &[frame(9, b"gateprobe").times(9, 0), frame(9, b"gateprobe, the last").once()],
            then: Then::Ping,
        },
        ..MANY
    },
    Vector {
        name: "fragments_32",
        summary: "a text message in 32 fragments of one byte",
        source: "RFC 6455, section 5.4",
        autobahn: Some("5.3 wants a fragmented message echoed"),
        expected: &[
            Word::Accepted,
            Word::Replied,
            Word::ErrorReply,
            Word::Ignored,
            Word::Throttled,
            Word::Code(1003),
            Word::Code(1008),
            Word::Private,
        ],
        shot: Shot::Session {
            volleys: &[text(b"a").open().once(), frame(0, b"a").open().times(30, 0), frame(0, b"a").once()],
            then: Then::Ping,
        },
        ..MANY
    },
    Vector {
        name: "bad_messages_20",
        class: Class::Caution,
        summary: "20 messages that are no JSON, 10 ms apart",
        source: "RFC 6455, sections 7.4.1 and 10.4",
        expected: &[
            Word::ErrorReply,
            Word::Replied,
            Word::Ignored,
            Word::Throttled,
            Word::Code(1003),
            Word::Code(1007),
            Word::Code(1008),
        ],
        needs: Need::Json,
        shot: Shot::Session { volleys: &[text(br#"{"type":"#).times(20, 10)], then: Then::Ping },
        ..MANY
    },
];
