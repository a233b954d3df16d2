//! TLS by rustls: what is trusted, who we are, and what an error means.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, SignatureScheme};
use thiserror::Error;

use super::certificate::{CertificateFacts, TlsFacts};
use super::error::{DialError, ended};
use super::verify::{self, Witness};
use crate::model::{End, Phase};

/// How to speak TLS with a gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// A PEM file with the authorities to trust, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// Trust the system's authorities besides those of the file.
    pub system_authorities_too: bool,
    /// Our own certificate.
    pub client: Option<ClientFiles>,
    /// The name to ask for (SNI) and to verify, in place of the URL's host.
    pub server_name: Option<String>,
    /// Resume sessions. Off by default: a resumed handshake checks no certificate.
    pub resumption: bool,
}

/// The PEM files of a client certificate. They are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// The certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why TLS can't be set up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlsSetupError {
    /// Missing, unreadable, or without a usable certificate.
    #[error("{} holds no readable PEM certificates of authorities", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
    },
    /// Missing, unreadable, or without a certificate.
    #[error("{} holds no readable PEM certificate", path.display())]
    ClientCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Missing, unreadable, or without a key that we can use.
    #[error("{} holds no readable PEM private key", path.display())]
    ClientKey {
        /// The file.
        path: PathBuf,
    },
    /// The two do not belong together.
    #[error("the client certificate and its key do not belong together")]
    ClientPair,
    /// Not a DNS name or IP address.
    #[error("the server name is neither a DNS name nor an IP address")]
    ServerName,
    /// No root at all.
    #[error("no trusted authorities could be set up")]
    Roots,
}

/// TLS towards one gateway; made once, used for each dial.
#[derive(Debug)]
pub struct TlsClient {
    settings: TlsSettings,
    base: ClientConfig,
    witness: Arc<Witness>,
    verifier: Arc<dyn rustls::client::danger::ServerCertVerifier>,
    identity: Mutex<Option<Loaded>>,
    provider: Arc<CryptoProvider>,
}

/// The TLS of one dial.
pub(super) struct Attempt {
    pub(super) config: Arc<ClientConfig>,
    witness: Arc<Witness>,
    pub(super) identity: Arc<Identity>,
    /// What to write down about the client certificate's files.
    pub(super) note: Option<&'static str>,
}

impl TlsClient {
    /// Reads every file of the settings.
    ///
    /// # Errors
    /// When one of them is unusable.
    pub fn new(settings: TlsSettings) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = match &settings.authorities {
            Some(file) => verify::authorities(file, settings.system_authorities_too, &provider)?,
            None => verify::platform(&provider)?,
        };
        if let Some(name) = &settings.server_name {
            rustls::pki_types::ServerName::try_from(name.as_str()).map_err(|_| TlsSetupError::ServerName)?;
        }
        let loaded = settings.client.as_ref().map(|files| Loaded::read(files, &provider)).transpose()?;
        let identity = Arc::new(Identity::new(loaded.as_ref().map(|loaded| Arc::clone(&loaded.key))));
        let witness = Arc::new(Witness::new(Arc::clone(&verifier)));
        let mut base = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsSetupError::Roots)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as _)
            .with_client_cert_resolver(identity);
        base.alpn_protocols = vec![b"http/1.1".to_vec()];
        if !settings.resumption {
            base.resumption = Resumption::disabled();
        }
        Ok(Self { settings, base, witness, verifier, identity: Mutex::new(loaded), provider })
    }

    /// The name to ask for in place of the URL's host.
    pub(super) fn server_name(&self) -> Option<&str> {
        self.settings.server_name.as_deref()
    }

    /// Sets up the TLS of one dial, with our own certificate or without; reads its files again if they changed.
    pub(super) fn attempt(&self, with_identity: bool) -> Attempt {
        let (key, note) = if with_identity { self.current_key() } else { (None, None) };
        let identity = Arc::new(Identity::new(key));
        let mut config = self.base.clone();
        config.client_auth_cert_resolver = Arc::clone(&identity) as _;
        // A session is resumed only for the very verifier that checked it, so that one is then shared.
        let witness = if self.settings.resumption {
            Arc::clone(&self.witness)
        } else {
            let witness = Arc::new(Witness::new(Arc::clone(&self.verifier)));
            config.dangerous().set_certificate_verifier(Arc::clone(&witness) as _);
            witness
        };
        Attempt { config: Arc::new(config), witness, identity, note }
    }

    fn current_key(&self) -> (Option<Arc<CertifiedKey>>, Option<&'static str>) {
        let Some(files) = &self.settings.client else { return (None, None) };
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(loaded) = identity.as_mut() else { return (None, None) };
        let stamp = Stamp::of(files);
        let mut note = loaded
            .broken
            .then_some("the client certificate's files changed and are unusable: the old pair stays");
        if stamp != loaded.stamp {
            match Loaded::read(files, &self.provider) {
                Ok(fresh) => {
                    *loaded = fresh;
                    note = Some("the client certificate was read again");
                }
                Err(_) => {
                    loaded.stamp = stamp;
                    loaded.broken = true;
                    note =
                        Some("the client certificate's files changed and are unusable: the old pair stays");
                }
            }
        }
        (Some(Arc::clone(&loaded.key)), note)
    }
}

