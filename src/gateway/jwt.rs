//! Upgrades for those who show a good JSON Web Token (RFC 7519), and on demand for those with a bad one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation, crypto, decode,
    get_current_timestamp,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::answer::bearer;
use super::error::Error;
use super::fault::{FaultKind, FaultSet};
use super::http::Request;

/// Which JSON Web Tokens are good: signed by the one algorithm with the one key, not expired, already valid.
/// `Debug` shows no key.
#[derive(Debug, Clone)]
pub struct JwtRules {
    algorithm: Algorithm,
    key: DecodingKey,
    issuer: Option<String>,
    audience: Option<String>,
    leeway: u64,
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
        Ok(Self { algorithm, key, issuer: None, audience: None, leeway: 0 })
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
        Self { leeway: leeway.as_secs().min(3_600), ..self }
    }

    /// Whether a request shows a good token, as a bearer token or as the query parameter `access_token`; or one
    /// that is good enough with these faults. `None` for a request without one.
    pub fn admit(&self, request: &Request, faults: &FaultSet) -> Option<bool> {
        if request.all("authorization").next().is_some() {
            let shown = request.only("authorization").and_then(bearer);
            return Some(shown.is_some_and(|token| self.accept(token, faults)));
        }
        request.query("access_token").map(|token| self.accept(&token, faults))
    }

    fn accept(&self, token: &str, faults: &FaultSet) -> bool {
        let mut validation = self.validation(self.algorithm);
        validation.validate_exp = !faults.has(FaultKind::JwtExpiredAccepted);
        if decode::<Map<String, Value>>(token, &self.key, &validation).is_ok() {
            return true;
        }
        let claims = match Parts::of(token) {
            Some(parts) if parts.unsigned && faults.has(FaultKind::JwtUnsignedAccepted) => parts.claims,
            Some(parts) if !parts.unsigned && faults.has(FaultKind::JwtForgedAccepted) => parts.claims,
            _ => return false,
        };
        claims_hold(claims, self.validation(Algorithm::HS256))
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        let mut required = vec!["exp"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation.validate_nbf = true;
        validation.leeway = self.leeway.min(get_current_timestamp());
        // The library takes a token in the second of its `exp` itself, in which it must not be taken any more
        // (RFC 7519, section 4.1.4).
        validation.reject_tokens_expiring_in_less_than = 1;
        validation
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

/// Whether all but the signature is good: the claims are signed anew, with a key for this one purpose.
fn claims_hold(claims: &str, validation: Validation) -> bool {
    const KEY: &[u8] = b"for what is looked at without its signature";
    let Ok(header) = serde_json::to_vec(&Header::new(Algorithm::HS256)) else { return false };
    let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
    let key = EncodingKey::from_secret(KEY);
    let Ok(signature) = crypto::sign(message.as_bytes(), &key, Algorithm::HS256) else { return false };
    let token = format!("{message}.{signature}");
    decode::<Map<String, Value>>(token, &DecodingKey::from_secret(KEY), &validation).is_ok()
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
