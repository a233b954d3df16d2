//! Why a target can't be asked a vector. Pure.

use super::config::Malformed;
use super::vectors::{Need, Vector};
use crate::dialect::{Dialect, Variables};

/// Why a vector was not sent, or not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unasked {
    /// The dialect has no JSON.
    NoJson,
    /// Nobody says that a foreign Origin is refused.
    NoOrigin,
    /// The target has no credential.
    NoCredential,
    /// No such token can be made from the target's.
    NoSuchToken,
    /// The gateway did not take permessage-deflate.
    NoDeflate,
    /// The gateway let us in, and did not serve us.
    NotServed,
    /// Nobody says how large a message may be.
    NoLimit,
    /// The message limit is beyond what is sent.
    LimitTooLarge,
    /// No clean-up of silent clients is promised.
    NoWindow,
    /// The run ended in the middle of it.
    BrokenOff,
    /// The budget or the deadline did not let us.
    Budget,
}

impl Unasked {
    /// For people.
    pub fn why(self) -> &'static str {
        match self {
            Self::NoJson => "the dialect has no JSON messages",
            Self::NoOrigin => "`foreign_origin` is not set",
            Self::NoCredential => "the target has no credential",
            Self::NoSuchToken => "no such token can be made from the target's",
            Self::NoDeflate => "the gateway did not take permessage-deflate",
            Self::NotServed => "the connection was open, but not served, as one that waits for its token",
            Self::NoLimit => {
                "neither the target's `message_limit` nor the dialect says how large a message may be"
            }
            Self::LimitTooLarge => "the message limit is larger than what is sent",
            Self::NoWindow => "the dialect promises no clean-up of silent clients",
            Self::BrokenOff => "the run ended in the middle of it",
            Self::Budget => "the budget or the time-out did not let it",
        }
    }

    /// What of the target itself keeps a vector from being sent, as far as that can be known without a connection.
    pub fn of(vector: &Vector, check: &Malformed, dialect: &Dialect, has_credential: bool) -> Option<Self> {
        let limit = check.limit();
        let too_large = |bound: u64| match check.message_limit {
            None => Some(Self::NoLimit),
            Some(_) => (limit >= bound).then_some(Self::LimitTooLarge),
        };
        match vector.needs {
            Need::Nothing | Need::Deflate => None,
            Need::Json => (!dialect.speaks_json()).then_some(Self::NoJson),
            Need::Origin => (!check.foreign_origin).then_some(Self::NoOrigin),
            Need::Token => (!has_credential).then_some(Self::NoCredential),
            Need::LimitBelow(bound) | Need::DeflateAndLimitBelow(bound) => too_large(bound),
            // What is captured on the connection is looked up there.
            Need::Window => (!dialect.promises_zombie()).then_some(Self::NoWindow),
        }
    }

    /// Whether it is our own limit, so that the run has not seen what it was to see.
    pub fn is_ours(self) -> bool {
        self == Self::Budget
    }
}

/// Whether a connection for this vector offers permessage-deflate.
pub fn wants_deflate(vector: &Vector) -> bool {
    matches!(vector.needs, Need::Deflate | Need::DeflateAndLimitBelow(_))
}

/// The promised time after which a client that does not read is gone; none where it is not promised.
pub fn window(dialect: &Dialect, captured: &Variables) -> Option<std::time::Duration> {
    let promise = dialect.zombie(captured)?;
    let beat =
        if dialect.beats() { dialect.beat_interval(captured) } else { dialect.pings_interval(captured) };
    Some(promise.latest + beat.unwrap_or(UNKNOWN_BEAT) + TOLERANCE)
}

/// How long the first beat is waited for where nobody says how often the gateway beats.
const UNKNOWN_BEAT: std::time::Duration = std::time::Duration::from_secs(30);
/// How far beyond the window is still inside.
const TOLERANCE: std::time::Duration = std::time::Duration::from_secs(2);
