//! `gateprobe gateway`: the reference gateway as a process of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::builder::NonEmptyStringValueParser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::gateway_jwt::JwtArgs;
use crate::gateway::{
    self, ApplicationHeartbeat, Event, Fault, Handle, LogReader, MESSAGE_LIMIT, MESSAGE_LIMIT_MAX, Settings,
    TlsSettings, Token, catalogue, format_duration, parse_duration,
};

const EXAMPLES: &str = "Examples:
  gateprobe gateway --listen 127.0.0.1:8080 --control 127.0.0.1:8081
  gateprobe gateway --fault upgrade_status=503 --fault pong_delay=2s
  gateprobe gateway --json --tls --tls-ca-out authority.pem

--help lists the faults.

Exit codes: 0 ended by Ctrl-C or SIGTERM, 2 usage, or an address that is taken";

/// Run the reference gateway: a WebSocket server that does everything right, and whatever you want
/// wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = faults_help())]
pub struct Args {
    /// Where clients connect; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Serve the control API here: /faults, /log, /connections, /metrics, /healthz
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
    /// The bearer token of the control API; required when it is not on loopback
    #[arg(long, value_name = "FILE", requires = "control")]
    control_token_file: Option<PathBuf>,
    /// Switch a fault on from the start; may be repeated
    #[arg(long = "fault", value_name = "NAME[=VALUE]", value_parser = super::fault::parse)]
    faults: Vec<Fault>,
    /// Speak TLS, with a certificate made at the start unless --tls-cert names one
    #[arg(long)]
    tls: bool,
    /// A DNS name or address in the self-made certificate; may be repeated
    #[arg(long, value_name = "NAME", requires = "tls", value_parser = NonEmptyStringValueParser::new())]
    tls_name: Vec<String>,
    /// Write the authority of the self-made certificate to this file, in PEM
    #[arg(long, value_name = "FILE", requires = "tls", conflicts_with = "tls_cert")]
    tls_ca_out: Option<PathBuf>,
    /// A certificate chain in PEM
    #[arg(long, value_name = "FILE", requires_all = ["tls", "tls_key"], conflicts_with = "tls_name")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Send this text message to every client right after the 101
    #[arg(long, value_name = "TEXT")]
    hello: Option<String>,
    /// Ask clients for the token in this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) jwt: JwtArgs,
    /// A subprotocol to speak, the preferred one first; may be repeated
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// Accept this Origin and no other; may be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// How often each client is pinged; 0s for never
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration_or_zero)]
    heartbeat_interval: Duration,
    /// How long a ping may stay unanswered before the client is closed with 1011
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    heartbeat_timeout: Duration,
    /// Also send each client {"type":"ping","id":N} so often, which {"type":"pong"} answers
    #[arg(long, value_name = "INTERVAL", value_parser = duration)]
    application_heartbeat: Option<Duration>,
    /// How long that may stay unanswered before the client is closed with 4000
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, requires = "application_heartbeat")]
    application_timeout: Duration,
    /// Close a client with 4001 that sends no text or binary message for so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    idle_timeout: Option<Duration>,
    /// The largest message that is taken; a larger one is closed with 1009
    #[arg(long, value_name = "BYTES", default_value_t = MESSAGE_LIMIT, value_parser = message_limit)]
    message_limit: usize,
    /// Speak the dialect `json` instead of echoing what comes: echo, ping and pong as objects, error
    /// messages for what is wrong, 1008 after 20 of them in a second
    #[arg(long)]
    json: bool,
    /// Accept permessage-deflate where it is offered; what the gateway sends stays uncompressed
    #[arg(long)]
    deflate: bool,
    /// How long a session of --json is kept that has lost its connection
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration, requires = "json")]
    session_retention: Duration,
    /// Ask each client of --json to come back after so long, in whole seconds, when the gateway shuts down
    #[arg(long, value_name = "DURATION", value_parser = duration_or_zero, requires = "json")]
    reconnect_delay: Option<Duration>,
    /// Print what the gateway does as JSON lines
    #[arg(long)]
    print_log: bool,
}

