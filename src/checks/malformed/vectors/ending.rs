//! Clients that do not end as they should.

use super::{COMMON, Class, Group, Need, Patience, Vector};
use crate::checks::malformed::acceptable::Word;
use crate::checks::malformed::shot::{Shot, Then, frame};

const ENDING: Vector =
    Vector { group: Group::Ending, class: Class::Caution, patience: Patience::Slow, ..COMMON };

pub static VECTORS: &[Vector] = &[
    Vector {
        name: "pong_unsolicited",
        class: Class::Light,
        summary: "a pong to no ping",
        source: "RFC 6455, section 5.5.3",
        expected: &[Word::Ignored],
        patience: Patience::Within,
        shot: Shot::Session { volleys: &[frame(10, b"gateprobe").once()], then: Then::Ping },
        ..ENDING
    },
    Vector {
        name: "close_not_completed",
        summary: "our Close, after whose answer TCP is left open",
        source: "RFC 6455, section 7.1.1",
        expected: &[Word::Code(1000), Word::NoCode, Word::Unclean],
        shot: Shot::Session { volleys: &[frame(8, b"\x03\xe8").once()], then: Then::Release },
        ..ENDING
    },
    Vector {
        name: "close_not_answered",
        summary: "a reserved opcode, and no answer to the Close that it earns",
        source: "RFC 6455, sections 7.1.1 and 7.1.7",
        expected: &[Word::Code(1002), Word::Unclean],
        shot: Shot::Session { volleys: &[frame(3, b"gateprobe").once()], then: Then::Release },
        ..ENDING
    },
    Vector {
        name: "reader_slow",
        summary: "64 KiB asked for and not read, until silent clients should be cleaned up",
        source: "the dialect's `zombie`; CWE-400",
        expected: &[
            Word::Unclean,
            Word::NoCode,
            Word::Code(1000),
            Word::Code(1001),
            Word::Code(1002),
            Word::Code(1008),
            // What several servers say to a client that does not answer pings.
            Word::Code(1011),
            Word::Private,
        ],
        needs: Need::Window,
        patience: Patience::Window,
        shot: Shot::Unread,
        ..ENDING
    },
];
