//! Settings of the agent itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Otlp, Sharding};
use crate::model::Span;

/// Settings of the agent itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSettings {
    /// Where this agent runs; the constant label `location` of every metric.
    pub location: Option<String>,
    /// Whom a gateway's team may ask about this agent; becomes part of the `User-Agent`.
    pub contact: Option<String>,
    /// The whole `User-Agent`, in place of `gateprobe/VERSION (+contact)`.
    pub user_agent: Option<String>,
    /// The agent's own HTTP server: metrics, health, `/probe`.
    pub http: Http,
    /// The agent's log, on standard error.
    pub log: Log,
    /// How much of the past is kept in memory.
    pub history: History,
    /// An endpoint outside the gateways by which the agent tells "the gateway is down" from "our own way
    /// out is broken". Without it, or where it is down itself, the unrelated targets have to do.
    pub control: Option<Control>,
    /// Name resolution.
    pub resolver: Resolver,
    /// Pushes metrics and traces to an OpenTelemetry collector. Off when absent, unless the standard variables of the
    /// environment name a collector.
    pub otlp: Option<Otlp>,
    /// Lets several agents share the targets: each watches its part. Without it, an agent watches them all.
    pub sharding: Option<Sharding>,
    /// Verifications of canaries that are asked for by the HTTP API.
    pub canary: Canary,
    /// How the agent ends.
    pub shutdown: Shutdown,
    /// Whether a change of the config's files is put in force by itself, also of those that it names: dialects,
    /// authorities, a proxy's password. SIGHUP and `POST /-/reload` work in any case.
    pub watch_config: bool,
    /// A run during which the agent itself was later than this is inconclusive as `agent_lag`.
    pub lag_bound: Span,
}

/// The agent's own HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port. Port 0 takes any free one.
    #[schemars(extend("x-host" = "127.0.0.1"))]
    pub listen: String,
    /// A file with the token that whoever changes something has to show: reloads, runs out of turn, pauses, canaries.
    /// Without it, only programs on this machine may.
    pub token_file: Option<PathBuf>,
    /// Most connections at once.
    #[schemars(range(min = 1, max = 10000))]
    pub max_connections: u32,
    /// How long a client may take to send the header of a request.
    pub header_timeout: Span,
    /// Most bytes of a request's header.
    #[schemars(range(min = 1024, max = 1048576))]
    pub max_header_bytes: u32,
    /// Most bytes of a request's body.
    #[schemars(range(min = 0, max = 16777216))]
    pub max_body_bytes: u32,
    /// Deadline of a `/probe` whose client names none (Prometheus names one).
    pub probe_timeout: Span,
}

/// The agent's log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least level that is written.
    pub level: LogLevel,
    /// One line of text an event, or one JSON object.
    pub format: LogFormat,
}

/// A level of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// And what turned bad or good again.
    Warn,
    /// And what the agent does.
    #[default]
    Info,
    /// And each run.
    Debug,
    /// And each step of a run.
    Trace,
}

impl LogLevel {
    /// The level's word, in the config as in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For log collectors.
    Json,
}

/// How much of the past is kept in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// Runs kept for each job.
    #[schemars(range(min = 1, max = 10000))]
    pub runs: u32,
}

/// An endpoint outside the gateways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// `host:port`, dialled by TCP when a gateway can't be reached.
    pub address: String,
    /// How long that may take.
    #[serde(default = "Control::default_timeout")]
    pub timeout: Span,
}

/// Name resolution.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resolver {
    /// Addresses of DNS servers, with a port where it is not 53; those of the system when empty.
    pub servers: Vec<String>,
}

/// Verifications of canaries that are asked for by the HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Canary {
    /// Most verifications that run at once.
    #[schemars(range(min = 1, max = 100))]
    pub max_running: u32,
    /// Finished verifications that are kept in memory, so that their verdict can be asked for.
    #[schemars(range(min = 1, max = 10000))]
    pub keep: u32,
}

/// How the agent ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long the agent may take to end after SIGTERM. Running checks may finish until shortly before (3 s, less
    /// where this is short), then they are cut short.
    pub drain_grace: Span,
}

impl Control {
    fn default_timeout() -> Span {
        Span::secs(2)
    }
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            location: None,
            contact: None,
            user_agent: None,
            http: Http::default(),
            log: Log::default(),
            history: History::default(),
            control: None,
            resolver: Resolver::default(),
            otlp: None,
            sharding: None,
            canary: Canary::default(),
            shutdown: Shutdown::default(),
            watch_config: true,
            lag_bound: Span::millis(100),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9464".into(),
            token_file: None,
            max_connections: 100,
            header_timeout: Span::secs(5),
            max_header_bytes: 16 * 1_024,
            max_body_bytes: 64 * 1_024,
            probe_timeout: Span::secs(10),
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { runs: 100 }
    }
}

impl Default for Canary {
    fn default() -> Self {
        Self { max_running: 2, keep: 50 }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { drain_grace: Span::secs(25) }
    }
}

impl AgentSettings {
    /// The `User-Agent` of every request: the configured one, or `gateprobe/VERSION (+contact)`.
    pub fn user_agent(&self) -> String {
        let product = concat!("gateprobe/", env!("CARGO_PKG_VERSION"));
        match (&self.user_agent, &self.contact) {
            (Some(whole), _) => whole.clone(),
            (None, Some(contact)) => format!("{product} (+{contact})"),
            (None, None) => product.to_owned(),
        }
    }
}
