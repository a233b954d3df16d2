use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::super::*;
use super::servers::*;
use crate::model::{Evidence, Phase};

/// A proxy that tunnels to one gateway whatever it is asked for; tells what it was asked.
async fn tunnelling(gateway: SocketAddr) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (tx, rx) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let tx = tx.clone();
        async move {
            let request = read_request(&mut stream).await;
            let mut gateway = TcpStream::connect(gateway).await.unwrap();
            let _ = tx.send(request);
            stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut gateway).await;
        }
    })
    .await;
    (address, rx)
}

fn through(proxy: &str, endpoint: Endpoint) -> Endpoint {
    let proxy = Proxy::new(proxy.parse().unwrap(), NoProxy::default(), None).unwrap();
    Endpoint { proxy: Some(Arc::new(proxy)), ..endpoint }
}

#[tokio::test]
async fn a_tunnel_by_name_with_credentials() {
    let gateway = serve(|mut stream| async move {
        upgrade(&mut stream).await;
        drain(&mut stream).await;
    })
    .await;
    let (proxy, mut asked) = tunnelling(gateway).await;
    // Only the proxy knows the name.
    let endpoint = through(&format!("http://user:s3cret@{proxy}"), endpoint("ws://gw.invalid:8080/"));
    let evidence = Evidence::new();
    let dialed = dialer().dial(&endpoint, &Offer::default(), &evidence).await.unwrap();
    assert_eq!(dialed.peer, proxy);
    let phases: Vec<Phase> = dialed.timings.phases().map(|(phase, _)| phase).collect();
    assert_eq!(phases, [Phase::Proxy, Phase::Upgrade]);
    let request = asked.recv().await.unwrap();
    assert!(
        request.starts_with("CONNECT gw.invalid:8080 HTTP/1.1\r\nHost: gw.invalid:8080\r\n"),
        "{request}"
    );
    assert_eq!(value(&request, "proxy-authorization"), Some("Basic dXNlcjpzM2NyZXQ="));
    assert!(!format!("{endpoint:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_pinned_or_guarded_address_is_asked_for_by_its_number() {
    let gateway = answering("HTTP/1.1 200 x\r\n\r\n").await;
    let (proxy, mut asked) = tunnelling(gateway).await;
    let mut endpoint = through(&format!("http://{proxy}"), endpoint("ws://gw.invalid:8080/"));
    endpoint.path.peer = Some("192.0.2.9".parse().unwrap());
    expect(&endpoint, "not_upgraded").await;
    assert!(asked.recv().await.unwrap().starts_with("CONNECT 192.0.2.9:8080 "));
    endpoint.path.peer = None;
    endpoint.url = "ws://127.0.0.1:8080/".parse().unwrap();
    endpoint.guard = AddressGuard::public();
    expect(&endpoint, "address_not_allowed").await;
}

#[tokio::test]
async fn exceptions_go_without() {
    let gateway = answering("HTTP/1.1 200 x\r\n\r\n").await;
    let proxy =
        Proxy::new("http://127.0.0.1:9".parse().unwrap(), NoProxy::parse("127.0.0.0/8"), None).unwrap();
    let endpoint = Endpoint { proxy: Some(Arc::new(proxy)), ..ws(gateway) };
    expect(&endpoint, "not_upgraded").await;
}

#[tokio::test]
async fn what_proxies_do_wrong() {
    for (answer, reason) in [
        ("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n", "proxy_unavailable"),
        ("HTTP/1.1 403 x\r\n\r\n", "proxy_unavailable"),
        ("HTTP/1.1 500 x\r\n\r\n", "proxy_unavailable"),
        ("HTTP/1.1 502 x\r\n\r\n", "proxy_target_failed"),
        ("HTTP/1.1 503 x\r\n\r\n", "proxy_target_failed"),
        ("HTTP/1.1 504 x\r\n\r\n", "proxy_target_failed"),
        ("HTTP/1.1 200 x\r\n\r\nhello", "proxy_unavailable"),
        ("nonsense\r\n\r\n", "proxy_unavailable"),
    ] {
        let proxy = answering(answer).await;
        expect(&through(&format!("http://{proxy}"), endpoint("ws://gw.invalid/")), reason).await;
    }
    let silent = serve(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    expect(&through(&format!("http://{silent}"), endpoint("ws://gw.invalid/")), "proxy_unavailable").await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    expect(&through(&format!("http://{gone}"), endpoint("ws://gw.invalid/")), "proxy_unavailable").await;
    let untrusted = through(&format!("https://{silent}"), endpoint("ws://gw.invalid/"));
    expect(&untrusted, "proxy_unavailable").await;
}