/// Runs the gateway until Ctrl-C or SIGTERM, then drains it. Gives the exit code: 0.
///
/// # Errors
/// Settings that can't work, a file that can't be read or written, an address that is taken.
pub async fn run(args: Args) -> anyhow::Result<u8> {
    // Before the first line is printed: who reads it may send the signal at once.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let (ca_out, print_log) = (args.tls_ca_out.clone(), args.print_log);
    let gateway = gateway::start(args.settings()?).await?;
    if let (Some(path), Some(pem)) = (ca_out, gateway.ca_pem()) {
        std::fs::write(&path, pem).with_context(|| format!("cannot write {}", path.display()))?;
    }
    announce(&gateway)?;
    let printer = print_log.then(|| Printer::start(gateway.log_reader()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    gateway.shutdown().await;
    if let Some(printer) = printer {
        printer.finish().await;
    }
    Ok(0)
}

impl Args {
    fn settings(self) -> anyhow::Result<Settings> {
        let tls = match (self.tls, self.tls_cert, self.tls_key) {
            (false, ..) => None,
            (true, Some(certificate), Some(key)) => Some(TlsSettings::Files { certificate, key }),
            (true, ..) if self.tls_name.is_empty() => Some(TlsSettings::loopback()),
            (true, ..) => Some(TlsSettings::SelfMade { names: self.tls_name }),
        };
        Ok(Settings {
            listen: self.listen,
            tls,
            control: self.control,
            control_token: self.control_token_file.as_deref().map(token).transpose()?,
            token: self.token_file.as_deref().map(token).transpose()?,
            expiry_grace: self.jwt.expiry_grace,
            jwt: self.jwt.rules()?,
            origins: self.origins,
            subprotocols: self.subprotocols,
            hello: self.hello,
            heartbeat_interval: Some(self.heartbeat_interval).filter(|interval| !interval.is_zero()),
            heartbeat_timeout: self.heartbeat_timeout,
            application_heartbeat: self
                .application_heartbeat
                .map(|interval| ApplicationHeartbeat { interval, timeout: self.application_timeout }),
            idle_timeout: self.idle_timeout,
            reconnect_delay: self.reconnect_delay,
            message_limit: self.message_limit,
            json: self.json,
            session_retention: self.session_retention,
            deflate: self.deflate,
            faults: self.faults,
            ..Settings::default()
        })
    }
}

fn announce(gateway: &Handle) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "gateway {}", gateway.url())?;
    if let Some(address) = gateway.control_address() {
        writeln!(out, "control http://{address}/")?;
    }
    out.flush().context("cannot write to standard output")
}

/// Prints the log as JSON lines. The writing has a thread of its own, which nobody joins: a reader of
/// standard output that is stuck must keep the gateway neither from serving nor from ending.
struct Printer {
    task: JoinHandle<LogReader>,
    stop: CancellationToken,
    lines: mpsc::Sender<Vec<u8>>,
}

impl Printer {
    fn start(mut reader: LogReader) -> Self {
        let (lines, mut queue) = mpsc::channel::<Vec<u8>>(1);
        std::thread::spawn(move || {
            while let Some(lines) = queue.blocking_recv() {
                let mut out = std::io::stdout().lock();
                if out.write_all(&lines).and_then(|()| out.flush()).is_err() {
                    return;
                }
            }
        });
        let stop = CancellationToken::new();
        let (stopped, sender) = (stop.clone(), lines.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => return reader,
                    events = reader.read() => {
                        let sent = sender.send(json_lines(&events));
                        tokio::select! {
                            _ = sent => {}
                            () = stopped.cancelled() => return reader,
                        }
                    }
                }
            }
        });
        Self { task, stop, lines }
    }

    /// Prints what is left, and gives up on a stuck reader after a second.
    async fn finish(self) {
        self.stop.cancel();
        let rest = async {
            let Ok(mut reader) = self.task.await else {
                return;
            };
            // When the channel takes an empty line after the rest, the rest has been written.
            for lines in [json_lines(&reader.rest()), Vec::new(), Vec::new()] {
                if self.lines.send(lines).await.is_err() {
                    return;
                }
            }
        };
        let _ = timeout(Duration::from_secs(1), rest).await;
    }
}

fn json_lines(events: &[Event]) -> Vec<u8> {
    let mut lines = Vec::new();
    for event in events {
        // Writing plain data to memory can't fail.
        if serde_json::to_writer(&mut lines, event).is_ok() {
            lines.push(b'\n');
        }
    }
    lines
}

fn token(path: &Path) -> anyhow::Result<Token> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the token in {}", path.display()))?;
    match Token::new(&text) {
        Some(token) => Ok(token),
        None => bail!("{} holds no token", path.display()),
    }
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    match duration_or_zero(text)? {
        Duration::ZERO => bail!("want a duration longer than zero"),
        duration => Ok(duration),
    }
}

