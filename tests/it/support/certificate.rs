//! An authority and a certificate for the gateways of one test.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::write;

/// Files in PEM.
pub struct Certificate {
    /// The authority, to be trusted.
    pub ca: PathBuf,
    /// The certificate of the gateway.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificate {
    /// A certificate for names and addresses, signed by an authority of its own.
    pub fn new(folder: &Path, names: &[&str]) -> Self {
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = authority.self_signed(&authority_key).expect("an authority");
        let issuer = Issuer::new(authority, authority_key);
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(names).expect("names").signed_by(&key, &issuer);
        Self {
            ca: write(folder, "ca.pem", ca.pem()),
            cert: write(folder, "cert.pem", leaf.expect("a certificate").pem()),
            key: write(folder, "key.pem", key.serialize_pem()),
        }
    }

    /// The options by which a gateway of `tests/gateways` speaks TLS.
    pub fn options(&self) -> [&str; 4] {
        ["--cert", self.cert.to_str().expect("UTF-8"), "--key", self.key.to_str().expect("UTF-8")]
    }
}
