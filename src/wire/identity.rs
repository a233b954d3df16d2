//! Our own certificate: its files, which may change under us, and whether a gateway asked for it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::certificate::CertificateFacts;
use super::tls::{ClientFiles, TlsSetupError};

/// A client certificate and what its files looked like when it was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) stamp: Option<Stamp>,
    pub(super) key: Arc<CertifiedKey>,
    /// Whether the files changed since into something unusable.
    pub(super) broken: bool,
}

impl Loaded {
    pub(super) fn read(files: &ClientFiles, provider: &CryptoProvider) -> Result<Self, TlsSetupError> {
        // Taken before the files are read: a change in between is then seen the next time.
        let stamp = Stamp::of(files);
        let no_certificate = || TlsSetupError::ClientCertificate { path: files.certificate.clone() };
        let no_key = || TlsSetupError::ClientKey { path: files.key.clone() };
        let pem = fs::read(&files.certificate).map_err(|_| no_certificate())?;
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| no_certificate())?;
        if chain.is_empty() {
            return Err(no_certificate());
        }
        let pem = fs::read(&files.key).map_err(|_| no_key())?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| no_key())?;
        let pair = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsSetupError::ClientPair,
            _ => no_key(),
        })?;
        Ok(Self { stamp, key: Arc::new(pair), broken: false })
    }
}

/// Tells whether files changed, through symbolic links, by which a mounted secret is swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp([(Option<SystemTime>, u64, u64, u64); 2]);

impl Stamp {
    pub(super) fn of(files: &ClientFiles) -> Option<Self> {
        let one = |path: &Path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.modified().ok(), meta.len(), meta.ino(), meta.dev()))
        };
        Some(Self([one(&files.certificate)?, one(&files.key)?]))
    }
}

/// Our side of client authentication for one dial; knows whether the gateway asked for it.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl Identity {
    pub(super) fn new(key: Option<Arc<CertifiedKey>>) -> Self {
        Self { key, asked: AtomicBool::new(false) }
    }

    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn expired(&self) -> bool {
        let leaf = self.key.as_ref().and_then(|key| key.cert.first());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        leaf.and_then(|der| CertificateFacts::of(der))
            .is_some_and(|facts| facts.not_after < now.cast_signed())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _roots: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        let key = self.key.as_ref()?;
        key.key.choose_scheme(schemes).map(|_| Arc::clone(key))
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}
