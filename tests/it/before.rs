//! The dialect's HTTP request before the upgrade: what it sends, and what each answer means.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateprobe::gateway::{self, Settings, TlsSettings};
use gateprobe::model::{EventKind, Phase, RunReport};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Bench, folder, words, write};

const TOKEN: &str = "Zt1Token9x";
const TICKET: &str = "Zt2Ticket9x";

const DIALECT: &str = r#"
dialect: 1
name: tickets
before:
  method: POST
  path: /tickets?for=${client}
  headers: { Authorization: "Bearer ${token}" }
  body: { json: { token: "${token}", gone: "${user}" } }
  status: 201
  capture: { ticket: /data/ticket }
  query: { ticket: "${ticket}" }
"#;

/// How a ticket office answers; the connection ends behind it.
#[derive(Debug, Clone, Copy)]
enum Office {
    Says(&'static str),
    SaysAndResets(&'static str),
    Floods(&'static str),
    Waits(&'static str),
}

/// A gateway that upgrades whoever has the ticket, and its ticket office.
struct Gateway {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    async fn start(office: Office) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, office, Arc::clone(&heard)));
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

async fn serve(mut stream: TcpStream, office: Office, heard: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let mut request = String::from_utf8(request).expect("ASCII");
    let length = value(&request, "content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.push_str(std::str::from_utf8(&body).expect("UTF-8"));
    heard.lock().expect("no panic").push(request.clone());
    match value(&request, "upgrade") {
        Some(_) if request.contains(TICKET) => websocket(&mut stream, &request).await,
        Some(_) => stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await,
        None => answer(stream, office).await,
    }
}

async fn answer(mut stream: TcpStream, office: Office) -> std::io::Result<()> {
    match office {
        Office::Says(text) => stream.write_all(text.replace("TICKET", TICKET).as_bytes()).await,
        Office::SaysAndResets(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.into_std()?.set_linger_zero()
        }
        Office::Floods(text) => {
            stream.write_all(text.as_bytes()).await?;
            loop {
                stream.write_all(&[b' '; 4_096]).await?;
            }
        }
        Office::Waits(text) => {
            stream.write_all(text.as_bytes()).await?;
            // Until the client has had enough.
            stream.read_u8().await.map(|_| ())
        }
    }
}

trait Reset {
    fn set_linger_zero(self) -> std::io::Result<()>;
}

impl Reset for std::net::TcpStream {
    /// Dropped then, it ends by RST.
    fn set_linger_zero(self) -> std::io::Result<()> {
        socket2::SockRef::from(&self).set_linger(Some(std::time::Duration::ZERO))
    }
}

/// Upgrades, and answers the one frame that comes, a Close, by the same.
async fn websocket(stream: &mut TcpStream, request: &str) -> std::io::Result<()> {
    let key = value(request, "sec-websocket-key").unwrap_or_default();
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let accept = STANDARD.encode(digest);
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    stream.write_all(format!("{head}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes()).await?;
    let mut close = [0; 8];
    stream.read_exact(&mut close).await?;
    stream.write_all(&[0x88, 2, 3, 232]).await
}

fn value<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = request.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn config(folder: &Path, address: SocketAddr, target: &str) -> String {
    let dialect = write(folder, "tickets.yaml", DIALECT);
    let token = write(folder, "token", TOKEN);
    format!(
        "lag_bound: 10s\ntargets:\n  chat:\n    url: 'ws://{address}/chat?room=1'\n    dialect: {dialect:?}\n    \
         auth: {{ token: {{ file: {token:?} }} }}\n    {target}\n    \
         checks: {{ handshake: {{ interval: 10s, timeout: 4s, close_timeout: 1s, CHECK }} }}\n"
    )
}

async fn run(office: Office, target: &str, check: &str) -> (RunReport, Vec<String>) {
    let (folder, gateway) = (folder(), Gateway::start(office).await);
    let yaml = config(folder.path(), gateway.address, target).replace("CHECK", check);
    let report = Bench::new(&yaml).run("chat").await.remove(0);
    (report, gateway.requests())
}

const GOOD: &str = "HTTP/1.1 201 x\r\nSet-Cookie: sticky=7; Path=/\r\nContent-Length: 39\r\n\r\n{\"data\": {\"ticket\": \"TICKET-1\"}}  ";

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_fetched_and_shown() {
    let office = Office::Says(
        "HTTP/1.1 201 x\r\nSet-Cookie: sticky=7; Path=/\r\n\r\n{\"data\":{\"ticket\":\"TICKET\"}}",
    );
    // One connection at a time is enough.
    let target = "headers: { X-Note: hi }\n    cookies: run\n    budget: { connections: 1 }";
    let (report, requests) = run(office, target, "").await;
    assert_eq!(words(&report), "pass", "{}", report.detail);
    let [ticket, upgrade] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(ticket.starts_with("POST /tickets?for=gateprobe-"), "{ticket}");
    assert!(ticket.ends_with(&format!("\r\n\r\n{{\"token\":\"{TOKEN}\"}}")), "{ticket}");
    assert_eq!(value(ticket, "authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(
        (value(ticket, "x-note"), value(ticket, "content-type")),
        (Some("hi"), Some("application/json"))
    );
    assert!(value(ticket, "user-agent").is_some_and(|agent| agent.starts_with("gateprobe/")));
    assert!(!ticket.to_lowercase().contains("websocket"), "{ticket}");
    assert!(upgrade.starts_with(&format!("GET /chat?room=1&ticket={TICKET} HTTP/1.1\r\n")), "{upgrade}");
    assert_eq!(value(upgrade, "cookie"), Some("sticky=7"));
    assert_eq!(value(upgrade, "authorization"), None, "the dialect has a place for the token");
    let told = format!("{report:?}");
    assert!(!told.contains(TOKEN) && !told.contains(TICKET), "{told}");
    let phase = |event: &gateprobe::model::Event| match event.kind {
        EventKind::Phase { phase } => Some((event.connection, phase)),
        _ => None,
    };
    let phases: Vec<_> = report.timeline.events.iter().filter_map(phase).collect();
    assert!(phases.contains(&(0, Phase::Before)) && phases.contains(&(1, Phase::Upgrade)), "{phases:?}");
    let labelled = |sample: &&gateprobe::metrics::Sample| sample.labels.iter().any(|label| label == "before");
    assert!(report.samples.iter().any(|sample| labelled(&sample)), "its time is a phase");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_has_its_reason() {
    use Office::{Floods, Says, SaysAndResets, Waits};
    let rows = [
        (Says(GOOD), "pass"),
        (
            Says(
                "HTTP/1.1 201 x\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n{\"data\":{\"ticket\":\"TICKET\"}}   \r\n0\r\n\r\n",
            ),
            "pass",
        ),
        (Says("HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\n{}"), "fail before_refused"),
        (Says("HTTP/1.1 302 x\r\nLocation: /elsewhere\r\n\r\n"), "fail before_refused"),
        (Says("HTTP/1.1 500 x\r\n\r\n"), "fail before_refused"),
        (Says("HTTP/1.1 101 x\r\n\r\n"), "fail before_refused"),
        (Says("HTTP/1.1 401 x\r\n\r\n"), "fail unauthorized"),
        (Says("HTTP/1.1 503 x\r\n\r\n"), "fail unavailable"),
        (Says("HTTP/1.1 503 x\r\nRetry-After: 9\r\n\r\n"), "inconclusive throttled"),
        (Says("HTTP/1.1 429 x\r\n\r\n"), "inconclusive throttled"),
        (Says("HTTP/1.1 201 x\r\nContent-Length: 2\r\n\r\n{}"), "fail before_malformed"),
        (Says("HTTP/1.1 201 x\r\n\r\n<html>"), "fail before_malformed"),
        (Says("SSH-2.0-OpenSSH_9\r\n"), "fail before_malformed"),
        (Says("HTTP/1.1 201 x\r\nContent-Encoding: br\r\n\r\n..."), "fail before_malformed"),
        (Floods("HTTP/1.1 201 x\r\n\r\n"), "fail before_malformed"),
        (Floods("HTTP/1.1 201 x\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n"), "fail before_malformed"),
        (Floods("HTTP/1.1 201 x\r\nX: "), "fail before_malformed"),
        (Says(""), "fail before_closed"),
        (SaysAndResets(""), "fail before_closed"),
        (Says("HTTP/1.1 201 x\r\nContent-Length: 9\r\n\r\n{}"), "fail before_closed"),
        (Waits(""), "fail before_timeout"),
        (Waits("HTTP/1.1 201 x\r\nContent-Length: 9\r\n\r\n{}"), "fail before_timeout"),
    ];
    let runs = rows.map(|(office, wanted)| async move {
        let (report, requests) = run(office, "", "").await;
        let said = words(&report);
        let told = format!("{report:?}");
        assert!(!told.contains(TOKEN) && !told.contains(TICKET), "{told}");
        let asked = if wanted == "pass" { 2 } else { 1 };
        (said != wanted || requests.len() != asked)
            .then(|| format!("{office:?}: {said} ({}) after {requests:?}", report.detail))
    });
    let wrong: Vec<String> = futures_util::future::join_all(runs).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nobody_asks_for_a_ticket_in_its_name() {
    let office = Office::Says("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n");
    let (report, _) = run(office, "", "expect: { no_token_refused: true }").await;
    assert_eq!(words(&report), "fail unauthorized", "with the token, too: {}", report.detail);
    let office = Office::Says("HTTP/1.1 201 x\r\n\r\n{\"data\":{\"ticket\":\"TICKET\"}}");
    let (report, requests) =
        run(office, "", "expect: { no_token_refused: true, refusal_timeout: 100ms }").await;
    assert_eq!(words(&report), "fail token_not_required", "{}", report.detail);
    assert!(requests[2].starts_with("POST /tickets") && !requests[2].contains(TOKEN), "{}", requests[2]);
    assert_eq!(value(&requests[2], "authorization"), None, "{}", requests[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_to_the_same_host_by_tls_too() {
    let settings = Settings { tls: Some(TlsSettings::loopback()), ..Settings::default() };
    let gateway = gateway::start(settings).await.expect("a gateway");
    let folder = folder();
    // What the reference gateway answers to a request that asks for no upgrade.
    let dialect = "dialect: 1\nname: plain\nbefore: { method: GET, path: /x, status: STATUS }\n";
    let ca = write(folder.path(), "ca.pem", gateway.ca_pem().expect("its own authority"));
    for (status, wanted) in [("426", "pass"), ("200", "fail before_refused")] {
        let dialect = write(folder.path(), "plain.yaml", dialect.replace("STATUS", status));
        let yaml = format!(
            "lag_bound: 10s\ntargets: {{chat: {{url: '{}', dialect: {dialect:?}, tls: {{ca_file: {ca:?}}}}}}}\n",
            gateway.url()
        );
        let report = Bench::new(&yaml).run("chat").await.remove(0);
        assert_eq!(words(&report), wanted, "{}", report.detail);
    }
}
