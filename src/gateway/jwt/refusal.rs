//! Why a JSON Web Token is refused, and which of these a careless gateway lets pass.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! refusals {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, $text:literal; )*) => {
        /// Why a token is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum TokenRefusal { $( $(#[$doc])* $variant, )* }

        impl TokenRefusal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),*];

            /// Its name in messages, the log and metrics.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// What the client is told.
            pub fn text(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
        }
    };
}

refusals! {
    /// It is no JSON Web Token, or one without `exp`.
    Malformed = "malformed", "the new token is no JSON Web Token with an exp";
    /// Its signature is wrong, or its algorithm another one.
    Forged = "forged", "the new token has a wrong signature";
    /// `alg` is `none`, and the signature is empty.
    Unsigned = "unsigned", "the new token is not signed";
    /// It has another `iss`.
    OtherIssuer = "other_issuer", "the new token is of another issuer";
    /// It has another `aud`.
    OtherAudience = "other_audience", "the new token is for another audience";
    /// Its `exp` is past.
    Expired = "expired", "the new token has expired";
    /// Its `nbf` is to come.
    NotYetValid = "not_yet_valid", "the new token is not yet valid";
    /// Its `sub` is not the session's.
    OtherSubject = "other_subject", "the new token is of another subject than the session";
    /// It has been used before.
    Replayed = "replayed", "the new token was used before";
    /// The old token beside it is not the session's.
    WrongOldToken = "wrong_old_token", "the old token is not the session's";
    /// A fault that is switched on refuses all.
    Unavailable = "unavailable", "a fault that is switched on refuses all refreshes";
}

impl TokenRefusal {
    /// Those that a fault can let pass. What is no token says nothing that could be taken.
    pub fn all_takeable() -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|refusal| !matches!(refusal, Self::Malformed | Self::Unavailable))
    }
}

impl Serialize for TokenRefusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Which bad tokens a fault takes as good: written as the name of one thing that is wrong with them, or `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenTokens {
    /// Whatever is wrong with it.
    Any,
    /// Those with this one thing wrong.
    One(TokenRefusal),
}

impl TakenTokens {
    /// Whether that one passes.
    pub fn covers(self, refusal: TokenRefusal) -> bool {
        match self {
            Self::Any => TokenRefusal::all_takeable().any(|takeable| takeable == refusal),
            Self::One(one) => one == refusal,
        }
    }

    /// Reads a name; `None` for one that nothing has.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "any" => Some(Self::Any),
            _ => TokenRefusal::all_takeable().find(|refusal| refusal.name() == text).map(Self::One),
        }
    }
}

impl fmt::Display for TakenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::One(refusal) => refusal.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_covers_what_it_says() {
        for refusal in TokenRefusal::all_takeable() {
            let taken = TakenTokens::parse(refusal.name()).unwrap();
            assert_eq!((taken, taken.to_string()), (TakenTokens::One(refusal), refusal.name().to_owned()));
            let covered = |taken: TakenTokens| TokenRefusal::ALL.iter().filter(|r| taken.covers(**r)).count();
            assert_eq!((covered(taken), covered(TakenTokens::Any)), (1, 9));
        }
        assert_eq!(TakenTokens::parse("any"), Some(TakenTokens::Any));
        for wrong in ["", "malformed", "unavailable", "Expired"] {
            assert_eq!(TakenTokens::parse(wrong), None, "{wrong}");
        }
    }
}
