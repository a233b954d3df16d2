//! TLS by rustls: what is trusted and who we are.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, PoisonError};

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::certificate::TlsFacts;
use super::identity::{Identity, Loaded, Stamp};
use super::verify::{self, Witness};

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
    loaded: Mutex<Option<Loaded>>,
    shared: Mutex<Arc<Identity>>,
    provider: Arc<CryptoProvider>,
}

/// Seeds the random number generator, once in a process. AWS-LC does it at the first use, from the jitter of the
/// processor, for a tenth of a second: the gateway of the first dial would be charged with it.
fn seed(provider: &CryptoProvider) {
    static SEEDED: Once = Once::new();
    // Without random numbers no handshake begins, and each one says so.
    SEEDED.call_once(|| _ = provider.secure_random.fill(&mut [0; 1]));
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
        seed(&provider);
        let verifier = match &settings.authorities {
            Some(file) => verify::authorities(file, settings.system_authorities_too, &provider)?,
            None => verify::platform(&provider)?,
        };
        if let Some(name) = &settings.server_name {
            rustls::pki_types::ServerName::try_from(name.as_str()).map_err(|_| TlsSetupError::ServerName)?;
        }
        let loaded = settings.client.as_ref().map(|files| Loaded::read(files, &provider)).transpose()?;
        let shared = Arc::new(Identity::new(loaded.as_ref().map(|loaded| Arc::clone(&loaded.key))));
        let witness = Arc::new(Witness::new(Arc::clone(&verifier)));
        let mut base = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsSetupError::Roots)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as _)
            .with_client_cert_resolver(Arc::clone(&shared) as _);
        base.alpn_protocols = vec![b"http/1.1".to_vec()];
        if !settings.resumption {
            base.resumption = Resumption::disabled();
        }
        Ok(Self {
            settings,
            base,
            witness,
            verifier,
            loaded: Mutex::new(loaded),
            shared: Mutex::new(shared),
            provider,
        })
    }

    /// The same for what dials by itself, such as an HTTP client; it says what protocols it speaks (ALPN).
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let mut config = (*self.attempt(true).config).clone();
        config.alpn_protocols.clear();
        Arc::new(config)
    }

    /// The name to ask for in place of the URL's host.
    pub(super) fn server_name(&self) -> Option<&str> {
        self.settings.server_name.as_deref()
    }

    /// Sets up the TLS of one dial, with our own certificate or without; reads its files again if they changed.
    pub(super) fn attempt(&self, with_identity: bool) -> Attempt {
        let (key, note) = if with_identity { self.current_key() } else { (None, None) };
        let mut config = self.base.clone();
        // A session is resumed only for the very verifier and identity that it began with: then these are shared
        // by all dials, else each has its own, which knows what happened to it.
        let (witness, identity) = if self.settings.resumption {
            (Arc::clone(&self.witness), self.shared_identity(key))
        } else {
            (Arc::new(Witness::new(Arc::clone(&self.verifier))), Arc::new(Identity::new(key)))
        };
        config.client_auth_cert_resolver = Arc::clone(&identity) as _;
        config.dangerous().set_certificate_verifier(Arc::clone(&witness) as _);
        Attempt { config: Arc::new(config), witness, identity, note }
    }

    fn shared_identity(&self, key: Option<Arc<CertifiedKey>>) -> Arc<Identity> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let same = match (&shared.key, &key) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if !same {
            *shared = Arc::new(Identity::new(key));
        }
        Arc::clone(&shared)
    }

    fn current_key(&self) -> (Option<Arc<CertifiedKey>>, Option<&'static str>) {
        let Some(files) = &self.settings.client else { return (None, None) };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(loaded) = loaded.as_mut() else { return (None, None) };
        let stamp = Stamp::of(files);
        let mut note = None;
        if stamp != loaded.stamp {
            match Loaded::read(files, &self.provider) {
                Ok(fresh) => {
                    *loaded = fresh;
                    note = Some("the client certificate was read again");
                }
                Err(_) => (loaded.stamp, loaded.broken) = (stamp, true),
            }
        }
        if loaded.broken {
            note = Some("the client certificate's files changed and are unusable: the old pair stays");
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
