//! Authorities, their certificates, and servers that show them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::{RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::super::*;
use super::servers::*;

/// An authority, and files that name it.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) der: rustls::pki_types::CertificateDer<'static>,
    pub(super) folder: TempDir,
}

/// A certificate with its key.
pub(super) struct Pair {
    pub(super) certificate: rcgen::Certificate,
    pub(super) key: KeyPair,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { der: certificate.der().clone(), issuer: Issuer::new(params, key), folder }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(super) fn pair(&self, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec!["127.0.0.1".into(), "gw.example".into()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Pair { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    pub(super) fn settings(&self) -> TlsSettings {
        TlsSettings { authorities: Some(self.file()), ..TlsSettings::default() }
    }

    pub(super) fn client_files(&self, pair: &Pair) -> ClientFiles {
        let files = ClientFiles {
            certificate: self.folder.path().join("client.pem"),
            key: self.folder.path().join("client.key"),
        };
        fs::write(&files.certificate, pair.certificate.pem()).unwrap();
        fs::write(&files.key, pair.key.serialize_pem()).unwrap();
        files
    }
}

pub(super) struct Server {
    pub(super) pair: Pair,
    pub(super) clients: Option<Authority>,
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
    pub(super) alpn: Vec<Vec<u8>>,
}

impl Server {
    pub(super) fn new(pair: Pair) -> Self {
        Self { pair, clients: None, versions: rustls::ALL_VERSIONS, alpn: Vec::new() }
    }

    pub(super) fn config(&self) -> ServerConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.versions)
            .unwrap();
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(self.pair.key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![self.pair.certificate.der().clone()], key).unwrap();
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }

    /// Upgrades over TLS and sends one text frame.
    pub(super) async fn run(self) -> SocketAddr {
        let acceptor = TlsAcceptor::from(Arc::new(self.config()));
        serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                upgrade(&mut stream).await;
                stream.write_all(b"\x81\x05hello").await.unwrap();
                stream.flush().await.unwrap();
                drain(&mut stream).await;
            }
        })
        .await
    }
}

pub(super) fn wss(address: SocketAddr, settings: TlsSettings) -> Endpoint {
    let url = format!("wss://{address}/").parse().unwrap();
    Endpoint::new(url, Arc::new(TlsClient::new(settings).unwrap())).unwrap()
}
