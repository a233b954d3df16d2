//! Upgrades for those who show a good JSON Web Token (RFC 7519), and on demand for those with a bad one.

mod credential;
mod refusal;
mod used;

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation, crypto, decode,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use self::credential::numeric_date;
use super::answer::bearer;
use super::clock;
use super::error::Error;
use super::fault::{FaultKind, FaultSet};
use super::http::Request;

pub use credential::{Credential, TokenId};
pub use refusal::{TakenTokens, TokenRefusal};
pub use used::UsedTokens;

type Claims = Map<String, Value>;

/// Which JSON Web Tokens are good: signed by the one algorithm with the one key, not expired, already valid.
/// `Debug` shows no key.
#[derive(Debug, Clone)]
pub struct JwtRules {
    algorithm: Algorithm,
    key: DecodingKey,
    issuer: Option<String>,
    audience: Option<String>,
    leeway: Duration,
}

impl JwtRules {
    /// Reads the key: for HS256, HS384 and HS512 the secret itself (a line break at its end is dropped), for the
    /// others a public key in PEM (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// A file that can't be read, or that holds no key for the algorithm.
    pub fn read(algorithm: Algorithm, key_file: &Path) -> Result<Self, Error> {
        let path = key_file.to_owned();
        let content = fs::read(key_file).map_err(|source| Error::File { path: path.clone(), source })?;
        let key = match algorithm.family() {
            AlgorithmFamily::Hmac => secret(&content),
            family => public_key(&content, family, algorithm),
        };
        let key = key.ok_or(Error::JwtKey { path, algorithm })?;
        Ok(Self { algorithm, key, issuer: None, audience: None, leeway: Duration::ZERO })
    }

    /// Only tokens of this issuer (`iss`).
    pub fn with_issuer(self, issuer: Option<String>) -> Self {
        Self { issuer, ..self }
    }

    /// Only tokens for this audience (`aud`). Without it, only tokens for none (RFC 7519, section 4.1.3).
    pub fn with_audience(self, audience: Option<String>) -> Self {
        Self { audience, ..self }
    }

