//! What the server's tests share: an agent that answers as told, a server on port 0, a client of bytes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::gate::{Address, Addresses, Pending, Report, State};
use crate::metrics::{Recorder, Settings};
use crate::model::Outcome;
use crate::store::History;

/// An agent that answers as the test wants.
pub(super) struct FakeAgent {
    pub(super) readiness: Mutex<Readiness>,
    pub(super) reload: Mutex<Result<ReloadSummary, ReloadError>>,
    pub(super) token: Mutex<Option<SecretString>>,
    pub(super) reloads: AtomicUsize,
    pub(super) probes: Mutex<Vec<ProbeRequest>>,
    pub(super) canaries: Mutex<Vec<(CanaryRequest, Report)>>,
    pub(super) jobs: Mutex<Vec<JobStanding>>,
    pub(super) notices: Mutex<Vec<Notice>>,
    /// What was asked to be changed,
    pub(super) changes: Mutex<Vec<String>>,
    /// and why it is not.
    pub(super) refusal: Mutex<Option<ChangeError>>,
    /// A probe of the target `slow` says here that it has begun,
    pub(super) slow_began: Semaphore,
    /// and waits for a permit of this.
    pub(super) slow_ends: Semaphore,
}

impl Default for FakeAgent {
    fn default() -> Self {
        Self {
            readiness: Mutex::new(Readiness { ready: true, reasons: vec!["config: loaded".to_owned()] }),
            reload: Mutex::new(Ok(ReloadSummary::default())),
            token: Mutex::default(),
            reloads: AtomicUsize::new(0),
            probes: Mutex::default(),
            canaries: Mutex::default(),
            jobs: Mutex::default(),
            notices: Mutex::default(),
            changes: Mutex::default(),
            refusal: Mutex::default(),
            slow_began: Semaphore::new(0),
            slow_ends: Semaphore::new(0),
        }
    }
}

impl AgentHandle for FakeAgent {
    fn reload(&self) -> Answer<'_, Result<ReloadSummary, ReloadError>> {
        self.reloads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { self.reload.lock().unwrap().clone() })
    }

    fn readiness(&self) -> Readiness {
        self.readiness.lock().unwrap().clone()
    }

    fn probe(&self, request: ProbeRequest) -> Answer<'_, Result<ProbeAnswer, ProbeError>> {
        self.probes.lock().unwrap().push(request.clone());
        Box::pin(async move {
            if request.module != "handshake" {
                return Err(ProbeError::no_module(&request.module, ["handshake"].into_iter()));
            }
            match request.target.as_str() {
                "http://169.254.169.254" => return Err(ProbeError::Refused("not a WebSocket URL".into())),
                "busy" => return Err(ProbeError::Busy("the target's budget is used up".into())),
                "slow" => {
                    self.slow_began.add_permits(1);
                    self.slow_ends.acquire().await.unwrap().forget();
                }
                _ => {}
            }
            Ok(answer())
        })
    }

    fn start_canary(&self, request: CanaryRequest) -> Result<CanaryStarted, CanaryRefusal> {
        let mut canaries = self.canaries.lock().unwrap();
        if request.canary == "nobody" {
            return Err(CanaryRefusal::Impossible("the config has no target \"nobody\"".to_owned()));
        }
        let known = canaries.iter().find(|(known, _)| known.key.is_some() && known.key == request.key);
        if let Some((_, report)) = known {
            return Ok(CanaryStarted { report: report.clone(), new: false });
        }
        if !canaries.is_empty() {
            return Err(CanaryRefusal::Busy(canaries.len()));
        }
        let report = pending(&request);
        canaries.push((request, report.clone()));
        Ok(CanaryStarted { report, new: true })
    }

    fn canary(&self, id: &str) -> Option<Report> {
        self.canaries().into_iter().find(|report| report.id == id)
    }

    fn canary_by_key(&self, key: &str) -> Option<Report> {
        let canaries = self.canaries.lock().unwrap();
        let found = canaries.iter().find(|(request, _)| request.key.as_deref() == Some(key));
        found.map(|(_, report)| report.clone())
    }

    fn canaries(&self) -> Vec<Report> {
        self.canaries.lock().unwrap().iter().map(|(_, report)| report.clone()).collect()
    }

    fn cancel_canary(&self, id: &str) -> Option<Report> {
        self.canary(id)
    }

    fn jobs(&self) -> Vec<JobStanding> {
        self.jobs.lock().unwrap().clone()
    }

    fn promises(&self, _: &str, _: &str) -> Vec<Promise> {
        vec![Promise { setting: "window.latest".to_owned(), value: "2s".to_owned() }]
    }

    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    fn run_now(&self, which: &Which) -> Result<(), ChangeError> {
        self.change(format!("run {}/{}", which.target, which.check.as_deref().unwrap_or("*")))
    }

    fn pause(&self, which: &Which, _: Timestamp) -> Result<(), ChangeError> {
        self.change(format!("pause {}/{}", which.target, which.check.as_deref().unwrap_or("*")))
    }

    fn resume(&self, which: &Which) -> Result<(), ChangeError> {
        self.change(format!("resume {}/{}", which.target, which.check.as_deref().unwrap_or("*")))
    }

    fn token(&self) -> Option<SecretString> {
        self.token.lock().unwrap().clone()
    }
}

