//! What a client can do wrong: one name for each thing, and what the gateway does about it.

mod conduct;
mod scope;

use std::fmt;

use serde::{Serialize, Serializer};

pub use conduct::{Conduct, conduct, covers, is_watched};
pub use scope::Scope;

macro_rules! offences {
    ($( $group:ident $group_name:literal { $(
        $(#[doc = $doc:literal])+ $variant:ident = $name:literal;
    )* } )*) => {
        /// Something that a client did wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Offence {
            $( $( $(#[doc = $doc])+ $variant, )* )*
        }

        /// Offences that belong together.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum OffenceGroup {
            $( #[doc = concat!("`", $group_name, "`")] $group, )*
        }

        impl Offence {
            /// All of them, group by group.
            pub const ALL: &'static [Self] = &[$( $( Self::$variant ),* ),*];

            /// The name in logs, in metrics, and as the value of a fault.
            pub fn name(self) -> &'static str {
                match self { $( $( Self::$variant => $name, )* )* }
            }

            /// The group that it is one of.
            pub fn group(self) -> OffenceGroup {
                match self { $( $( Self::$variant => OffenceGroup::$group, )* )* }
            }
        }

        impl OffenceGroup {
            /// All of them.
            pub const ALL: &'static [Self] = &[$( Self::$group ),*];

            /// The name as the value of a fault.
            pub fn name(self) -> &'static str {
                match self { $( Self::$group => $group_name, )* }
            }
        }
    };
}

offences! {
    Handshake "handshake" {
        /// Bytes that are no HTTP request.
        BadRequest = "bad_request";
        /// Neither HTTP/1.1 nor a later 1.x.
        HttpVersion = "http_version";
        /// The request did not come in time.
        SlowHeader = "slow_header";
        /// A request head over 16 KiB or over 100 lines.
        HeaderTooLarge = "header_too_large";
        /// Another method than GET.
        BadMethod = "bad_method";
        /// No Host, or more than one.
        BadHost = "bad_host";
        /// An upgrade request with a body.
        RequestBody = "request_body";
        /// No upgrade to websocket is asked for, or not by both headers.
        NoUpgrade = "no_upgrade";
        /// Another version than 13.
        BadVersion = "bad_version";
        /// No key of 16 bytes in base64.
        BadKey = "bad_key";
        /// An Origin that is not allowed.
        ForeignOrigin = "foreign_origin";
        /// No token where one is needed.
        NoToken = "no_token";
        /// Another token than the right one.
        BadToken = "bad_token";
    }
    Framing "framing" {
        /// RSV1 to RSV3 without an extension that uses them (RFC 6455 section 5.2).
        ReservedBit = "reserved_bit";
        /// Opcodes 3 to 7 and 11 to 15 (section 5.2).
        ReservedOpcode = "reserved_opcode";
        /// A client's frame without a mask (section 5.1).
        Unmasked = "unmasked";
        /// A control frame of more than 125 bytes (section 5.5).
        ControlTooLong = "control_too_long";
        /// A control frame without FIN (section 5.5).
        ControlFragmented = "control_fragmented";
        /// A length in more bytes than it needs, or with its highest bit set (section 5.2).
        BadLength = "bad_length";
        /// A continuation of no message (section 5.4).
        NothingToContinue = "nothing_to_continue";
        /// A new message inside a fragmented one (section 5.4).
        Interleaved = "interleaved";
        /// A Close body of one byte (section 5.5.1).
        ShortClose = "short_close";
        /// A Close code that must not be sent (section 7.4).
        BadCloseCode = "bad_close_code";
        /// A Close reason that is not UTF-8 (section 5.5.1).
        BadCloseReason = "bad_close_reason";
        /// Something after the Close (section 5.5.1).
        DataAfterClose = "data_after_close";
    }
    Encoding "encoding" {
        /// Text that is not UTF-8 (section 8.1).
        NotUtf8 = "not_utf8";
        /// A compressed message that is no DEFLATE (RFC 7692 section 7.2.2).
        BadDeflate = "bad_deflate";
    }
    Application "application" {
        /// Text that is no JSON.
        BadJson = "bad_json";
        /// An object of a type that nobody knows.
        UnknownType = "unknown_type";
        /// JSON of the wrong shape.
        WrongType = "wrong_type";
        /// A binary message.
        UnwantedBinary = "unwanted_binary";
        /// JSON of too many levels.
        TooDeep = "too_deep";
    }
    Size "size" {
        /// A message over the size limit.
        TooBig = "too_big";
    }
    Flood "flood" {
        /// Twenty wrong messages within a second.
        Flood = "flood";
    }
}

impl Offence {
    /// The code to close with (RFC 6455 section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::UnwantedBinary => 1003,
            Self::NotUtf8 | Self::BadDeflate | Self::BadCloseReason => 1007,
            Self::TooBig => 1009,
            _ if self.group() == OffenceGroup::Framing => 1002,
            _ => 1008,
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Offence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Lets something wrong pass only where `pardon` says so.
///
/// # Errors
/// The offence, if it is not pardoned.
pub fn insist(right: bool, offence: Offence, pardon: &mut dyn FnMut(Offence) -> bool) -> Result<(), Offence> {
    if right || pardon(offence) { Ok(()) } else { Err(offence) }
}
