use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::super::*;
use super::servers::*;
use crate::model::Evidence;

/// Redirects to a location, once for each path but `/end`, where it upgrades; tells what it was asked.
async fn redirecting(
    to: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (tx, rx) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let (tx, to) = (tx.clone(), to.clone());
        async move {
            let request = read_request(&mut stream).await;
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = if path == "/end" {
                switching(&request)
            } else {
                format!("HTTP/1.1 307 x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", to(&path))
            };
            let _ = tx.send(request);
            let _ = stream.write_all(answer.as_bytes()).await;
            drain(&mut stream).await;
        }
    })
    .await;
    (address, rx)
}

fn following(address: SocketAddr, hosts: &[&str]) -> Endpoint {
    let hosts = hosts.iter().map(ToString::to_string).collect();
    Endpoint { redirects: Redirects { max: 3, hosts }, ..ws(address) }
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_with_credentials() {
    let (address, mut asked) = redirecting(|_| "/end".into()).await;
    let mut endpoint = following(address, &[]);
    endpoint.headers = vec![Header::credential("Authorization", "Bearer t0ken".to_owned().into())];
    let dialed = dial(&endpoint).await.unwrap();
    assert_eq!(dialed.redirects, 1);
    let timings = dialed.timings;
    assert_eq!(timings.total(), timings.tcp.unwrap() + timings.upgrade.unwrap());
    asked.recv().await.unwrap();
    assert_eq!(value(&asked.recv().await.unwrap(), "authorization"), Some("Bearer t0ken"));
}

#[tokio::test]
async fn another_host_or_port_gets_no_credential() {
    let (other, mut asked) = redirecting(|_| "/end".into()).await;
    let by_port = format!("ws://{other}/end");
    let by_name = format!("ws://localhost:{}/end", other.port());
    for location in [by_port, by_name] {
        let (address, _first) = redirecting(move |_| location.clone()).await;
        let mut endpoint = following(address, &["localhost"]);
        let token = || "t0ken".to_owned().into();
        endpoint.headers = vec![Header::credential("Authorization", token()), Header::plain("X-A", "1")];
        let offer = Offer {
            query: vec![("token".into(), token())],
            credential_subprotocols: vec![token()],
            ..Offer::default()
        };
        dialer().dial(&endpoint, &offer, &Evidence::new()).await.unwrap();
        let request = asked.recv().await.unwrap();
        assert!(!request.contains("t0ken"), "{request}");
        assert_eq!(value(&request, "x-a"), Some("1"));
    }
}

#[tokio::test]
async fn redirects_that_are_not_followed() {
    let (loops, _a) = redirecting(|path| if path == "/a" { "/b".into() } else { "/a".into() }).await;
    expect(&following(loops, &[]), "redirect_loop").await;
    let (endless, _b) = redirecting(|path| format!("{path}x")).await;
    let failure = failure(&following(endless, &[])).await;
    assert_eq!(failure.outcome().reason(), Some("redirect_loop"));
    assert_eq!(failure.facts.redirects, 3);
    let (ftp, _c) = redirecting(|_| "ftp://127.0.0.1/".into()).await;
    expect(&following(ftp, &[]), "redirect_scheme").await;
    let (stranger, _d) = redirecting(|_| "ws://192.0.2.1/".into()).await;
    expect(&following(stranger, &[]), "redirect_address").await;
    // Allowed by its name, but an internal address that the target is not of.
    let (metadata, _e) = redirecting(|_| "http://169.254.169.254/latest".into()).await;
    expect(&following(metadata, &["169.254.169.254"]), "redirect_address").await;
    let (none, _f) = redirecting(|_| "/end".into()).await;
    expect(&ws(none), "redirected").await;
}
