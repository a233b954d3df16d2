use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::super::tcp::reset_on_close;
use super::super::*;
use super::servers::*;
use crate::model::{EventKind, Evidence, Phase};

#[tokio::test]
async fn phases_add_up_to_the_total_and_facts_are_there() {
    let address = serve(|mut stream| async move {
        upgrade(&mut stream).await;
        drain(&mut stream).await;
    })
    .await;
    let (dialer, evidence, record) = (dialer(), Evidence::new(), Record::new());
    let began = std::time::Instant::now();
    let dialed = dialer.dial_into(&ws(address), &Offer::default(), &evidence, &record).await.unwrap();
    let outside = began.elapsed();
    let timings = dialed.timings;
    assert_eq!(timings.total(), timings.tcp.unwrap() + timings.upgrade.unwrap());
    assert!(timings.total() <= outside && timings.dns.is_none() && timings.tls.is_none());
    assert_eq!((dialed.peer, dialed.response.status), (address, 101));
    assert_eq!(record.facts().timings, timings);
    assert!(dialed.local.ip().is_loopback() && dialed.tls.is_none());
    let phases: Vec<_> = evidence.timeline().events.into_iter().map(|e| e.kind).collect();
    assert!(phases.contains(&EventKind::Phase { phase: Phase::Tcp }));
    assert!(phases.contains(&EventKind::Http { status: 101 }));
}

#[tokio::test]
async fn the_request_says_who_we_are_in_one_piece() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let tx = tx.clone();
        async move {
            let mut buffer = vec![0; 8192];
            let length = stream.read(&mut buffer).await.unwrap();
            tx.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).unwrap();
        }
    })
    .await;
    let mut endpoint = ws(address);
    endpoint.user_agent = "gateprobe/1 (+ops@example.org)".into();
    endpoint.headers.push(Header::plain("X-Gateprobe-Target", "chat"));
    expect(&endpoint, "upgrade_closed").await;
    let request = rx.recv().await.unwrap();
    assert!(request.starts_with(&format!("GET /path HTTP/1.1\r\nHost: {address}\r\n")), "{request}");
    assert!(request.ends_with("\r\n\r\n"));
    assert_eq!(value(&request, "user-agent"), Some("gateprobe/1 (+ops@example.org)"));
    assert_eq!(value(&request, "x-gateprobe-target"), Some("chat"));
    assert_eq!(value(&request, "sec-websocket-version"), Some("13"));
    assert_eq!(value(&request, "sec-websocket-extensions"), None);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = failure(&ws(address)).await;
    assert_eq!(failure.error, DialError::Refused);
    assert!(failure.facts.timings.tcp.is_some() && failure.facts.timings.upgrade.is_none());
}

#[tokio::test]
async fn ends_instead_of_an_answer() {
    let fin = serve(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    expect(&ws(fin), "upgrade_closed").await;
    let half = serve(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 Switching").await.unwrap();
    })
    .await;
    expect(&ws(half), "upgrade_closed").await;
    let rst = serve(|mut stream| async move {
        read_request(&mut stream).await;
        reset_on_close(&stream);
    })
    .await;
    expect(&ws(rst), "upgrade_reset").await;
}

#[tokio::test]
async fn an_early_answer_counts_even_if_the_request_was_not_read() {
    let address = serve(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.unwrap();
    })
    .await;
    for _ in 0..20 {
        expect(&ws(address), "unavailable").await;
    }
}

#[tokio::test]
async fn answers_that_are_no_101() {
    for (answer, reason) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "not_upgraded"),
        ("HTTP/1.0 200 OK\r\n\r\n", "not_upgraded"),
        ("HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\n\r\n", "unauthorized"),
        ("HTTP/1.1 404 x\r\n\r\n", "not_found"),
        ("HTTP/1.1 400 x\r\n\r\n", "rejected"),
        ("HTTP/1.1 500 x\r\n\r\n", "server_error"),
        ("HTTP/1.1 503 x\r\n\r\n", "unavailable"),
        ("HTTP/1.1 503 x\r\nRetry-After: 9\r\n\r\n", "throttled"),
        ("HTTP/1.1 429 x\r\n\r\n", "throttled"),
        ("HTTP/1.1 302 x\r\nLocation: /other\r\n\r\n", "redirected"),
        ("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "bad_accept"),
        ("HTTP/1.1 101 x\r\n\r\n", "bad_upgrade_headers"),
        ("HTTP/1.0 101 x\r\n\r\n", "upgrade_malformed"),
        ("HTTP/1.1 999 x\r\n\r\n", "upgrade_malformed"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "upgrade_malformed"),
        ("\x15\x03\x01\x00\x02\x02\x46", "upgrade_malformed"),
        ("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", "http2_only"),
        ("HTTP/1.1 505 x\r\n\r\n", "http2_only"),
    ] {
        expect(&ws(answering(answer).await), reason).await;
    }
    let failure = failure(&ws(answering("HTTP/1.1 503 x\r\nRetry-After: 9\r\n\r\n").await)).await;
    let response = failure.facts.response.unwrap();
    assert_eq!((response.status, response.retry_after()), (503, Some(Duration::from_secs(9))));
}

