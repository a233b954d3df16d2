//! Tokens that gateprobe signs itself, so that it has short-lived ones, and wrong ones, whenever it needs them.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jsonwebtoken::{EncodingKey, Header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::forgery::FAR;
use super::token::MAX_TOKEN;
use super::{Algorithm, AuthError, Forgery, KeyEncoding, KeyFault, Token, key};
use crate::model::Span;

/// A JSON Web Token (RFC 7519) that gateprobe signs itself, a new one for each connection. The claims `iat`,
/// `exp`, `jti` and `gateprobe: true` are always in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mint {
    /// What signs it.
    pub algorithm: Algorithm,
    /// The file with the key: for HS256, HS384 and HS512 a secret of at least 32, 48 or 64 bytes; for the others a
    /// private key in PEM (PKCS#8, PKCS#1 or SEC1), RSA from 2048 bits on. Read anew for each token. Never mount
    /// the key that signs the tokens of production's users: give gateprobe an issuer or `kid` of its own, good for
    /// a test tenant only.
    pub key_file: PathBuf,
    /// How the secret of HS256, HS384 or HS512 stands in the file.
    #[serde(default)]
    pub key_encoding: KeyEncoding,
    /// `kid` in the header.
    #[serde(default)]
    pub key_id: Option<String>,
    /// `iss`.
    #[serde(default)]
    pub issuer: Option<String>,
    /// `aud`. Several go into `claims`, as a list.
    #[serde(default)]
    pub audience: Option<String>,
    /// `sub`: a user that exists for gateprobe only.
    #[serde(default)]
    pub subject: Option<String>,
    /// Further claims.
    #[serde(default)]
    pub claims: Claims,
    /// From `iat` to `exp`, rounded up to whole seconds.
    #[serde(default = "default_lifetime")]
    pub lifetime: Span,
    /// Puts `nbf` in too, equal to `iat`. Off for gateways whose clocks are behind the agent's.
    #[serde(default = "default_not_before")]
    pub not_before: bool,
}

/// Claims by name. `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Claims(pub Map<String, Value>);

/// The claims that gateprobe sets itself.
const OURS: [&str; 5] = ["iat", "nbf", "exp", "jti", "gateprobe"];

fn default_lifetime() -> Span {
    Span::secs(300)
}

fn default_not_before() -> bool {
    true
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Mint {
    /// The further claims that can't be there, each with why.
    pub fn refused_claims(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let given = |value: &Option<String>, why| value.as_ref().map(|_| why);
        self.claims.0.keys().filter_map(move |name| {
            let why = match name.as_str() {
                "iss" => given(&self.issuer, "issuer sets this claim already; remove one of them"),
                "aud" => given(&self.audience, "audience sets this claim already; remove one of them"),
                "sub" => given(&self.subject, "subject sets this claim already; remove one of them"),
                ours => OURS.contains(&ours).then_some("gateprobe sets this claim itself; remove it"),
            };
            Some((name.as_str(), why?))
        })
    }

    /// Whether tokens can be signed with what the key file holds.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn check_key(&self, content: &[u8]) -> Result<(), KeyFault> {
        key::parse(content, self.algorithm, self.key_encoding).map(|_| ())
    }

    /// A good token. Reads the key file, so that it may block.
    pub(super) fn mint(&self, now: SystemTime) -> Result<Token, AuthError> {
        self.sign(&self.claims_at(now)?, &self.key()?)
    }

    /// A bad token; `None` for a wrong subject or audience where there is no right one. May block.
    pub(super) fn forge(&self, forgery: Forgery, now: SystemTime) -> Result<Option<Token>, AuthError> {
        let key = self.key()?;
        let mut claims = self.claims_at(now)?;
        match forgery {
            Forgery::Garbled | Forgery::AlgNone | Forgery::WrongKey => {
                let genuine = self.sign(&claims, &key)?;
                return Ok(forgery.of(genuine.expose()).map(|text| Token::new(&text)));
            }
            Forgery::Expired => {
                let then = now.checked_sub(FAR + self.lifetime.get() + Duration::from_secs(1));
                claims = self.claims_at(then.ok_or(AuthError::Clock)?)?;
            }
            Forgery::NotYetValid => {
                let then = now.checked_add(FAR).ok_or(AuthError::Clock)?;
                let later = self.claims_at(then)?;
                claims.insert("nbf".into(), later["iat"].clone());
                claims.insert("exp".into(), later["exp"].clone());
            }
            Forgery::OtherSubject => {
                let nobody = format!("gateprobe-nobody-{:016x}", rand::random::<u64>());
                if claims.insert("sub".into(), nobody.into()).is_none() {
                    return Ok(None);
                }
            }
            Forgery::OtherAudience => {
                if claims.insert("aud".into(), "https://gateprobe.invalid/elsewhere".into()).is_none() {
                    return Ok(None);
                }
            }
        }
        self.sign(&claims, &key).map(Some)
    }

    /// The claims of a token that is made at `now`.
    fn claims_at(&self, now: SystemTime) -> Result<Map<String, Value>, AuthError> {
        let issued = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| AuthError::Clock)?.as_secs();
        let lifetime = self.lifetime.get();
        let whole = lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0);
        let expires = issued.checked_add(whole).ok_or(AuthError::Clock)?;
        let mut claims = self.claims.0.clone();
        for (name, value) in [("iss", &self.issuer), ("aud", &self.audience), ("sub", &self.subject)] {
            if let Some(value) = value {
                claims.insert(name.into(), value.as_str().into());
            }
        }
        claims.insert("iat".into(), issued.into());
        if self.not_before {
            claims.insert("nbf".into(), issued.into());
        }
        claims.insert("exp".into(), expires.into());
        claims.insert("jti".into(), format!("{:032x}", rand::random::<u128>()).into());
        claims.insert("gateprobe".into(), true.into());
        Ok(claims)
    }

    fn sign(&self, claims: &Map<String, Value>, key: &EncodingKey) -> Result<Token, AuthError> {
        let header = Header { kid: self.key_id.clone(), ..Header::new(self.algorithm.into()) };
        let text = jsonwebtoken::encode(&header, claims, key)
            .map_err(|_| self.key_error(KeyFault::Signing { algorithm: self.algorithm }))?;
        if text.len() > MAX_TOKEN {
            return Err(AuthError::TooLong);
        }
        Ok(Token::new(&text))
    }

    fn key(&self) -> Result<EncodingKey, AuthError> {
        let content = key::read(&self.key_file).map_err(|error| match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => {
                AuthError::NoDescriptors { path: self.key_file.display().to_string() }
            }
            _ if error.kind() == std::io::ErrorKind::InvalidInput => self.key_error(KeyFault::NotPlain),
            _ => self.key_error(KeyFault::Unreadable(error.kind())),
        })?;
        key::parse(&content, self.algorithm, self.key_encoding).map_err(|fault| self.key_error(fault))
    }

    fn key_error(&self, fault: KeyFault) -> AuthError {
        AuthError::Key { path: self.key_file.display().to_string(), fault }
    }
}

#[cfg(test)]
#[path = "mint_tests.rs"]
mod tests;
