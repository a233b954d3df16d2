//! `gateprobe run`: the agent and its HTTP server, until SIGTERM.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Exit, files, interrupted, logging};
use crate::agent::{Agent, Handle};
use crate::config::{self, Problems, Warning, settings};
use crate::http::{self, Limits, Parts};
use crate::model::Span;

/// How long requests in progress may take once everything else has ended.
const SERVER_GRACE: Duration = Duration::from_secs(1);

/// Arguments of `gateprobe run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe run --config gateprobe.yaml\n  \
    gateprobe run --config common.yaml --config eu.yaml     the later file over the earlier one\n  \
    GATEPROBE__HTTP__LISTEN=0.0.0.0:9464 gateprobe run      any field, by the environment\n\n\
    A changed config is loaded by itself, and by SIGHUP; SIGTERM drains and ends.\n\n\
    Exit codes: 0 ended by SIGTERM or Ctrl-C, 2 usage or config, 4 gateprobe's own error")]
pub struct Args {
    /// A config file; several are layered, the later one wins; gateprobe.yaml where none is named
    #[arg(long, short, value_name = "FILE", env = "GATEPROBE_CONFIG", value_delimiter = ',')]
    config: Vec<PathBuf>,
}

/// Watches the targets until SIGTERM or Ctrl-C.
pub async fn run(args: Args) -> Exit {
    // Before the agent says that it has started: who hears that may send a signal at once.
    let (ended, hangup) = (interrupted(), signal(SignalKind::hangup()));
    let files = match files::named_or_here(&args.config, config::process_environment()) {
        Ok(files) => files,
        Err(none) => {
            eprintln!(
                "gateprobe run: {none}; name a config by --config; to check a gateway without one: gateprobe check \
                 wss://chat.example.com/ws"
            );
            return Exit::Usage;
        }
    };
    let service = match Service::start(files, None).await {
        Ok(service) => service,
        Err(error) => {
            eprintln!("{error}");
            return match error {
                StartError::Config(_) => Exit::Usage,
                StartError::Other(_) => Exit::Agent,
            };
        }
    };
    let reloads = reload_on_hangup(Arc::clone(&service.agent), hangup);
    tokio::select! {
        () = reloads => {}
        () = ended => {}
    }
    let again = interrupted();
    let agent = Arc::clone(&service.agent);
    let grace = agent.setup().plan.agent.shutdown.drain_grace.get();
    tracing::info!("draining for at most {}; a second signal ends at once", Span::from(grace));
    tokio::select! {
        () = service.drain(grace) => tracing::info!("ended"),
        () = again => {
            agent.cut();
            tracing::warn!("ended by a second signal, before the drain was over");
        }
    }
    Exit::Pass
}

/// Why the agent can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Every mistake of the config.
    #[error("{0}")]
    Config(Problems),
    /// Anything else.
    #[error("gateprobe: {0}")]
    Other(String),
}

/// An agent with its HTTP server.
pub struct Service {
    /// The agent.
    pub agent: Arc<Agent>,
    server: JoinHandle<()>,
    stop_server: CancellationToken,
}

impl Service {
    /// Reads the whole config before any port is bound, then starts.
    ///
    /// # Errors
    /// When the config has mistakes, or the port is taken.
    pub async fn start(files: Vec<PathBuf>, listener: Option<TcpListener>) -> Result<Self, StartError> {
        let (loaded, sources) = config::load_with_sources(&files, config::process_environment());
        let (plan, warnings) = loaded.map_err(StartError::Config)?;
        let log = &plan.agent.log;
        logging::start_as_configured(log);
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let told = warnings.iter().map(Warning::gist).collect();
        let http = plan.agent.http.clone();
        let listener = match listener {
            Some(listener) => listener,
            None => TcpListener::bind(&http.listen).await.map_err(|error| unbound(&http.listen, &error))?,
        };
        let address = listener.local_addr().map_err(|error| other(&http.listen, &error))?;
        let loader = Box::new(move || config::load_with_sources(&files, config::process_environment()));
        let agent = Agent::start(plan, loader, replica()).map_err(|error| other("the agent", &error))?;
        agent.has_told(told);
        agent.watch(sources);
        let parts = Parts {
            metrics: Arc::clone(&agent.sinks().recorder),
            history: Arc::clone(&agent.sinks().history),
            agent: Arc::new(Handle::new(Arc::clone(&agent))),
        };
        let stop_server = CancellationToken::new();
        let server = tokio::spawn(http::serve(listener, parts, limits(&http), stop_server.clone()));
        tracing::info!(%address, jobs = agent.setup().plan.jobs.len(), "started");
        Ok(Self { agent, server, stop_server })
    }

    /// Ends in order and within `grace`: not ready, no new runs, the jobs, then the server.
    pub async fn drain(self, grace: Duration) {
        self.agent.drain(grace - SERVER_GRACE.min(grace / 10)).await;
        self.stop_server.cancel();
        // Bounded by the server's own grace; it fails only if it has panicked.
        let _ = self.server.await;
    }
}

fn other(what: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError::Other(format!("{what}: {error}"))
}

fn unbound(listen: &str, error: &io::Error) -> StartError {
    StartError::Other(format!(
        "{listen}: {error}; choose another address or port by http.listen in the config, or by GATEPROBE__HTTP__LISTEN"
    ))
}

fn limits(http: &settings::Http) -> Limits {
    let defaults = Limits::default();
    Limits {
        // A backstop above the deadline that the probe itself keeps.
        probe_timeout: defaults.probe_timeout.max(http.probe_timeout.get() + Duration::from_secs(5)),
        connections: http.max_connections as usize,
        header_bytes: http.max_header_bytes as usize,
        body_bytes: http.max_body_bytes as usize,
        header_timeout: http.header_timeout.get(),
        shutdown_grace: SERVER_GRACE,
        ..defaults
    }
}

/// Tells replicas apart: the pod's name in Kubernetes, else the host's.
fn replica() -> String {
    std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default()
}

async fn reload_on_hangup(agent: Arc<Agent>, hangup: io::Result<Signal>) {
    let Ok(mut hangup) = hangup else {
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        // Reads files, and a dead disk must not keep the agent from hearing SIGTERM. What goes wrong is logged, and
        // stands in /readyz?verbose.
        let agent = Arc::clone(&agent);
        let _ = tokio::task::spawn_blocking(move || agent.reload()).await;
    }
}
