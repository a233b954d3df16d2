//! Tokens that a gateway must refuse.

use std::time::Duration;

use super::jwt::{self, Jwt};
use super::key;

/// How far a forged time lies from now: beyond the leeway that validators grant, which is minutes at most.
pub(super) const FAR: Duration = Duration::from_secs(3_600);

/// What is wrong with a forged token; all else in it is as it should be, so that it is refused for this and
/// nothing else. (No token at all is no forgery: leave the credential out.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// Its `exp` passed an hour ago (RFC 7519, section 4.1.4). Needs the key.
    Expired,
    /// Its `nbf` is in an hour (RFC 7519, section 4.1.5). Needs the key.
    NotYetValid,
    /// A claim was changed after it was signed; of a token that is no JWT, one character.
    Garbled,
    /// Its header says `none`, and it is not signed (RFC 7519, section 6.1; RFC 8725, section 3.2). Needs a JWT.
    AlgNone,
    /// It is signed by the right algorithm with a key that the gateway never saw. Needs a JWT.
    WrongKey,
    /// Its `sub` is nobody that there is (RFC 7519, section 4.1.2), rightly signed: wrong only where another
    /// subject's session is held. Needs the key.
    OtherSubject,
    /// Its `aud` is another service (RFC 7519, section 4.1.3). Needs the key.
    OtherAudience,
}

impl Forgery {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Expired,
        Self::NotYetValid,
        Self::Garbled,
        Self::AlgNone,
        Self::WrongKey,
        Self::OtherSubject,
        Self::OtherAudience,
    ];

    /// Whether it takes the key, and so a minted token.
    pub fn needs_key(self) -> bool {
        matches!(self, Self::Expired | Self::NotYetValid | Self::OtherSubject | Self::OtherAudience)
    }

    /// This forgery of a genuine token, made without its key. `None` where that can't be done. May take as long
    /// as it takes to make an RSA key.
    pub(super) fn of(self, genuine: &str) -> Option<String> {
        match (self, Jwt::parse(genuine)) {
            (Self::Garbled, Some(jwt)) => jwt.garbled(),
            (Self::AlgNone, Some(jwt)) => jwt.unsigned(),
            (Self::WrongKey, Some(jwt)) => {
                let algorithm = jwt.algorithm()?;
                jwt.signed_with(&key::stranger(algorithm)?, algorithm)
            }
            (Self::Garbled, None) => jwt::garbled(genuine),
            _ => None,
        }
    }
}