fn pending(request: &CanaryRequest) -> Report {
    let address = |name: &str| Address { name: name.to_owned(), url: "wss://gateway.test/".to_owned() };
    Report {
        id: "0123456789abcdef".to_owned(),
        gateprobe: "0.0.0".to_owned(),
        gateways: Addresses {
            baseline: request.baseline.as_deref().map(address),
            canary: address(&request.canary),
        },
        profile: request.profile,
        started_at: Timestamp::UNIX_EPOCH,
        ended_at: None,
        done: false,
        progress: 0.25,
        state: State::Pending(Pending::new("1 of 4 runs are made".to_owned(), Vec::new())),
    }
}

impl FakeAgent {
    fn change(&self, what: String) -> Result<(), ChangeError> {
        self.changes.lock().unwrap().push(what);
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

fn answer() -> ProbeAnswer {
    let facts = ProbeFacts {
        outcome: Outcome::Fail(crate::model::Failure::Unavailable),
        duration: Duration::from_millis(5),
        timeout: Duration::from_secs(5),
        ip_protocol: Some(4),
        dns_lookup: None,
        earliest_cert_expiry: None,
        tls_version: None,
        status_code: Some(503),
        upgraded: false,
        phases: ProbePhases::default(),
    };
    ProbeAnswer { facts, log: vec!["tcp: connected".to_owned()], module: "timeout: 5s\n".to_owned() }
}

/// A server that runs.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) agent: Arc<FakeAgent>,
    pub(super) metrics: Arc<Recorder>,
    pub(super) history: Arc<History>,
    pub(super) shutdown: CancellationToken,
    pub(super) ended: JoinHandle<()>,
}

pub(super) async fn start(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let agent = Arc::new(FakeAgent::default());
    let metrics = Arc::new(Recorder::new(METRICS, Settings::default()).unwrap());
    let history = Arc::new(History::default());
    let parts = Parts { metrics: Arc::clone(&metrics), history: Arc::clone(&history), agent: agent.clone() };
    let shutdown = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, parts, limits, shutdown.clone()));
    Running { address, agent, metrics, history, shutdown, ended }
}

impl Running {
    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// One request on a connection of its own.
    pub(super) async fn request(&self, head: &str, body: &str) -> Reply {
        let mut stream = self.connect().await;
        let head = head.replace('\n', "\r\n");
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{head}\r\nHost: agent\r\nConnection: close\r\n{length}\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        Reply::read(&mut stream).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.request(&format!("GET {path} HTTP/1.1"), "").await
    }

    /// The server's own counter.
    pub(super) fn refused(&self, result: &str) -> f64 {
        let series = crate::metrics::text_format::parse(&self.metrics.encode_text());
        series[&format!("gateprobe_http_connections_refused_total{{result=\"{result}\"}}")]
    }
}

/// A response, read to the end of the stream.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// In lower case.
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Self::parse(&String::from_utf8(bytes).unwrap())
    }

    pub(super) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
