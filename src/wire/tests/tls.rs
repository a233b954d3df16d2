use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{SupportedProtocolVersion, version};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::super::tcp::reset_on_close;
use super::super::*;
use super::authority::*;
use super::servers::*;

static ONLY_TLS13: &[&SupportedProtocolVersion] = &[&version::TLS13];
static ONLY_TLS12: &[&SupportedProtocolVersion] = &[&version::TLS12];

#[tokio::test]
async fn a_good_certificate_passes_with_its_facts() {
    for (versions, name) in [(ONLY_TLS13, "TLSv1.3"), (ONLY_TLS12, "TLSv1.2")] {
        let authority = Authority::new("A");
        let server =
            Server { versions, alpn: vec![b"http/1.1".to_vec()], ..Server::new(authority.pair(|_| {})) };
        let mut dialed = dial(&wss(server.run().await, authority.settings())).await.unwrap();
        let tls = dialed.tls.unwrap();
        assert_eq!(tls.version, Some(name));
        assert!(tls.cipher.unwrap().starts_with("TLS"));
        assert!(!tls.resumed && !tls.client_certificate_requested);
        let leaf = tls.leaf.unwrap();
        assert_eq!(leaf.names, ["127.0.0.1", "gw.example"]);
        assert_eq!((leaf.issuer.as_str(), leaf.self_issued), ("A", false));
        assert_eq!(tls.earliest_not_after, Some(leaf.not_after));
        let t = dialed.timings;
        assert_eq!(t.total(), t.tcp.unwrap() + t.tls.unwrap() + t.upgrade.unwrap());
        assert_eq!(dialed.socket.recv().await.what.frame().unwrap().text(), Some("hello"));
    }
}

#[tokio::test]
async fn bad_certificates_are_told_apart_and_their_facts_kept() {
    type Change = fn(&mut CertificateParams);
    let cases: [(Change, &str); 5] = [
        (
            |p| {
                (p.not_before, p.not_after) =
                    (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1))
            },
            "tls_expired",
        ),
        (
            |p| {
                (p.not_before, p.not_after) =
                    (rcgen::date_time_ymd(2090, 1, 1), rcgen::date_time_ymd(2091, 1, 1))
            },
            "tls_not_yet_valid",
        ),
        (
            |p| p.subject_alt_names = vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())],
            "tls_wrong_name",
        ),
        (|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "tls_bad_certificate"),
        (|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth], "tls_bad_certificate"),
    ];
    for (change, reason) in cases {
        let authority = Authority::new("A");
        let pair = authority.pair(change);
        let endpoint = wss(Server::new(pair).run().await, authority.settings());
        let failure = failure(&endpoint).await;
        assert_eq!(failure.outcome().reason(), Some(reason), "{}", failure.error);
        let tls = failure.facts.tls.unwrap();
        assert_eq!((tls.version, tls.chain_length), (None, 1));
        assert!(tls.leaf.unwrap().not_after > 0);
        assert!(failure.facts.timings.tls.is_some() && failure.facts.timings.upgrade.is_none());
    }
}

#[tokio::test]
async fn trust_comes_from_the_settings_only() {
    let (ours, theirs) = (Authority::new("A"), Authority::new("B"));
    let address = Server::new(theirs.pair(|_| {})).run().await;
    expect(&wss(address, ours.settings()), "tls_untrusted").await;
    expect(&wss(address, TlsSettings::default()), "tls_untrusted").await;
    let too = TlsSettings { system_authorities_too: true, ..theirs.settings() };
    dial(&wss(address, too)).await.unwrap();
    // An authority of the same name with another key.
    let namesake = Authority::new("B");
    expect(&wss(address, namesake.settings()), "tls_untrusted").await;
}

/// Trusts an authority with this key, which made nothing of what the server shows.
async fn expect_of_a_namesake(address: SocketAddr, key: &KeyPair, name: &str) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("old.pem");
    fs::write(&file, params.self_signed(key).unwrap().pem()).unwrap();
    let settings = TlsSettings { authorities: Some(file), ..TlsSettings::default() };
    expect(&wss(address, settings), "tls_untrusted").await;
}

