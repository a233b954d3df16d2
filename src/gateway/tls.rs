//! The gateway's certificates: a self-made authority with good and bad leaves, or files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;

use super::error::Error;
use super::fault::FaultSet;
use super::fault::{Fault, FaultError, FaultKind};
use super::settings::TlsSettings;

const DAY: Duration = Duration::from_secs(86_400);
/// Dates beyond the year 9999 can't be written in a certificate (RFC 5280 section 4.1.2.5).
const CENTURY: Duration = Duration::from_secs(36_500 * 86_400);

/// What the gateway shows in TLS handshakes.
pub struct Identity {
    healthy: Arc<ServerConfig>,
    authority: Option<Authority>,
    faulty: Mutex<BTreeMap<FaultKind, Arc<ServerConfig>>>,
}

impl Identity {
    /// Makes or reads the certificate.
    ///
    /// # Errors
    /// A name that no certificate can carry; a file that is missing, no PEM, or doesn't fit.
    pub fn new(settings: &TlsSettings) -> Result<Self, Error> {
        let (healthy, authority) = match settings {
            TlsSettings::SelfMade { names } => {
                let authority = Authority::new(names.clone())?;
                (authority.leaf(&Leaf::healthy(names))?, Some(authority))
            }
            TlsSettings::Files { certificate, key } => (from_files(certificate, key)?, None),
        };
        Ok(Self { healthy, authority, faulty: Mutex::default() })
    }

    /// The authority that clients must trust, in PEM; `None` for a certificate from files.
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| &*authority.pem)
    }

    /// Makes the certificate that `fault` shows, if it shows one.
    ///
    /// # Errors
    /// A certificate that can't be made.
    pub fn prepare(&self, fault: &Fault) -> Result<(), FaultError> {
        let Some(authority) = &self.authority else {
            return Ok(());
        };
        let Some(leaf) = Leaf::faulty(&authority.names, fault) else {
            return Ok(());
        };
        let kind = fault.kind();
        let config = authority
            .leaf(&leaf)
            .map_err(|error| FaultError::Certificate { name: kind.name(), detail: error.to_string() })?;
        let mut faulty = self.faulty.lock().unwrap_or_else(PoisonError::into_inner);
        faulty.insert(kind, config);
        Ok(())
    }

    /// What a connection with these faults is shown.
    pub fn config(&self, faults: &FaultSet) -> Arc<ServerConfig> {
        let faulty = self.faulty.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = faults.iter().find_map(|fault| faulty.get(&fault.kind()));
        shown.unwrap_or(&self.healthy).clone()
    }
}

struct Leaf {
    names: Vec<String>,
    not_before: SystemTime,
    not_after: SystemTime,
    self_signed: bool,
}

impl Leaf {
    fn healthy(names: &[String]) -> Self {
        Self {
            names: names.to_vec(),
            not_before: SystemTime::now() - DAY,
            not_after: SystemTime::now() + 90 * DAY,
            self_signed: false,
        }
    }

    fn faulty(names: &[String], fault: &Fault) -> Option<Self> {
        let now = SystemTime::now();
        let mut leaf = Self::healthy(names);
        match fault {
            Fault::TlsExpired => {
                leaf.not_before = now - 90 * DAY;
                leaf.not_after = now - DAY;
            }
            Fault::TlsNotYetValid => leaf.not_before = now + DAY,
            Fault::TlsWrongName => leaf.names = vec!["wrong-name.invalid".to_owned()],
            Fault::TlsSelfSigned => leaf.self_signed = true,
            Fault::TlsExpiresIn(left) => leaf.not_after = now + (*left).min(CENTURY),
            _ => return None,
        }
        Some(leaf)
    }
}

struct Authority {
    names: Vec<String>,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    fn new(names: Vec<String>) -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let title = "gateprobe reference gateway authority";
        params.distinguished_name.push(DnType::CommonName, title);
        params.not_before = (SystemTime::now() - 400 * DAY).into();
        params.not_after = (SystemTime::now() + 3650 * DAY).into();
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            names,
            pem: certificate.pem(),
            certificate: certificate.into(),
            issuer: Issuer::new(params, key),
        })
    }

    fn leaf(&self, leaf: &Leaf) -> Result<Arc<ServerConfig>, Error> {
        let mut params = CertificateParams::new(leaf.names.clone())?;
        let title = "gateprobe reference gateway";
        params.distinguished_name.push(DnType::CommonName, title);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = leaf.not_before.into();
        params.not_after = leaf.not_after.into();
        let key = KeyPair::generate()?;
        let chain = if leaf.self_signed {
            vec![params.self_signed(&key)?.into()]
        } else {
            params.use_authority_key_identifier_extension = true;
            let signed = params.signed_by(&key, &self.issuer)?;
            vec![signed.into(), self.certificate.clone()]
        };
        server_config(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }
}

fn from_files(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Error> {
    let read = |path: &Path| fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source });
    let not_pem = |path: &Path| Error::NotPem { path: path.to_owned() };
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| not_pem(certificate))?;
    let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| not_pem(key))?;
    server_config(chain, key)
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would show no certificate, and hide that it has become a bad one.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_certificate_fault_has_a_certificate_of_its_own() {
        let identity = Identity::new(&TlsSettings::loopback()).unwrap();
        assert!(identity.ca_pem().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        for fault in ["tls_expired", "tls_wrong_name", "tls_expires_in=99999999999d"] {
            identity.prepare(&fault.parse().unwrap()).unwrap();
        }
        assert_eq!(identity.faulty.lock().unwrap().len(), 3);
        assert!(Arc::ptr_eq(&identity.config(&FaultSet::default()), &identity.healthy));
    }

    #[test]
    fn files_are_read_and_judged() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path("cert.pem"), made.cert.pem()).unwrap();
        fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(path("empty.pem"), "nothing").unwrap();
        let load = |certificate: &str, key: &str| {
            Identity::new(&TlsSettings::Files { certificate: path(certificate), key: path(key) })
        };
        let identity = load("cert.pem", "key.pem").unwrap();
        assert!(identity.ca_pem().is_none());
        assert!(matches!(load("none.pem", "key.pem"), Err(Error::File { .. })));
        assert!(matches!(load("empty.pem", "key.pem"), Err(Error::NotPem { .. })));
        assert!(matches!(load("cert.pem", "empty.pem"), Err(Error::NotPem { .. })));
    }
}
