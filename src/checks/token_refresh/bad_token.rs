//! Tokens that a gateway must refuse in a refresh.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::Forgery;
use crate::checks::Capability;

/// A token that a gateway must refuse in a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BadToken {
    /// A claim was changed after it was signed.
    Garbled,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It is not signed, and says so.
    AlgNone,
    /// It is signed with a key that the gateway does not know.
    WrongKey,
    /// It is another subject's.
    OtherSubject,
    /// It is for another audience.
    OtherAudience,
    /// It is good, but another session was refreshed by it already. Leave it out where the gateway does not promise
    /// that a token is good for one refresh only.
    Replayed,
}

impl BadToken {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 8] = [
        Self::Garbled,
        Self::Expired,
        Self::NotYetValid,
        Self::AlgNone,
        Self::WrongKey,
        Self::OtherSubject,
        Self::OtherAudience,
        Self::Replayed,
    ];

    /// How it is made; none where it is a good one.
    pub(super) fn forgery(self) -> Option<Forgery> {
        Some(match self {
            Self::Garbled => Forgery::Garbled,
            Self::Expired => Forgery::Expired,
            Self::NotYetValid => Forgery::NotYetValid,
            Self::AlgNone => Forgery::AlgNone,
            Self::WrongKey => Forgery::WrongKey,
            Self::OtherSubject => Forgery::OtherSubject,
            Self::OtherAudience => Forgery::OtherAudience,
            Self::Replayed => return None,
        })
    }

    /// The value of the label `forgery`, and the word in the config.
    pub fn label(self) -> &'static str {
        match self {
            Self::Garbled => "garbled",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::AlgNone => "alg_none",
            Self::WrongKey => "wrong_key",
            Self::OtherSubject => "other_subject",
            Self::OtherAudience => "other_audience",
            Self::Replayed => "replayed",
        }
    }

    /// For people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Garbled => "a token with a claim changed behind its signature",
            Self::Expired => "a token that had expired",
            Self::NotYetValid => "a token that was not valid yet",
            Self::AlgNone => "a token of `alg: none`",
            Self::WrongKey => "a token signed with a wrong key",
            Self::OtherSubject => "another subject's token",
            Self::OtherAudience => "a token for another audience",
            Self::Replayed => "a token that another session was refreshed by",
        }
    }

    /// What tells whether it could be tried.
    pub(super) fn capability(self) -> Capability {
        match self {
            Self::Garbled => Capability::RefreshGarbled,
            Self::Expired => Capability::RefreshExpired,
            Self::NotYetValid => Capability::RefreshNotYetValid,
            Self::AlgNone => Capability::RefreshAlgNone,
            Self::WrongKey => Capability::RefreshWrongKey,
            Self::OtherSubject => Capability::RefreshOtherSubject,
            Self::OtherAudience => Capability::RefreshOtherAudience,
            Self::Replayed => Capability::RefreshReplayed,
        }
    }
}
