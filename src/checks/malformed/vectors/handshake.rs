//! Upgrade requests that a gateway should refuse.

use super::{COMMON, Class, Group, Need, Patience, Vector};
use crate::auth::Forgery;
use crate::checks::malformed::acceptable::Word;
use crate::checks::malformed::shot::{Change, Shot};

/// Anything but a 101; who drops the connection has not upgraded either.
const REFUSED: &[Word] = &[Word::NotUpgraded, Word::Unclean];
const VERSION: &[Word] = &[Word::Status(426), Word::Status(400)];
/// 501 is for methods that a server does not know, 405 for those that it knows and does not want. Where a server drops
/// the connection (RFC 6455, section 10.7), the proxy in front of it says 502.
const METHOD: &[Word] = &[Word::NotUpgraded, Word::Status(501), Word::Status(502), Word::Unclean];
/// A proxy takes the client's `Connection` away and writes its own (RFC 9110, section 7.6.1), so that the server behind
/// it sees a good request.
const CONNECTION: &[Word] = &[Word::NotUpgraded, Word::Upgraded, Word::Unclean];
const CREDENTIAL: &[Word] =
    &[Word::Status(401), Word::Status(403), Word::Code(1008), Word::Refused, Word::ErrorReply];
const IN_TIME: &[Word] =
    &[Word::Status(408), Word::Status(431), Word::Status(400), Word::Status(413), Word::Unclean];

/// No rule says how large a header may be.
const LARGE: &[Word] =
    &[Word::Status(431), Word::Status(400), Word::Status(413), Word::Upgraded, Word::Unclean];

const REQUEST: Vector = Vector { group: Group::Handshake, expected: REFUSED, ..COMMON };
const TOKEN: Vector = Vector { expected: CREDENTIAL, needs: Need::Token, ..REQUEST };

pub static VECTORS: &[Vector] = &[
    Vector {
        name: "key_missing",
        summary: "an upgrade request without Sec-WebSocket-Key",
        source: "RFC 6455, section 4.2.1",
        shot: Shot::Request { changes: &[Change::Without("Sec-WebSocket-Key")], slowly: false },
        ..REQUEST
    },
    Vector {
        name: "key_short",
        summary: "a Sec-WebSocket-Key of 3 bytes instead of 16",
        source: "RFC 6455, section 4.2.1",
        shot: Shot::Request { changes: &[Change::Header("Sec-WebSocket-Key", "Z3A=")], slowly: false },
        ..REQUEST
    },
    Vector {
        name: "upgrade_missing",
        summary: "an upgrade request without Upgrade",
        source: "RFC 6455, section 4.2.1",
        shot: Shot::Request { changes: &[Change::Without("Upgrade")], slowly: false },
        ..REQUEST
    },
    Vector {
        name: "connection_missing",
        summary: "an upgrade request whose Connection does not say Upgrade",
        source: "RFC 6455, section 4.2.1; RFC 9110, section 7.6.1",
        expected: CONNECTION,
        shot: Shot::Request { changes: &[Change::Header("Connection", "keep-alive")], slowly: false },
        ..REQUEST
    },
    Vector {
        name: "method_post",
        summary: "an upgrade request by POST",
        source: "RFC 6455, section 4.2.1",
        expected: METHOD,
        shot: Shot::Request { changes: &[Change::Method("POST")], slowly: false },
        ..REQUEST
    },
    Vector {
        name: "version_12",
        summary: "an upgrade request for version 12",
        source: "RFC 6455, section 4.4",
        expected: VERSION,
        shot: Shot::Request { changes: &[Change::Header("Sec-WebSocket-Version", "12")], slowly: false },
        ..REQUEST
    },
    Vector {
        name: "origin_foreign",
        summary: "a good upgrade request from a foreign Origin",
        source: "RFC 6455, section 10.2; CWE-1385",
        expected: CREDENTIAL,
        needs: Need::Origin,
        shot: Shot::Origin,
        ..REQUEST
    },
    Vector {
        name: "token_missing",
        summary: "a good upgrade request without the token",
        source: "RFC 6455, section 10.5; RFC 6750, section 3.1",
        shot: Shot::Token(None),
        ..TOKEN
    },
    Vector {
        name: "token_garbled",
        summary: "a token that was changed after it was signed",
        source: "RFC 7519, section 7.2",
        shot: Shot::Token(Some(Forgery::Garbled)),
        ..TOKEN
    },
    Vector {
        name: "token_alg_none",
        summary: "a JWT that is not signed, and says so",
        source: "RFC 8725, section 3.2; CVE-2015-9235",
        shot: Shot::Token(Some(Forgery::AlgNone)),
        ..TOKEN
    },
    Vector {
        name: "token_wrong_key",
        summary: "a JWT signed with a key of our own",
        source: "RFC 7519, section 7.2",
        shot: Shot::Token(Some(Forgery::WrongKey)),
        ..TOKEN
    },
    Vector {
        name: "token_expired",
        summary: "a JWT that expired an hour ago",
        source: "RFC 7519, section 4.1.4",
        shot: Shot::Token(Some(Forgery::Expired)),
        ..TOKEN
    },
    Vector {
        name: "header_slow",
        class: Class::Caution,
        summary: "an upgrade request sent line by line, and never ended",
        source: "RFC 9110, section 15.5.9; CVE-2007-6750",
        expected: IN_TIME,
        patience: Patience::Slow,
        shot: Shot::Request { changes: &[Change::Fillers(32)], slowly: true },
        ..REQUEST
    },
    Vector {
        name: "header_16k",
        class: Class::Caution,
        summary: "an upgrade request with a header of 16 KiB",
        source: "RFC 6585, section 5",
        expected: LARGE,
        shot: Shot::Request { changes: &[Change::Filler(16 * 1_024)], slowly: false },
        ..REQUEST
    },
];