#[tokio::test]
async fn a_certificate_signed_by_itself_is_untrusted_whatever_key_its_namesake_has() {
    let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    params.is_ca = IsCa::ExplicitNoCa;
    let rsa = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p256 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let old = [rsa, ed25519, p256];
    for algorithm in [&rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_ECDSA_P256_SHA256] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let address = Server::new(Pair { certificate, key }).run().await;
        for old in &old {
            expect_of_a_namesake(address, old, "localhost").await;
        }
        expect_of_a_namesake(address, &old[0], "another").await;
    }
}

#[tokio::test]
async fn another_server_name_can_be_asked_for() {
    let authority = Authority::new("A");
    let pair = authority
        .pair(|p| p.subject_alt_names = vec![rcgen::SanType::DnsName("gw.example".try_into().unwrap())]);
    let address = Server::new(pair).run().await;
    expect(&wss(address, authority.settings()), "tls_wrong_name").await;
    let named = TlsSettings { server_name: Some("gw.example".into()), ..authority.settings() };
    dial(&wss(address, named)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_tls() {
    let authority = Authority::new("A");
    let settings = || authority.settings();
    let garbage = answering_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    expect(&wss(garbage, settings()), "tls_protocol").await;
    let alert = answering_at_once(b"\x15\x03\x03\x00\x02\x02\x28").await;
    let error = expect(&wss(alert, settings()), "tls_alert").await;
    assert_eq!(error, DialError::TlsAlert("HandshakeFailure"));
    let fin = serve(|mut stream| async move {
        use tokio::io::AsyncReadExt;
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).await;
    })
    .await;
    expect(&wss(fin, settings()), "tls_closed").await;
    let rst = serve(|stream: TcpStream| async move {
        stream.readable().await.unwrap();
        reset_on_close(&stream);
    })
    .await;
    expect(&wss(rst, settings()), "tls_closed").await;
    let h2 = Server { alpn: vec![b"h2".to_vec()], ..Server::new(authority.pair(|_| {})) };
    expect(&wss(h2.run().await, settings()), "http2_only").await;
}

async fn answering_at_once(answer: &'static [u8]) -> SocketAddr {
    serve(move |mut stream| async move {
        stream.write_all(answer).await.unwrap();
        drain(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn client_certificates() {
    for versions in [ONLY_TLS13, ONLY_TLS12] {
        let authority = Authority::new("A");
        let pair = authority.pair(|_| {});
        let clients = Authority::new("Clients");
        let good = clients.pair(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
        let stranger = Authority::new("Strangers").pair(|_| {});
        let old = clients.pair(|p| p.not_after = rcgen::date_time_ymd(2001, 1, 1));
        let address = Server { clients: Some(clients), versions, ..Server::new(pair) }.run().await;
        let with = |pair: &Pair| {
            let client = Some(authority.client_files(pair));
            wss(address, TlsSettings { client, ..authority.settings() })
        };
        for _ in 0..5 {
            dial(&with(&good)).await.unwrap();
            expect(&wss(address, authority.settings()), "tls_client_certificate_refused").await;
            expect(&with(&stranger), "tls_client_certificate_refused").await;
            expect(&with(&old), "credential").await;
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_read_again_when_it_changes() {
    let authority = Authority::new("A");
    let pair = authority.pair(|_| {});
    let clients = Authority::new("Clients");
    let (first, second) = (clients.pair(|_| {}), Authority::new("Strangers").pair(|_| {}));
    let third = clients.pair(|_| {});
    let address = Server { clients: Some(clients), ..Server::new(pair) }.run().await;
    let client = Some(authority.client_files(&first));
    let endpoint = wss(address, TlsSettings { client, ..authority.settings() });
    dial(&endpoint).await.unwrap();
    authority.client_files(&second);
    expect(&endpoint, "tls_client_certificate_refused").await;
    authority.client_files(&third);
    dial(&endpoint).await.unwrap();
    // A broken file leaves the old pair, and a note.
    fs::write(authority.folder.path().join("client.pem"), "rubbish").unwrap();
    let evidence = crate::model::Evidence::new();
    dialer().dial(&endpoint, &Offer::default(), &evidence).await.unwrap();
    let timeline = format!("{:?}", evidence.timeline());
    assert!(timeline.contains("the old pair stays"), "{timeline}");
}

#[tokio::test]
async fn sessions_are_resumed_only_where_asked_for() {
    for resumption in [false, true] {
        let authority = Authority::new("A");
        let address = Server::new(authority.pair(|_| {})).run().await;
        let endpoint = wss(address, TlsSettings { resumption, ..authority.settings() });
        for round in 0..3 {
            let mut dialed = dial(&endpoint).await.unwrap();
            dialed.socket.recv().await;
            let tls = dialed.tls.unwrap();
            assert_eq!(tls.resumed, resumption && round > 0);
            assert!(tls.leaf.is_some());
        }
    }
}

#[test]
fn files_that_can_not_be_used() {
    let authority = Authority::new("A");
    let good = authority.client_files(&authority.pair(|_| {}));
    let other = authority.folder.path().join("other.key");
    fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let broken = |settings| TlsClient::new(settings).unwrap_err();
    let missing = PathBuf::from("/nonexistent/ca.pem");
    let client = |certificate: &PathBuf, key: &PathBuf| TlsSettings {
        client: Some(ClientFiles { certificate: certificate.clone(), key: key.clone() }),
        ..TlsSettings::default()
    };
    assert!(matches!(
        broken(TlsSettings { authorities: Some(missing.clone()), ..TlsSettings::default() }),
        TlsSetupError::Authorities { .. }
    ));
    assert!(matches!(
        broken(TlsSettings { authorities: Some(good.key.clone()), ..TlsSettings::default() }),
        TlsSetupError::Authorities { .. }
    ));
    assert!(matches!(broken(client(&missing, &good.key)), TlsSetupError::ClientCertificate { .. }));
    assert!(matches!(broken(client(&good.certificate, &missing)), TlsSetupError::ClientKey { .. }));
    assert_eq!(broken(client(&good.certificate, &other)), TlsSetupError::ClientPair);
    let named = TlsSettings { server_name: Some("not a name".into()), ..TlsSettings::default() };
    assert_eq!(broken(named), TlsSetupError::ServerName);
}

#[tokio::test]
async fn a_connection_over_tls_ends_in_each_way() {
    use crate::model::End;
    let authority = Authority::new("A");
    let config = Arc::new(Server::new(authority.pair(|_| {})).config());
    for rst in [false, true] {
        let acceptor = TlsAcceptor::from(config.clone());
        let address = serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                upgrade(&mut stream).await;
                if rst {
                    reset_on_close(stream.get_ref().0);
                }
            }
        })
        .await;
        let mut socket = dial(&wss(address, authority.settings())).await.unwrap().socket;
        let expected = if rst { End::Rst } else { End::Fin };
        assert_eq!(socket.recv().await.what, Incoming::End(expected));
    }
}

#[tokio::test]
async fn a_proxy_may_speak_tls_itself() {
    let authority = Authority::new("A");
    let gateway = Server::new(authority.pair(|_| {})).run().await;
    let acceptor = TlsAcceptor::from(Arc::new(Server::new(authority.pair(|_| {})).config()));
    let proxy = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read_request(&mut stream).await;
            let mut gateway = TcpStream::connect(gateway).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 x\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut gateway).await;
        }
    })
    .await;
    let tls = Arc::new(TlsClient::new(authority.settings()).unwrap());
    let url = format!("https://{proxy}").parse().unwrap();
    let proxy = Proxy::new(url, NoProxy::default(), Some(tls)).unwrap();
    let endpoint = Endpoint { proxy: Some(Arc::new(proxy)), ..wss(gateway, authority.settings()) };
    let mut dialed = dial(&endpoint).await.unwrap();
    assert_eq!(dialed.socket.recv().await.what.frame().unwrap().text(), Some("hello"));
}