pub(super) fn duration_or_zero(text: &str) -> anyhow::Result<Duration> {
    parse_duration(text).ok_or_else(|| {
        anyhow!("want a number with ms, s, m, h or d, such as {}", format_duration(Duration::from_secs(10)))
    })
}

fn message_limit(text: &str) -> anyhow::Result<usize> {
    match text.parse() {
        Ok(limit) if (1..=MESSAGE_LIMIT_MAX).contains(&limit) => Ok(limit),
        _ => bail!("want a number of bytes from 1 to {MESSAGE_LIMIT_MAX}"),
    }
}

fn faults_help() -> String {
    let columns = super::terminal::columns(&std::io::stdout());
    format!(
        "{EXAMPLES}\n\nFaults: on from the start with --fault, switched at any time with PUT and DELETE \
         /faults/NAME of the control API\n\n{}",
        catalogue(columns)
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::gateway::{Offence, Scope};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Cli::try_parse_from(std::iter::once("gateway").chain(line.split_whitespace())).map(|cli| cli.args)
    }

    #[test]
    fn arguments_become_settings() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "secret\n").unwrap();
        let line = format!(
            "--listen 127.0.0.1:0 --control 127.0.0.1:0 --fault accept_silent --fault \
             upgrade_status=503 --tls --tls-name a.example --hello hi --token-file {} --subprotocol \
             v1 --allow-origin https://a --heartbeat-interval 500ms --heartbeat-timeout 1m",
            file.display()
        );
        let settings = parse(&line).unwrap().settings().unwrap();
        assert_eq!(settings.faults, [Fault::AcceptSilent, Fault::UpgradeStatus(503)]);
        assert!(settings.token.unwrap().matches("secret"));
        assert_eq!(settings.heartbeat_interval, Some(Duration::from_millis(500)));
        assert_eq!(settings.heartbeat_timeout, Duration::from_secs(60));
        assert!(matches!(settings.tls, Some(TlsSettings::SelfMade { names }) if names == ["a.example"]));
    }

    #[test]
    fn heartbeats_are_set_and_switched_off() {
        let default = parse("").unwrap().settings().unwrap();
        assert_eq!(default.heartbeat_interval, Some(Duration::from_secs(10)));
        assert_eq!((default.application_heartbeat, default.idle_timeout), (None, None));
        let line =
            "--heartbeat-interval 0s --application-heartbeat 2s --application-timeout 3s --idle-timeout 1m";
        let settings = parse(line).unwrap().settings().unwrap();
        assert_eq!(settings.heartbeat_interval, None);
        let (interval, timeout) = (Duration::from_secs(2), Duration::from_secs(3));
        assert_eq!(settings.application_heartbeat, Some(ApplicationHeartbeat { interval, timeout }));
        assert_eq!(settings.idle_timeout, Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_is_spoken_is_set() {
        let default = parse("").unwrap().settings().unwrap();
        assert_eq!((default.message_limit, default.json, default.deflate), (64 * 1024, false, false));
        let line = "--message-limit 1000 --json --deflate --fault malformed_hang=bad_json";
        let settings = parse(line).unwrap().settings().unwrap();
        assert_eq!((settings.message_limit, settings.json, settings.deflate), (1000, true, true));
        let scope = Scope::One(Offence::BadJson);
        assert_eq!(settings.faults, [Fault::MalformedHang(scope)]);
    }

    #[test]
    fn wrong_arguments_say_why() {
        for (line, why) in [
            ("--message-limit 0", "from 1 to 16777216"),
            ("--message-limit 16777217", "from 1 to 16777216"),
            ("--fault malformed_hang=nonsense", "such as any, framing or not_utf8"),
            ("--fault nonsense", "lists them"),
            ("--fault upgrade_status=1", "STATUS, 200 to 599"),
            ("--heartbeat-interval 5", "such as 10s"),
            ("--heartbeat-timeout 0s", "longer than zero"),
            ("--application-timeout 1s", "--application-heartbeat"),
            ("--tls-cert a", "--tls"),
            ("--tls-ca-out a", "--tls"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
        let missing = parse("--token-file /nonexistent").unwrap().settings();
        assert!(missing.unwrap_err().to_string().contains("/nonexistent"));
    }
}
