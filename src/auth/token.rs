//! A token, as it goes to the gateway.

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};

use super::AuthError;

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

    /// A token whose issuer told when it expires, for those that do not say so themselves.
    ///
    /// # Errors
    /// When no request can carry it, or when it is a JWT whose own `exp` (RFC 7519, section 4.1.4) has passed at
    /// `now`; `from` names the issuer.
    pub fn issued(
        text: &str,
        expires_at: Option<SystemTime>,
        from: &str,
        now: SystemTime,
    ) -> Result<Self, AuthError> {
        let mut token = Self::read(text, from, now)?;
        token.expires_at = token.expires_at.or(expires_at);
        Ok(token)
    }

    /// A token that somebody else made, without the white space around it.
    pub(super) fn read(text: &str, from: &str, now: SystemTime) -> Result<Self, AuthError> {
        let (text, from) = (text.trim(), || from.to_owned());
        if text.is_empty() {
            return Err(AuthError::Empty { from: from() });
        }
        if text.len() > MAX_TOKEN || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(AuthError::Unusable { from: from() });
        }
        let token = Self::new(text);
        if let Some(Ok(ago)) = token.expires_at.map(|at| now.duration_since(at)) {
            return Err(AuthError::Expired { from: from(), ago: ago.as_secs() });
        }
        Ok(token)
    }

    /// The text itself. Only for the bytes that go to the gateway.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// When it expires, by its own word or its issuer's; unknown for most that are not JWTs.
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
