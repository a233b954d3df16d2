//! A key of each kind, as files, and what goes with it.

use std::path::{Path, PathBuf};

use gateprobe::auth::Algorithm;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};

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
            Algorithm::EdDSA => pair(&PKCS_ED25519),
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
