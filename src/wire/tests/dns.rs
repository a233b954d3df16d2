use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::super::*;
use super::servers::*;
use crate::model::{EventKind, Evidence};

/// A name server with a few names; `silent` is never answered.
async fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(answer) = answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    address
}

fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let end = 12 + query[12..].iter().position(|byte| *byte == 0)? + 5;
    let question = &query[12..end];
    let kind = u16::from_be_bytes([query[end - 4], query[end - 3]]);
    let label = std::str::from_utf8(&question[1..=usize::from(question[0])]).ok().unwrap_or_default();
    let (code, records): (u8, Vec<Vec<u8>>) = match (label, kind) {
        ("silent", _) => return None,
        ("nx", _) => (3, vec![]),
        ("fail", _) => (2, vec![]),
        ("refuse", _) => (5, vec![]),
        ("gw" | "both", 1) => (0, vec![Ipv4Addr::LOCALHOST.octets().to_vec()]),
        ("both" | "six", 28) => (0, vec![Ipv6Addr::LOCALHOST.octets().to_vec()]),
        ("slow6", 1) => (0, vec![Ipv4Addr::LOCALHOST.octets().to_vec()]),
        ("slow6", _) => return None,
        ("many", 1) => (0, (2..6).map(|i| vec![127, 0, 0, i]).collect()),
        _ => (0, vec![]),
    };
    let mut out = query[..2].to_vec();
    out.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    out.extend(question);
    for data in records {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
        out.extend(data);
    }
    Some(out)
}

async fn asking(server: SocketAddr) -> Dialer {
    Dialer::new(&ResolverSettings::Servers(vec![server])).unwrap()
}

async fn reason(dialer: &Dialer, name: &str, family: Family) -> &'static str {
    let mut endpoint = endpoint(&format!("ws://{name}.example:1/"));
    endpoint.path.family = family;
    let failure = dialer.dial(&endpoint, &Offer::default(), &Evidence::new()).await.unwrap_err();
    failure.outcome().reason().unwrap()
}

#[tokio::test]
async fn each_answer_has_its_reason() {
    let dialer = asking(name_server().await).await;
    for (name, family, expected) in [
        ("nx", Family::Any, "dns_not_found"),
        ("nx", Family::V4, "dns_not_found"),
        ("fail", Family::Any, "dns_server_failure"),
        ("refuse", Family::Any, "dns_server_failure"),
        ("gw", Family::V6, "dns_no_address"),
        ("six", Family::V4, "dns_no_address"),
        ("nothing", Family::Any, "dns_no_address"),
        ("gw", Family::V4, "connect_refused"),
    ] {
        assert_eq!(reason(&dialer, name, family).await, expected, "{name}");
    }
}

#[tokio::test]
async fn silence_for_one_name_is_told_from_a_dead_resolver() {
    let dialer = asking(name_server().await).await;
    assert_eq!(reason(&dialer, "silent", Family::Any).await, "dns_timeout");
    assert!(dialer.resolver_answers().await);
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dialer = asking(dead.local_addr().unwrap()).await;
    let began = std::time::Instant::now();
    assert_eq!(reason(&dialer, "gw", Family::Any).await, "resolver_unreachable");
    assert!(began.elapsed().as_secs_f64() < 4.8, "{:?}", began.elapsed());
    assert!(!dialer.resolver_answers().await);
}

#[tokio::test]
async fn one_slow_family_does_not_hold_up_the_other() {
    let server = serve(|mut stream| async move {
        upgrade(&mut stream).await;
        drain(&mut stream).await;
    })
    .await;
    let dialer = asking(name_server().await).await;
    let endpoint = endpoint(&format!("ws://slow6.example:{}/", server.port()));
    let dialed = dialer.dial(&endpoint, &Offer::default(), &Evidence::new()).await.unwrap();
    assert!(dialed.timings.dns.unwrap().as_millis() < 900, "{:?}", dialed.timings);
    assert_eq!(
        dialed.timings.phases().map(|(_, time)| time).sum::<std::time::Duration>(),
        dialed.timings.total()
    );
}

#[tokio::test]
async fn the_second_address_is_tried_and_the_first_one_noted() {
    let server = serve(|mut stream| async move {
        upgrade(&mut stream).await;
        drain(&mut stream).await;
    })
    .await;
    // The server is on 127.0.0.1 only: ::1 refuses.
    let dialer = asking(name_server().await).await;
    let evidence = Evidence::new();
    let endpoint = endpoint(&format!("ws://both.example:{}/", server.port()));
    let dialed = dialer.dial(&endpoint, &Offer::default(), &evidence).await.unwrap();
    assert_eq!((dialed.peer, dialed.addresses.len()), (server, 2));
    let failed = |kind: &EventKind| matches!(kind, EventKind::ConnectFailed { address, .. } if address.starts_with("[::1]"));
    assert!(evidence.timeline().events.iter().any(|event| failed(&event.kind)));
}

#[tokio::test]
async fn all_addresses_are_told_within_the_guard() {
    let dialer = asking(name_server().await).await;
    let mut many = endpoint("ws://many.example/");
    let all = dialer.resolve(&many, &Evidence::new()).await.unwrap();
    assert_eq!(all.len(), 4);
    many.guard = AddressGuard::public();
    let refused = dialer.resolve(&many, &Evidence::new()).await.unwrap_err();
    assert_eq!(refused.outcome().reason(), Some("address_not_allowed"));
    let error = dialer.resolve(&endpoint("ws://localhost/"), &Evidence::new()).await;
    assert!(error.unwrap().iter().all(std::net::IpAddr::is_loopback));
}

#[tokio::test]
async fn a_host_that_is_no_name() {
    let long = format!("ws://{}.example/", "a".repeat(70));
    expect(&endpoint(&long), "dns_not_found").await;
}
