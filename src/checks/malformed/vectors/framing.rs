//! Frames that break RFC 6455. A RST may destroy the Close that we should have read, so that an unclean end is as
//! good.

use super::{COMMON, Class, Group, Need, Patience, Vector};
use crate::checks::malformed::acceptable::Word;
use crate::checks::malformed::shot::{Announced, Shot, Then, frame, text};

const VIOLATION: &[Word] = &[Word::Code(1002), Word::Unclean];
const CLOSING: &[Word] = &[Word::Code(1002), Word::Code(1007), Word::Unclean];
const LENGTH: &[Word] = &[Word::Code(1002), Word::Code(1009), Word::Unclean];
/// To write a length as short as it can be is the sender's duty: no rule has the receiver refuse a longer one.
const NOT_MINIMAL: &[Word] = &[
    Word::Code(1002),
    Word::Code(1009),
    Word::Unclean,
    Word::Accepted,
    Word::Replied,
    Word::ErrorReply,
    Word::Ignored,
];
/// Our Close comes first: the gateway answers it, and what follows is not there any more.
const CLOSED: &[Word] = &[Word::Code(1000), Word::NoCode, Word::Code(1002), Word::Unclean];

const FRAME: Vector = Vector { group: Group::Framing, expected: VIOLATION, ..COMMON };
const CLOSE: Vector = Vector { expected: CLOSING, source: "RFC 6455, sections 5.5.1 and 7.4", ..FRAME };

/// 126 bytes: one more than a control frame may have.
const LONG: &[u8] = &[b'p'; 126];

pub static VECTORS: &[Vector] = &[
    Vector {
        name: "unmasked",
        summary: "a text frame without a mask",
        source: "RFC 6455, section 5.1",
        shot: Shot::Session { volleys: &[text(b"gateprobe").unmasked().once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "rsv1",
        summary: "a text frame with RSV1 set, no extension negotiated",
        source: "RFC 6455, section 5.2",
        shot: Shot::Session { volleys: &[text(b"gateprobe").rsv(4).once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "rsv2",
        summary: "a text frame with RSV2 set",
        source: "RFC 6455, section 5.2",
        shot: Shot::Session { volleys: &[text(b"gateprobe").rsv(2).once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "rsv3",
        summary: "a text frame with RSV3 set",
        source: "RFC 6455, section 5.2",
        shot: Shot::Session { volleys: &[text(b"gateprobe").rsv(1).once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "opcode_3",
        summary: "a frame of the reserved data opcode 3",
        source: "RFC 6455, section 5.2",
        shot: Shot::Session { volleys: &[frame(3, b"gateprobe").once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "opcode_7",
        summary: "a frame of the reserved data opcode 7",
        source: "RFC 6455, section 5.2",
        shot: Shot::Session { volleys: &[frame(7, b"gateprobe").once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "opcode_11",
        summary: "a frame of the reserved control opcode 11",
        source: "RFC 6455, section 5.2",
        shot: Shot::Session { volleys: &[frame(11, b"gateprobe").once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "opcode_15",
        summary: "a frame of the reserved control opcode 15",
        source: "RFC 6455, section 5.2",
        shot: Shot::Session { volleys: &[frame(15, b"gateprobe").once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "control_long",
        summary: "a ping of 126 bytes",
        source: "RFC 6455, section 5.5",
        shot: Shot::Session { volleys: &[frame(9, LONG).once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "control_fragmented",
        summary: "a ping in two fragments",
        source: "RFC 6455, section 5.5",
        shot: Shot::Session {
            volleys: &[frame(9, b"gate").open().once(), frame(0, b"probe").once()],
            then: Then::Ping,
        },
        ..FRAME
    },
    Vector {
        name: "continuation_alone",
        summary: "a continuation with nothing to continue",
        source: "RFC 6455, section 5.4",
        shot: Shot::Session { volleys: &[frame(0, b"gateprobe").once()], then: Then::Ping },
        ..FRAME
    },
    Vector {
        name: "message_inside_message",
        summary: "a text frame inside an unfinished message",
        source: "RFC 6455, section 5.4",
        shot: Shot::Session {
            volleys: &[text(b"gate").open().once(), text(b"probe").once()],
            then: Then::Ping,
        },
        ..FRAME
    },
    Vector {
        name: "close_body_1",
        summary: "a Close with a body of one byte",
        autobahn: Some("7.3.2 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[frame(8, &[3]).once()], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_0",
        summary: "a Close with code 0",
        autobahn: Some("7.9 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[close(&0_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_999",
        summary: "a Close with code 999",
        autobahn: Some("7.9 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[close(&999_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_1004",
        summary: "a Close with code 1004, which is reserved",
        autobahn: Some("7.9 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[close(&1_004_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_1005",
        summary: "a Close with code 1005, which must not be sent",
        autobahn: Some("7.9 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[close(&1_005_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_1006",
        summary: "a Close with code 1006, which must not be sent",
        autobahn: Some("7.9 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[close(&1_006_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_1015",
        summary: "a Close with code 1015, which must not be sent",
        shot: Shot::Session { volleys: &[close(&1_015_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_1016",
        summary: "a Close with code 1016, which nobody has registered",
        autobahn: Some("7.9 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[close(&1_016_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_code_2999",
        summary: "a Close with code 2999, which nobody has registered",
        autobahn: Some("7.9 takes 1002 or a drop; 1007 fails it"),
        shot: Shot::Session { volleys: &[close(&2_999_u16.to_be_bytes())], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "close_reason_not_utf8",
        summary: "a Close whose reason is not UTF-8",
        source: "RFC 6455, sections 5.5.1 and 8.1",
        shot: Shot::Session { volleys: &[close(&[0x03, 0xe8, 0xc3, 0x28])], then: Then::End },
        ..CLOSE
    },
    Vector {
        name: "data_after_close",
        summary: "a text frame after our Close",
        source: "RFC 6455, section 5.5.1",
        autobahn: Some("7.1.4 wants a clean close by 1000: a drop counts as unclean, another code fails it"),
        expected: CLOSED,
        shot: Shot::Session {
            volleys: &[close(&1_000_u16.to_be_bytes()), text(b"gateprobe").once()],
            then: Then::Quiet,
        },
        ..FRAME
    },
    Vector {
        name: "length_16_not_minimal",
        class: Class::Caution,
        summary: "a text frame of 9 bytes whose length is written in 16 bits",
        source: "RFC 6455, section 5.2",
        expected: NOT_MINIMAL,
        shot: Shot::Session {
            volleys: &[text(b"gateprobe").announced(Announced::In16Bits).once()],
            then: Then::Ping,
        },
        ..FRAME
    },
    Vector {
        name: "length_64_not_minimal",
        class: Class::Caution,
        summary: "a text frame of 9 bytes whose length is written in 64 bits",
        source: "RFC 6455, section 5.2",
        expected: NOT_MINIMAL,
        shot: Shot::Session {
            volleys: &[text(b"gateprobe").announced(Announced::In64Bits).once()],
            then: Then::Ping,
        },
        ..FRAME
    },
    Vector {
        name: "announced_over_limit",
        class: Class::Caution,
        summary: "a frame announced one byte over the message limit, without its body",
        source: "RFC 6455, sections 7.4.1 and 10.4",
        expected: LENGTH,
        needs: Need::LimitBelow(u64::MAX),
        patience: Patience::Slow,
        shot: Shot::Session {
            volleys: &[text(b"").announced(Announced::OverTheLimit).once()],
            then: Then::End,
        },
        ..FRAME
    },
];

const fn close(body: &'static [u8]) -> crate::checks::malformed::shot::Volley {
    frame(8, body).once()
}
