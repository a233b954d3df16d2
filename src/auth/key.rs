//! Keys that tokens are signed with: read from a mounted file, or made up so that nobody knows them.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::EncodingKey;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use schemars::JsonSchema;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use x509_parser::asn1_rs::{FromDer, Integer, OctetString, Sequence};

use super::algorithm::KeyKind;
use super::{Algorithm, KeyFault};

/// No key is larger, in bytes.
const MAX_KEY: u64 = 64 * 1024;

/// How the secret of HS256, HS384 and HS512 stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyEncoding {
    /// The file's bytes are the secret; of a text, one line break at its end is dropped.
    #[default]
    Raw,
    /// Base64, with either alphabet, with or without padding; white space is skipped.
    Base64,
}

/// The content of a key file.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, std::io::Error> {
    // A pipe would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let mut content = Zeroizing::new(Vec::new());
    std::fs::File::open(path)?.take(MAX_KEY + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// The key for an algorithm in a file's content.
pub(super) fn parse(
    content: &[u8],
    algorithm: Algorithm,
    encoding: KeyEncoding,
) -> Result<EncodingKey, KeyFault> {
    if content.trim_ascii().is_empty() {
        return Err(KeyFault::Empty);
    }
    if content.len() as u64 > MAX_KEY {
        return Err(KeyFault::TooLarge);
    }
    match algorithm.key_kind() {
        KeyKind::Secret(least) => secret(content, algorithm, encoding, least),
        kind => private_key(content, algorithm, kind),
    }
}

fn secret(
    content: &[u8],
    algorithm: Algorithm,
    encoding: KeyEncoding,
    least: usize,
) -> Result<EncodingKey, KeyFault> {
    if content.trim_ascii_start().starts_with(b"-----BEGIN ") {
        return Err(KeyFault::Pem { algorithm });
    }
    let secret = match encoding {
        KeyEncoding::Raw => Zeroizing::new(without_line_break(content).to_owned()),
        KeyEncoding::Base64 => decoded(content).ok_or(KeyFault::NotBase64)?,
    };
    if secret.len() < least {
        return Err(KeyFault::TooShort { algorithm, bits: secret.len() * 8, least: least * 8 });
    }
    Ok(EncodingKey::from_secret(&secret))
}

/// Editors end a text with a line break; in a secret of random bytes it is one of them.
fn without_line_break(content: &[u8]) -> &[u8] {
    match content {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] if text.iter().all(u8::is_ascii_graphic) => text,
        all => all,
    }
}

fn decoded(content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let any_padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let compact: Zeroizing<Vec<u8>> =
        Zeroizing::new(content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let by = |alphabet| GeneralPurpose::new(alphabet, any_padding).decode(&*compact).ok().map(Zeroizing::new);
    by(&alphabet::STANDARD).or_else(|| by(&alphabet::URL_SAFE))
}

fn private_key(content: &[u8], algorithm: Algorithm, kind: KeyKind) -> Result<EncodingKey, KeyFault> {
    let der = PrivateKeyDer::from_pem_slice(content).map_err(|_| {
        let encrypted = content.windows(9).any(|window| window == b"ENCRYPTED");
        if encrypted { KeyFault::Encrypted } else { KeyFault::NotPem }
    })?;
    let (key, wanted) = match kind {
        KeyKind::P256 => (ec(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_der()), "P-256 key"),
        KeyKind::P384 => (ec(&ECDSA_P384_SHA384_FIXED_SIGNING, der.secret_der()), "P-384 key"),
        KeyKind::Ed25519 => (ed25519(der.secret_der()), "Ed25519 key"),
        KeyKind::Rsa | KeyKind::Secret(_) => (rsa(&der), "RSA key of 2048 to 8192 bits"),
    };
    key.ok_or(KeyFault::WrongKind { algorithm, wanted })
}

/// PKCS#8 or SEC1, as PKCS#8, which is what signing takes.
fn ec(curve: &'static EcdsaSigningAlgorithm, der: &[u8]) -> Option<EncodingKey> {
    let pair = EcdsaKeyPair::from_private_key_der(curve, der).ok()?;
    Some(EncodingKey::from_ec_der(pair.to_pkcs8v1().ok()?.as_ref()))
}

fn ed25519(der: &[u8]) -> Option<EncodingKey> {
    Ed25519KeyPair::from_pkcs8(der).ok()?;
    Some(EncodingKey::from_ed_der(der))
}

/// PKCS#8 or PKCS#1, as PKCS#1, which is what signing takes.
fn rsa(der: &PrivateKeyDer<'_>) -> Option<EncodingKey> {
    let pkcs1 = match der {
        PrivateKeyDer::Pkcs8(pkcs8) => inside_pkcs8(pkcs8.secret_pkcs8_der())?,
        other => Zeroizing::new(other.secret_der().to_owned()),
    };
    RsaKeyPair::from_der(&pkcs1).ok()?;
    Some(EncodingKey::from_rsa_der(&pkcs1))
}

/// `privateKey` of a `PrivateKeyInfo` (RFC 5208, section 5): version, algorithm, and the key in an octet string.
fn inside_pkcs8(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (_, info) = Sequence::from_der(der).ok()?;
    let (rest, _version) = Integer::from_der(&info.content).ok()?;
    let (rest, _algorithm) = Sequence::from_der(rest).ok()?;
    let (_, key) = OctetString::from_der(rest).ok()?;
    Some(Zeroizing::new(key.as_ref().to_owned()))
}

/// A key that no gateway knows: random at each call, but for RSA, whose keys take so long to make that one serves
/// the whole process. `None` if the system gives no random bytes.
pub(super) fn stranger(algorithm: Algorithm) -> Option<EncodingKey> {
    static RSA: LazyLock<Option<EncodingKey>> = LazyLock::new(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(EncodingKey::from_rsa_der(&inside_pkcs8(pkcs8.as_ref())?))
    });
    let ec = |curve| {
        let pair = EcdsaKeyPair::generate(curve).ok()?;
        Some(EncodingKey::from_ec_der(pair.to_pkcs8v1().ok()?.as_ref()))
    };
    match algorithm.key_kind() {
        KeyKind::Secret(length) => {
            let mut secret = Zeroizing::new(vec![0; length]);
            SystemRandom::new().fill(&mut secret).ok()?;
            Some(EncodingKey::from_secret(&secret))
        }
        KeyKind::Rsa => RSA.clone(),
        KeyKind::P256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyKind::P384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyKind::Ed25519 => {
            let pair = Ed25519KeyPair::generate().ok()?;
            Some(EncodingKey::from_ed_der(pair.to_pkcs8v1().ok()?.as_ref()))
        }
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
