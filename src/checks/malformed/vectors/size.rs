//! Messages larger than the limit. A gateway that refuses one before it has read it all resets the connection, and
//! its Close with it.

use super::{COMMON, Class, Group, Need, Vector};
use crate::checks::malformed::acceptable::Word;
use crate::checks::malformed::shot::{Shot, Size, Then, letters};

const LARGE: Vector = Vector {
    group: Group::Size,
    class: Class::Caution,
    source: "RFC 6455, sections 7.4.1 and 10.4",
    expected: &[Word::Code(1009), Word::ErrorReply, Word::Unclean],
    ..COMMON
};

pub static VECTORS: &[Vector] = &[
    Vector {
        name: "over_limit",
        summary: "a text message one byte over the message limit",
        autobahn: Some("9.1 wants messages of up to 16 MiB echoed"),
        needs: Need::LimitBelow(1 << 20),
        shot: Shot::Session { volleys: &[letters(Size::OverTheLimit).once()], then: Then::Ping },
        ..LARGE
    },
    Vector {
        name: "size_100k",
        summary: "a text message of 100 kB, where the message limit is less",
        autobahn: Some("9.1 wants messages of up to 16 MiB echoed"),
        needs: Need::LimitBelow(100_000),
        shot: Shot::Session { volleys: &[letters(Size::Bytes(100_000)).once()], then: Then::Ping },
        ..LARGE
    },
    Vector {
        name: "size_1m",
        summary: "a text message of 1 MB, where the message limit is less",
        autobahn: Some("9.1 wants messages of up to 16 MiB echoed"),
        needs: Need::LimitBelow(1_000_000),
        shot: Shot::Session { volleys: &[letters(Size::Bytes(1_000_000)).once()], then: Then::Ping },
        ..LARGE
    },
];
