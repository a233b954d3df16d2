//! Which certificates are trusted, and a verifier that writes down what the real one was shown. It decides
//! nothing: no verification is ever skipped.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::tls::TlsSetupError;

/// How long the system's roots are shared: long enough for all targets of one config, short enough that a
/// reload sees an updated bundle.
const PLATFORM_AGE: Duration = Duration::from_secs(60);

type Verifier = Arc<dyn ServerCertVerifier>;

/// The verifier for the system's roots; Mozilla's where the system has none, as in an image from scratch.
pub(super) fn platform(provider: &Arc<CryptoProvider>) -> Result<Verifier, TlsSetupError> {
    static SHARED: Mutex<Option<(Instant, Verifier)>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((made, verifier)) = &*shared
        && made.elapsed() < PLATFORM_AGE
    {
        return Ok(Arc::clone(verifier));
    }
    let verifier = match rustls_platform_verifier::Verifier::new(Arc::clone(provider)) {
        Ok(verifier) => Arc::new(verifier) as Verifier,
        Err(_) => webpki(mozilla(), provider)?,
    };
    *shared = Some((Instant::now(), Arc::clone(&verifier)));
    Ok(verifier)
}

/// The verifier for the authorities in a PEM file: these only, or besides the system's.
pub(super) fn authorities(
    file: &Path,
    besides: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, TlsSetupError> {
    let unreadable = || TlsSetupError::Authorities { path: file.to_owned() };
    let pem = std::fs::read(file).map_err(|_| unreadable())?;
    let own: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| unreadable())?;
    if own.is_empty() {
        return Err(unreadable());
    }
    if besides && rustls_platform_verifier::Verifier::new(Arc::clone(provider)).is_ok() {
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(own, Arc::clone(provider));
        return Ok(Arc::new(verifier.map_err(|_| unreadable())?));
    }
    let mut roots = if besides { mozilla() } else { RootCertStore::empty() };
    for certificate in own {
        roots.add(certificate).map_err(|_| unreadable())?;
    }
    webpki(roots, provider)
}

fn mozilla() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

fn webpki(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Verifier, TlsSetupError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
    Ok(verifier.map_err(|_| TlsSetupError::Roots)?)
}

/// Writes down the chain that was shown and asks the real verifier.
#[derive(Debug)]
pub(super) struct Witness {
    verifier: Verifier,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Witness {
    pub(super) fn new(verifier: Verifier) -> Self {
        Self { verifier, chain: Mutex::default() }
    }

    /// The chain that was shown last, the leaf first.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) =
            chain.map(|certificate| certificate.clone().into_owned()).collect();
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.verifier.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.verifier.root_hint_subjects()
    }
}