    /// How long after `exp`, and before `nbf`, a token is still taken, in whole seconds; an hour at most.
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self { leeway: Duration::from_secs(leeway.as_secs().min(3_600)), ..self }
    }

    /// How long after `exp`, and before `nbf`, a token is still taken.
    pub fn leeway(&self) -> Duration {
        self.leeway
    }

    /// Whether a request shows a good token, as a bearer token or as the query parameter `access_token`; or one
    /// that is good enough with these faults. `None` for a request without one.
    pub fn admit(&self, request: &Request, faults: &FaultSet) -> Option<bool> {
        let taken = |refusal| {
            faults.has(match refusal {
                TokenRefusal::Expired => FaultKind::JwtExpiredAccepted,
                TokenRefusal::Unsigned => FaultKind::JwtUnsignedAccepted,
                TokenRefusal::Forged => FaultKind::JwtForgedAccepted,
                _ => return false,
            })
        };
        let good = |token: &str| self.judge(token, clock::now(faults), &taken).is_ok();
        shown(request).map(|token| token.is_some_and(|token| good(&token)))
    }

    /// What the token says by which a request was let in; `None` for one that was let in without a token.
    pub fn credential(&self, request: &Request) -> Option<Credential> {
        let token = shown(request)??;
        Credential::new(&token, &insecure_decode_claims(&token).ok()?)
    }

    /// What a good token says, or one with nothing wrong that is not `taken`; `now` is since the Unix epoch.
    ///
    /// # Errors
    /// What is wrong with the token.
    pub fn judge(
        &self,
        token: &str,
        now: Duration,
        taken: &dyn Fn(TokenRefusal) -> bool,
    ) -> Result<Credential, TokenRefusal> {
        let claims = self.claims(token, taken)?;
        let credential = Credential::new(token, &claims).ok_or(TokenRefusal::Malformed)?;
        let begins =
            claims.get("nbf").map(|nbf| numeric_date(nbf).ok_or(TokenRefusal::Malformed)).transpose()?;
        // In the second of its `exp` itself, a token must not be taken any more (RFC 7519, section 4.1.4).
        let expired = now >= credential.expires.saturating_add(self.leeway);
        let early = begins.is_some_and(|begins| now.saturating_add(self.leeway) < begins);
        let wrong = [(expired, TokenRefusal::Expired), (early, TokenRefusal::NotYetValid)];
        match wrong.into_iter().find(|(wrong, refusal)| *wrong && !taken(*refusal)) {
            Some((_, refusal)) => Err(refusal),
            None => Ok(credential),
        }
    }

    /// The claims of a token whose signature, issuer and audience are good, or taken as good.
    fn claims(&self, token: &str, taken: &dyn Fn(TokenRefusal) -> bool) -> Result<Claims, TokenRefusal> {
        let error = match decode::<Claims>(token, &self.key, &self.validation(self.algorithm, taken)) {
            Ok(data) => return Ok(data.claims),
            Err(error) => error,
        };
        if let Some(refusal) = of_claims(&error) {
            return Err(refusal);
        }
        let parts = Parts::of(token).ok_or(TokenRefusal::Malformed)?;
        let refusal = if parts.unsigned { TokenRefusal::Unsigned } else { TokenRefusal::Forged };
        if !taken(refusal) {
            return Err(refusal);
        }
        let validation = self.validation(Algorithm::HS256, taken);
        claims_signed_anew(parts.claims, &validation)
            .map_err(|error| of_claims(&error).unwrap_or(TokenRefusal::Malformed))
    }

    /// All but the times: those go by the gateway's own clock.
    fn validation(&self, algorithm: Algorithm, taken: &dyn Fn(TokenRefusal) -> bool) -> Validation {
        let mut validation = Validation::new(algorithm);
        let mut required = vec!["exp"];
        if let Some(issuer) = self.issuer.as_ref().filter(|_| !taken(TokenRefusal::OtherIssuer)) {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.validate_aud = !taken(TokenRefusal::OtherAudience);
        if let Some(audience) = self.audience.as_ref().filter(|_| validation.validate_aud) {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation.validate_exp = false;
        validation
    }
}

/// The token that a request shows: `None` for a request without one, `Some(None)` for what is no token.
fn shown(request: &Request) -> Option<Option<String>> {
    if request.all("authorization").next().is_some() {
        return Some(request.only("authorization").and_then(bearer).map(str::to_owned));
    }
    request.query("access_token").map(Some)
}

/// What is wrong with the claims of a token; `None` where it is something else.
fn of_claims(error: &JwtError) -> Option<TokenRefusal> {
    match error.kind() {
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Some(TokenRefusal::OtherIssuer),
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Some(TokenRefusal::OtherAudience),
        ErrorKind::MissingRequiredClaim(_) => Some(TokenRefusal::Malformed),
        ErrorKind::InvalidIssuer => Some(TokenRefusal::OtherIssuer),
        ErrorKind::InvalidAudience => Some(TokenRefusal::OtherAudience),
        _ => None,
    }
}

/// What matters of a token whose signature does not.
struct Parts<'a> {
    claims: &'a str,
    /// `alg: none`, and no signature.
    unsigned: bool,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
        let header: Map<String, Value> =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let none = header.get("alg")?.as_str()?.eq_ignore_ascii_case("none");
        (none == signature.is_empty()).then_some(Self { claims, unsigned: none })
    }
}

/// The claims where all but the signature is good: they are signed anew, with a key for this one purpose.
fn claims_signed_anew(claims: &str, validation: &Validation) -> Result<Claims, JwtError> {
    const KEY: &[u8] = b"for what is looked at without its signature";
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Header::new(Algorithm::HS256))?);
    let message = format!("{header}.{claims}");
    let signature = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(KEY), Algorithm::HS256)?;
    let token = format!("{message}.{signature}");
    Ok(decode::<Claims>(token, &DecodingKey::from_secret(KEY), validation)?.claims)
}

fn secret(content: &[u8]) -> Option<DecodingKey> {
    let line = content.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let secret = line.unwrap_or(content);
    (!secret.is_empty()).then(|| DecodingKey::from_secret(secret))
}

fn public_key(content: &[u8], family: AlgorithmFamily, algorithm: Algorithm) -> Option<DecodingKey> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(content).ok()?;
    let (_, info) = SubjectPublicKeyInfo::from_der(&der).ok()?;
    let bits = &*info.subject_public_key.data;
    match (family, info.parsed().ok()?) {
        (AlgorithmFamily::Rsa, PublicKey::RSA(_)) => Some(DecodingKey::from_rsa_der(bits)),
        (AlgorithmFamily::Ec, PublicKey::EC(point)) => {
            let size = if algorithm == Algorithm::ES384 { 384 } else { 256 };
            (point.key_size() == size).then(|| DecodingKey::from_ec_der(bits))
        }
        (AlgorithmFamily::Ed, PublicKey::Unknown(_)) if bits.len() == 32 => {
            Some(DecodingKey::from_ed_der(bits))
        }
        _ => None,
    }
}
