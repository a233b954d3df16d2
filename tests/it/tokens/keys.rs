//! A key of each kind, as files, and what goes with it.

use std::path::{Path, PathBuf};

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateprobe::auth::Algorithm;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};

use crate::support::write;

/// What signs and what verifies.
pub struct Keys {
    /// The file to sign with.
    pub private: PathBuf,
    /// The file to verify with.
    pub public: PathBuf,
    /// Its content.
    pub public_text: String,
}

impl Keys {
    /// New ones for an algorithm, in a folder.
    pub fn new(folder: &Path, algorithm: Algorithm) -> Self {
        let pair = |kind| {
            let pair = KeyPair::generate_for(kind).expect("a key");
            (pair.serialize_pem(), pair.public_key_pem())
        };
        let (private, public) = match algorithm {
            Algorithm::ES256 => pair(&PKCS_ECDSA_P256_SHA256),
            Algorithm::ES384 => pair(&PKCS_ECDSA_P384_SHA384),
            Algorithm::EdDSA => ed25519(),
            other if other.is_symmetric() => {
                let secret: String = (0..8).map(|_| format!("{:08x}", rand::random::<u32>())).collect();
                (secret.clone(), secret)
            }
            _ => pair(&PKCS_RSA_SHA256),
        };
        let file = |name: &str, text: &str| write(folder, &format!("{algorithm}-{name}"), text);
        Self { private: file("private", &private), public: file("public", &public), public_text: public }
    }
}

/// As OpenSSL writes it, which is what others read: without the public key beside the private one.
fn ed25519() -> (String, String) {
    let pair = Ed25519KeyPair::generate().expect("a key");
    let der = pair.to_pkcs8v1().expect("PKCS#8");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let public = KeyPair::from_pem(&pem).expect("a key").public_key_pem();
    (pem, public)
}
