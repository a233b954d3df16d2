use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client::*;
use crate::gateway::{EventKind, Handle, Settings, TlsSettings, start};

async fn secure(faults: &[&str]) -> Handle {
    gateway(Settings {
        tls: Some(TlsSettings::loopback()),
        hello: Some("hello".to_owned()),
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..Settings::default()
    })
    .await
}

/// Dials as a client that trusts the gateway's authority and nobody else.
async fn dial(gateway: &Handle) -> Result<Client<TlsStream<tokio::net::TcpStream>>, rustls::Error> {
    let pem = gateway.ca_pem().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
        Ok(stream) => Ok(Client::new(stream)),
        Err(error) => Err(error.downcast::<rustls::Error>().expect("an error of TLS")),
    }
}

fn certificate_error(error: rustls::Error) -> CertificateError {
    match error {
        rustls::Error::InvalidCertificate(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_session_over_tls() {
    let gateway = secure(&[]).await;
    assert!(gateway.url().starts_with("wss://127.0.0.1:"));
    let mut client = dial(&gateway).await.unwrap();
    assert!(client.upgrade("").await.contains(ACCEPT));
    assert_eq!(client.frame().await.text(), "hello");
    client.send_frame(BINARY, &vec![9; 60_000]).await;
    assert_eq!(client.frame().await.payload.len(), 60_000);
    client.close(1000).await;
    assert_eq!(client.frame().await.close_code(), Some(1000));
    // close_notify came before the FIN, or this would be an error.
    assert_eq!(client.rest().await, (vec![], Ended::Fin));
    drop(client);
    all_closed(&gateway).await;
    assert!(gateway.events(0).iter().any(|event| event.kind == EventKind::TlsDone));
}

#[tokio::test]
async fn each_bad_certificate_is_refused_for_its_own_reason() {
    type Test = fn(&CertificateError) -> bool;
    let cases: [(&str, Test); 4] = [
        ("tls_expired", |error| matches!(error, CertificateError::ExpiredContext { .. })),
        ("tls_not_yet_valid", |error| matches!(error, CertificateError::NotValidYetContext { .. })),
        ("tls_wrong_name", |error| matches!(error, CertificateError::NotValidForNameContext { .. })),
        ("tls_self_signed", |error| *error == CertificateError::UnknownIssuer),
    ];
    let gateway = secure(&[]).await;
    for (fault, expected) in cases {
        gateway.set_fault(fault.parse().unwrap()).unwrap();
        let error = certificate_error(dial(&gateway).await.err().unwrap());
        assert!(expected(&error), "{fault}: {error:?}");
        gateway.clear_all();
        dial(&gateway).await.unwrap();
    }
}

#[tokio::test]
async fn tls_expires_in_is_valid_and_ends_soon() {
    let gateway = secure(&["tls_expires_in=1h"]).await;
    let client = dial(&gateway).await.unwrap();
    let (_, session) = client.stream.get_ref();
    let leaf = &session.peer_certificates().unwrap()[0];
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).unwrap();
    let left = parsed.validity().time_to_expiration().unwrap();
    assert!((3590..=3600).contains(&left.whole_seconds()), "{left}");
}

#[tokio::test]
async fn a_tls_handshake_that_is_not_answered_properly() {
    // The beginning of a ClientHello is enough for the gateway to do it wrong.
    let hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01];
    let gateway = secure(&["tls_silent"]).await;
    let mut client = connect(&gateway).await;
    client.send(&hello).await;
    client.silent_until(tokio::time::sleep(Duration::from_millis(50))).await;
    drop(client);
    all_closed(&gateway).await;

    let gateway = secure(&["tls_close"]).await;
    let mut client = connect(&gateway).await;
    client.send(&hello).await;
    assert_eq!(client.rest().await, (vec![], Ended::Fin));

    let gateway = secure(&["tls_garbage"]).await;
    let mut client = connect(&gateway).await;
    client.send(&hello).await;
    assert!(client.more().await.is_ok());
    drop(client);
    assert!(matches!(dial(&gateway).await, Err(rustls::Error::InvalidMessage(_))));
}

#[tokio::test]
async fn a_client_without_tls_or_without_a_word_is_let_go() {
    let gateway = start(Settings {
        tls: Some(TlsSettings::loopback()),
        handshake_timeout: Duration::from_millis(100),
        ..Settings::default()
    })
    .await
    .unwrap();
    let mut plain = connect(&gateway).await;
    plain.send(request("").as_bytes()).await;
    assert!(!plain.rest().await.0.starts_with(b"HTTP"));
    let mut silent = connect(&gateway).await;
    assert_eq!(silent.rest().await, (vec![], Ended::Fin));
    drop((plain, silent));
    all_closed(&gateway).await;
    let failed = gateway.events(0).into_iter().filter(|event| event.kind == EventKind::TlsFailed);
    assert_eq!(failed.count(), 2);
}