impl Attempt {
    /// What is known after the handshake, failed or not.
    pub(super) fn facts(&self) -> TlsFacts {
        let requested = self.identity.asked();
        TlsFacts { client_certificate_requested: requested, ..TlsFacts::of_chain(&self.witness.chain()) }
    }
}

/// A client certificate and what its files looked like when it was read.
#[derive(Debug)]
struct Loaded {
    stamp: Option<Stamp>,
    key: Arc<CertifiedKey>,
    broken: bool,
}

impl Loaded {
    fn read(files: &ClientFiles, provider: &CryptoProvider) -> Result<Self, TlsSetupError> {
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
struct Stamp([(Option<SystemTime>, u64, u64, u64); 2]);

impl Stamp {
    fn of(files: &ClientFiles) -> Option<Self> {
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
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl Identity {
    fn new(key: Option<Arc<CertifiedKey>>) -> Self {
        Self { key, asked: AtomicBool::new(false) }
    }

    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn expired(&self) -> bool {
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

/// The error of rustls inside an I/O error.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What an error in the handshake means; also for an alert that comes with the first read after it.
pub(super) fn classify(error: &io::Error, identity: &Identity, leaf: Option<&CertificateFacts>) -> DialError {
    use rustls::Error as E;
    let Some(tls) = tls_error(error) else {
        return match ended(error) {
            Some(how) => DialError::TlsClosed { how },
            None => DialError::Lost { phase: Phase::Tls, kind: error.kind() },
        };
    };
    match tls {
        E::AlertReceived(alert) => classify_alert(*alert, identity),
        E::InvalidCertificate(error) => classify_certificate(error, leaf),
        E::NoCertificatesPresented => DialError::TlsBadCertificate("none was sent"),
        E::UnsupportedNameType => DialError::TlsBadCertificate("an unsupported type of name"),
        E::PeerIncompatible(_) | E::NoApplicationProtocol => {
            DialError::TlsProtocol("no version, cipher suite or key exchange in common")
        }
        E::InvalidMessage(_) => DialError::TlsProtocol("what came is not TLS"),
        E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            DialError::TlsProtocol("a message out of order")
        }
        E::PeerMisbehaved(_) => DialError::TlsProtocol("the gateway broke the protocol"),
        E::DecryptError => DialError::TlsProtocol("a record could not be decrypted"),
        E::PeerSentOversizedRecord => DialError::TlsProtocol("an oversized record"),
        _ => DialError::TlsProtocol("the handshake failed"),
    }
}

fn classify_alert(alert: AlertDescription, identity: &Identity) -> DialError {
    use AlertDescription as A;
    let name = alert.as_str().unwrap_or("unknown");
    let about_certificate = matches!(
        alert,
        A::HandshakeFailure
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError
            | A::CertificateRequired
    );
    match alert {
        A::NoApplicationProtocol => DialError::TlsNoHttp1,
        _ if about_certificate && identity.asked() && identity.expired() => {
            DialError::Credential("our client certificate has expired")
        }
        A::CertificateRequired => DialError::TlsClientCertificateRefused(name),
        _ if about_certificate && identity.asked() => DialError::TlsClientCertificateRefused(name),
        A::CloseNotify => DialError::TlsClosed { how: End::Fin },
        _ => DialError::TlsAlert(name),
    }
}

fn classify_certificate(error: &CertificateError, leaf: Option<&CertificateFacts>) -> DialError {
    use CertificateError as C;
    match error {
        C::Expired | C::ExpiredContext { .. } => DialError::TlsExpired,
        C::NotValidYet | C::NotValidYetContext { .. } => DialError::TlsNotYetValid,
        C::NotValidForName | C::NotValidForNameContext { .. } => DialError::TlsWrongName,
        // A signature that no trusted key made: an authority of the same name with another key.
        C::UnknownIssuer | C::BadSignature => DialError::TlsUntrusted,
        C::Revoked => DialError::TlsBadCertificate("revoked"),
        C::BadEncoding => DialError::TlsBadCertificate("badly encoded"),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            DialError::TlsBadCertificate("not for servers (extended key usage)")
        }
        C::UnhandledCriticalExtension => DialError::TlsBadCertificate("an unknown critical extension"),
        _ if leaf.is_some_and(|leaf| leaf.is_ca) => {
            DialError::TlsBadCertificate("an authority's certificate (CA:TRUE) is used as the server's")
        }
        _ => DialError::TlsBadCertificate("not usable for a server, or of a kind that is not supported"),
    }
}
