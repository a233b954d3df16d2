//! A token, as it goes to the gateway.

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};

/// The largest token that any header takes, in bytes.
pub(super) const MAX_TOKEN: usize = 16 * 1024;

/// A token that was good when it was fetched, or a forged one. Its text never shows in `Debug`.
#[derive(Debug, Clone)]
pub struct Token {
    text: SecretString,
    expires_at: Option<SystemTime>,
}

impl Token {
    /// A token; when it expires is read from it.
    pub(super) fn new(text: &str) -> Self {
        Self { text: SecretString::from(text), expires_at: jwt_expiry(text) }
    }

    /// The text itself. Only for the bytes that go to the gateway.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// When it expires by its own word; unknown for tokens that are not JWTs.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

/// The `exp` of a JWT (RFC 7519, section 4.1.4), read without trusting it: it only tells that our own token is
/// stale.
fn jwt_expiry(token: &str) -> Option<SystemTime> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: f64,
    }
    let token = token.rsplit(' ').next()?;
    let claims: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(claims.exp).ok()?)
}