#[tokio::test]
async fn header_bombs_are_bounded() {
    let large = format!("HTTP/1.1 101 x\r\nA: {}", "b".repeat(100_000));
    expect(&ws(answering(large).await), "upgrade_header_too_large").await;
    let many = format!("HTTP/1.1 101 x\r\n{}", "A: b\r\n".repeat(100));
    expect(&ws(answering(many).await), "upgrade_header_too_large").await;
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100);
    expect(&ws(answering(interim).await), "upgrade_malformed").await;
}

#[tokio::test]
async fn interim_responses_are_skipped_and_early_frames_kept() {
    let address = serve(|mut stream| async move {
        let request = read_request(&mut stream).await;
        let answer =
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\n{}", switching(&request));
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.write_all(b"\x81\x05hello").await.unwrap();
        drain(&mut stream).await;
    })
    .await;
    let mut socket = socket(address).await;
    let received = socket.recv().await;
    assert_eq!(received.what.frame().unwrap().text(), Some("hello"));
}

#[tokio::test]
async fn a_subprotocol_that_is_a_credential_is_not_shown() {
    let address = serve(|mut stream| async move {
        let request = read_request(&mut stream).await;
        let answer = switching(&request).replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: t0ken\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        drain(&mut stream).await;
    })
    .await;
    let offer = Offer { credential_subprotocols: vec!["t0ken".to_owned().into()], ..Offer::default() };
    let dialed = dialer().dial(&ws(address), &offer, &Evidence::new()).await.unwrap();
    assert_eq!(dialed.response.subprotocol(), Some("(credential)"));
    expect(&ws(address), "subprotocol_mismatch").await;
}

#[tokio::test]
async fn a_required_subprotocol() {
    let address = serve(|mut stream| async move {
        upgrade(&mut stream).await;
        drain(&mut stream).await;
    })
    .await;
    let mut endpoint = ws(address);
    endpoint.subprotocols = vec!["mqtt".into()];
    dial(&endpoint).await.unwrap();
    endpoint.subprotocol_required = true;
    expect(&endpoint, "subprotocol_mismatch").await;
}

#[tokio::test]
async fn silence_leaves_its_phase_its_timings_and_no_descriptor() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let tx = tx.clone();
        async move {
            read_request(&mut stream).await;
            tx.send("asked").unwrap();
            drain(&mut stream).await;
            tx.send("gone").unwrap();
        }
    })
    .await;
    let (dialer, evidence, record) = (dialer(), Evidence::new(), Record::new());
    let endpoint = ws(address);
    let offer = Offer::default();
    let mut dial = Box::pin(dialer.dial_into(&endpoint, &offer, &evidence, &record));
    tokio::select! {
        _ = &mut dial => panic!("nothing was answered"),
        asked = rx.recv() => assert_eq!(asked, Some("asked")),
    }
    drop(dial);
    assert_eq!(tokio::time::timeout(LIMIT, rx.recv()).await.unwrap(), Some("gone"));
    assert_eq!(evidence.phase(), Phase::Upgrade);
    let facts = record.facts();
    assert!(facts.timings.upgrade.is_some() && facts.peer == Some(address));
}

