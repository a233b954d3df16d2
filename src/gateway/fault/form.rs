//! How the values of faults are written.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::gateway::duration::{format_duration, parse_duration};
use crate::gateway::jwt::TakenTokens;
use crate::gateway::offence::Scope;

/// How a fault's value is written: a word for the list of faults, a hint for who got it wrong, a
/// reader, a writer, and what stands in when no value is given.
pub struct Form<T> {
    /// What the value is called in the list.
    pub word: &'static str,
    /// What it must look like.
    pub hint: &'static str,
    /// Reads it; `None` for anything malformed.
    pub read: fn(&str) -> Option<T>,
    /// Writes it so that `read` reads it back.
    pub write: fn(&T) -> String,
    /// The value of a fault that is given none.
    pub default: Option<T>,
}

pub const DURATION: Form<Duration> = Form {
    word: "DURATION",
    hint: "DURATION",
    read: parse_duration,
    write: |value| format_duration(*value),
    default: None,
};
pub const PACE: Form<Duration> =
    Form { hint: "DURATION, default 1s", default: Some(Duration::from_secs(1)), ..DURATION };
pub const COUNT: Form<NonZeroU32> = Form {
    word: "K",
    hint: "K, at least 1",
    read: |text| text.parse().ok(),
    write: ToString::to_string,
    default: None,
};
pub const KIB: Form<NonZeroU32> = Form { word: "KIB", hint: "KIB, at least 1", ..COUNT };
pub const KIND: Form<Scope> = Form {
    word: "KIND",
    hint: "KIND, such as any, framing or not_utf8",
    read: Scope::parse,
    write: ToString::to_string,
    default: None,
};
pub const FLAW: Form<TakenTokens> = Form {
    word: "FLAW",
    hint: "FLAW, such as any, expired or forged",
    read: TakenTokens::parse,
    write: ToString::to_string,
    default: None,
};
pub const SECONDS: Form<u32> = Form {
    word: "SECONDS",
    hint: "SECONDS",
    read: |text| text.parse().ok(),
    write: ToString::to_string,
    default: None,
};
pub const STATUS: Form<u16> = Form {
    word: "STATUS",
    hint: "STATUS, 200 to 599",
    read: |text| text.parse().ok().filter(|code| (200..600).contains(code)),
    write: ToString::to_string,
    default: None,
};
pub const CLOSE_CODE: Form<u16> = Form {
    word: "CODE",
    hint: "CLOSE CODE, 0 to 65535",
    read: |text| text.parse().ok(),
    write: ToString::to_string,
    default: None,
};
pub const LOCATION: Form<String> = Form {
    word: "URL",
    hint: "URL",
    // A line break would let the value write headers of its own.
    read: |text| {
        let printable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        printable.then(|| text.to_owned())
    },
    write: Clone::clone,
    default: None,
};
