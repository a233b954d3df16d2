//! `gateprobe run`: the agent and its HTTP server, until SIGTERM.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, interrupted, logging};
use crate::agent::{Agent, AgentHandle};
use crate::config::{self, Plan, Problems};
use crate::http::{self, Server};

/// Arguments of `gateprobe run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "SIGHUP loads the config again; SIGTERM drains and ends. \
    Any field of the config can be overridden by the environment: GATEPROBE__HTTP__LISTEN=0.0.0.0:9464")]
pub struct Args {
    /// A config file; several are layered, the later one wins
    #[arg(long, short, value_name = "FILE", env = "GATEPROBE_CONFIG", value_delimiter = ',',
          default_value = "gateprobe.yaml")]
    config: Vec<PathBuf>,
}

/// Watches the targets until SIGTERM or Ctrl-C.
pub async fn run(args: Args) -> Exit {
    let service = match Service::start(args.config, None).await {
        Ok(service) => service,
        Err(error) => {
            eprintln!("{error}");
            return match error {
                StartError::Config(_) => Exit::Usage,
                StartError::Other(_) => Exit::Agent,
            };
        }
    };
    let reloads = reload_on_hangup(Arc::clone(&service.agent));
    tokio::select! {
        () = reloads => {}
        () = interrupted() => {}
    }
    let grace = service.agent.plan().settings.shutdown.drain_grace.get();
    tracing::info!("draining for at most {}", crate::model::Span::from(grace));
    service.drain(grace).await;
    tracing::info!("ended");
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
    server: Server,
}

impl Service {
    /// Reads the whole config before any port is bound, then starts.
    ///
    /// # Errors
    /// When the config has mistakes, or a port is taken.
    pub async fn start(files: Vec<PathBuf>, listener: Option<TcpListener>) -> Result<Self, StartError> {
        let (plan, warnings) = config::load(&files, std::env::vars()).map_err(StartError::Config)?;
        logging::start_for(&plan.settings.log);
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let other = |what: &str, error: &dyn std::fmt::Display| StartError::Other(format!("{what}: {error}"));
        let listen = plan.settings.http.listen.clone();
        let listener = match listener {
            Some(listener) => listener,
            None => TcpListener::bind(&listen).await.map_err(|e| other(&format!("can't listen on {listen}"), &e))?,
        };
        let address = listener.local_addr().map_err(|e| other("no local address", &e))?;
        let limits = http_limits(&plan);
        let guard = http::ReloadGuard::new(plan.settings.http.reload_token_file.clone());
        let loader = Box::new(move || config::load(&files, std::env::vars()).map(|(plan, _)| plan));
        let agent = Agent::start(plan, loader, replica()).map_err(|e| other("can't start", &e))?;
        let handle = Arc::new(AgentHandle::new(Arc::clone(&agent)));
        let server = Server::start(listener, handle, limits, guard);
        tracing::info!(%address, jobs = agent.plan().jobs.len(), "started");
        Ok(Self { agent, server })
    }

    /// Ends in order: not ready, no new runs, the grace, then the server.
    pub async fn drain(self, grace: Duration) {
        self.agent.drain(grace).await;
        self.server.shutdown(Duration::from_secs(1)).await;
    }
}

/// Tells replicas apart: the pod's name in Kubernetes, else the host's.
fn replica() -> String {
    std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default()
}

async fn reload_on_hangup(agent: Arc<Agent>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        // What went wrong has been logged, and stands in /readyz?verbose.
        let _ = agent.reload();
    }
}