#[tokio::test]
async fn a_drip_ends_when_it_is_dropped_and_costs_no_memory() {
    let address = serve(|mut stream| async move {
        let request = read_request(&mut stream).await;
        for byte in switching(&request).bytes() {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        drain(&mut stream).await;
    })
    .await;
    assert_eq!(dial(&ws(address)).await.unwrap().response.status, 101);
}

#[tokio::test]
async fn paths_that_this_machine_does_not_have() {
    let address = answering("HTTP/1.1 200 x\r\n\r\n").await;
    let with = |path: Path| Endpoint { path, ..ws(address) };
    let foreign = Path { source: Some("192.0.2.77".parse().unwrap()), ..Path::default() };
    expect(&with(foreign), "agent_path").await;
    let nowhere = Path { interface: Some("nope0".into()), ..Path::default() };
    expect(&with(nowhere), "agent_path").await;
    let wrong_family = Path { source: Some("::1".parse().unwrap()), ..Path::default() };
    expect(&with(wrong_family), "dns_no_address").await;
    let v6 = Path { family: Family::V6, ..Path::default() };
    expect(&with(v6), "dns_no_address").await;
    let taken = Path { source_port: Some(address.port()), source: Some(address.ip()), ..Path::default() };
    expect(&with(taken), "agent_path").await;
}

#[tokio::test]
async fn the_path_is_taken() {
    let address = serve(|mut stream| async move {
        upgrade(&mut stream).await;
        drain(&mut stream).await;
    })
    .await;
    let path = Path {
        source: Some("127.0.0.9".parse().unwrap()),
        interface: Some("lo".into()),
        receive_buffer: Some(4096),
        ..Path::default()
    };
    let dialed = dial(&Endpoint { path, ..ws(address) }).await.unwrap();
    assert_eq!(dialed.local.ip().to_string(), "127.0.0.9");
    // A pinned peer needs no name.
    let mut pinned = endpoint(&format!("ws://name.invalid:{}/", address.port()));
    pinned.path.peer = Some(address.ip());
    let dialed = dial(&pinned).await.unwrap();
    assert_eq!((dialed.peer, dialed.timings.dns), (address, None));
}

#[tokio::test]
async fn no_way_from_the_source_address_is_our_own_fault() {
    let mut endpoint = endpoint("ws://192.0.2.1/");
    endpoint.path.source = Some("127.0.0.9".parse().unwrap());
    expect(&endpoint, "agent_path").await;
}

#[tokio::test]
async fn an_address_without_a_route_is_our_own_fault() {
    // Link-local without an interface leads nowhere.
    expect(&endpoint("ws://[fe80::1]/"), "egress_lost").await;
}

#[tokio::test]
async fn the_guard_is_asked_before_the_connect() {
    let address = answering("HTTP/1.1 200 x\r\n\r\n").await;
    let mut endpoint = ws(address);
    endpoint.guard = AddressGuard::public();
    let error = expect(&endpoint, "address_not_allowed").await;
    assert_eq!(error, DialError::AddressNotAllowed { address: address.ip() });
    endpoint.guard = endpoint.guard.allowing(AddressKind::Loopback);
    expect(&endpoint, "not_upgraded").await;
    endpoint.guard = AddressGuard::public();
    endpoint.url = format!("ws://[::ffff:127.0.0.1]:{}/", address.port()).parse().unwrap();
    expect(&endpoint, "address_not_allowed").await;
}

#[tokio::test]
async fn plain_and_hand_made_requests() {
    let address = serve(|mut stream| async move {
        let request = read_request(&mut stream).await;
        let status = if value(&request, "upgrade").is_some() { "426 x" } else { "200 OK" };
        stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
        drain(&mut stream).await;
    })
    .await;
    let (endpoint, offer, dialer) = (ws(address), Offer::default(), dialer());
    let mut plain = dialer.connect(&endpoint, &Evidence::new()).await.unwrap();
    let response = plain.exchange(&Request::plain_get(&endpoint, &offer).unwrap()).await.unwrap();
    assert_eq!(response.status, 200);
    let mut broken = Request::upgrade(&endpoint, &offer).unwrap();
    broken.remove("Sec-WebSocket-Key");
    broken.set("Sec-WebSocket-Version", "12");
    let mut made = dialer.connect(&endpoint, &Evidence::new()).await.unwrap();
    assert_eq!(made.exchange(&broken).await.unwrap().status, 426);
    let bad = Offer { headers: vec![Header::credential("A", "x\0y".to_owned().into())], ..offer };
    let failure = dialer.dial(&endpoint, &bad, &Evidence::new()).await.unwrap_err();
    assert_eq!(failure.outcome().reason(), Some("credential"));
}

/// Runs in a process of its own, where no descriptor is left; see the next test.
#[tokio::test]
#[ignore = "run by running_out_of_descriptors_is_our_own_fault"]
async fn child_without_descriptors() {
    let address = answering("HTTP/1.1 200 x\r\n\r\n").await;
    let (endpoint, named) = (ws(address), endpoint("ws://gw.example/"));
    let dialer = dialer();
    let offer = Offer::default();
    let mut held = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        held.push(file);
    }
    for endpoint in [&endpoint, &named] {
        let failure = dialer.dial(endpoint, &offer, &Evidence::new()).await.unwrap_err();
        assert_eq!(failure.outcome().reason(), Some("agent_descriptors"), "{}", failure.error);
    }
    drop(held);
}

#[test]
fn running_out_of_descriptors_is_our_own_fault() {
    let command =
        "ulimit -n 64 && exec \"$0\" --exact wire::tests::dial::child_without_descriptors --ignored";
    let me = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh").args(["-c", command]).arg(me).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn many_dials_leave_no_descriptor() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let tx = tx.clone();
        async move {
            upgrade(&mut stream).await;
            drain(&mut stream).await;
            tx.send(()).unwrap();
        }
    })
    .await;
    let endpoint = Arc::new(ws(address));
    for _ in 0..50 {
        drop(dial(&endpoint).await.unwrap());
    }
    for _ in 0..50 {
        tokio::time::timeout(LIMIT, rx.recv()).await.expect("a connection is still open");
    }
}
