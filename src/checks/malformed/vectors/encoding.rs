//! Messages that can't be decoded, and one that can.

use super::{COMMON, Class, Group, Need, Vector};
use crate::checks::malformed::acceptable::Word;
use crate::checks::malformed::shot::{Body, Shot, Size, Then, frame, text};

const UNDECODABLE: &[Word] = &[Word::Code(1007), Word::Code(1002), Word::Unclean];
/// Legal: what the application says to the text is its own affair, but it must have got it.
const LEGAL: &[Word] = &[
    Word::Accepted,
    Word::Replied,
    Word::ErrorReply,
    Word::Ignored,
    Word::Code(1003),
    Word::Code(1008),
    Word::Private,
];

const TEXT: Vector = Vector {
    group: Group::Encoding,
    expected: UNDECODABLE,
    source: "RFC 6455, sections 5.6 and 8.1; RFC 3629, section 3",
    ..COMMON
};

pub static VECTORS: &[Vector] = &[
    Vector {
        name: "utf8_overlong",
        summary: "text with a slash written in two bytes (C0 AF)",
        autobahn: Some("6.17.1 takes 1002 for a wrong code"),
        shot: Shot::Session { volleys: &[text(b"gate\xc0\xafprobe").once()], then: Then::Ping },
        ..TEXT
    },
    Vector {
        name: "utf8_surrogate",
        summary: "text with half of a surrogate pair (ED A0 80)",
        autobahn: Some("6.20.1 takes 1002 for a wrong code"),
        shot: Shot::Session { volleys: &[text(b"gate\xed\xa0\x80probe").once()], then: Then::Ping },
        ..TEXT
    },
    Vector {
        name: "utf8_truncated",
        summary: "text that ends inside a character (E2 82)",
        autobahn: Some("6.6 takes 1002 for a wrong code"),
        shot: Shot::Session { volleys: &[text(b"gateprobe\xe2\x82").once()], then: Then::Ping },
        ..TEXT
    },
    Vector {
        name: "utf8_beyond",
        summary: "text with a character beyond U+10FFFF (F4 90 80 80)",
        autobahn: Some("6.11.5 takes 1002 for a wrong code"),
        shot: Shot::Session { volleys: &[text(b"gate\xf4\x90\x80\x80probe").once()], then: Then::Ping },
        ..TEXT
    },
    Vector {
        name: "utf8_fe",
        summary: "text with the byte FE",
        autobahn: Some("6.16.1 takes 1002 for a wrong code"),
        shot: Shot::Session { volleys: &[text(b"gate\xfeprobe").once()], then: Then::Ping },
        ..TEXT
    },
    Vector {
        name: "utf8_ff",
        summary: "text with the byte FF",
        autobahn: Some("6.16.2 takes 1002 for a wrong code"),
        shot: Shot::Session { volleys: &[text(b"gate\xffprobe").once()], then: Then::Ping },
        ..TEXT
    },
    Vector {
        name: "text_split_in_character",
        summary: "good text in two fragments, split inside a character",
        source: "RFC 6455, section 5.6",
        autobahn: Some("6.2.3 wants such a text echoed"),
        expected: LEGAL,
        shot: Shot::Session {
            volleys: &[
                text(b"{\"type\":\"gateprobe\",\"text\":\"\xe2\x82").open().once(),
                frame(0, b"\xac\"}").once(),
            ],
            then: Then::Ping,
        },
        ..TEXT
    },
    Vector {
        name: "deflate_corrupt",
        summary: "a compressed message that is no DEFLATE, where permessage-deflate was negotiated",
        source: "RFC 7692, section 7.2.2; RFC 1951, section 3.2.3",
        needs: Need::Deflate,
        shot: Shot::Session { volleys: &[text(b"\xff\xff\xff\xff").rsv(4).once()], then: Then::Ping },
        ..TEXT
    },
    Vector {
        name: "deflate_over_limit",
        class: Class::Caution,
        summary: "a compressed message that inflates to one byte more than the message limit, at most 1 MiB",
        source: "RFC 7692, section 8; CWE-409, as in CVE-2026-39804",
        expected: &[Word::Code(1009), Word::Code(1007), Word::Code(1002), Word::ErrorReply, Word::Unclean],
        needs: Need::DeflateAndLimitBelow(1 << 20),
        shot: Shot::Session {
            volleys: &[text(b"").with(Body::Compressed(Size::OverTheLimit)).rsv(4).once()],
            then: Then::Ping,
        },
        ..TEXT
    },
];
