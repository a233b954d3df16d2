//! What is exported, where to, and how.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use rustls::ClientConfig;

/// Headers of a request, read anew for each: a token may be replaced while the agent runs. The error says which one
/// can't be read, without its value.
pub type Headers = Arc<dyn Fn() -> Result<HeaderMap, String> + Send + Sync>;

/// Names to addresses.
pub type Resolve = Arc<dyn Fn(String) -> Resolving + Send + Sync>;

/// The addresses of a name, or why there are none.
pub type Resolving = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, String>> + Send>>;

/// What is exported, where to, and how.
#[derive(Clone)]
pub struct Settings {
    /// Where metrics go; off where absent.
    pub metrics: Option<Signal>,
    /// Where traces go; off where absent.
    pub traces: Option<Signal>,
    /// How often metrics are sent.
    pub interval: Duration,
    /// What a sum is counted from.
    pub temporality: Temporality,
    /// Who exports.
    pub identity: Identity,
    /// Resolves the collector's name.
    pub resolve: Resolve,
}

/// Where one signal goes.
#[derive(Clone)]
pub struct Signal {
    /// The whole URL, with the signal's path where it is HTTP.
    pub endpoint: String,
    /// gRPC or HTTP.
    pub protocol: Protocol,
    /// How long one export may take, with its retries.
    pub timeout: Duration,
    /// Whether requests are compressed by gzip.
    pub gzip: bool,
    /// What each request carries.
    pub headers: Headers,
    /// What is trusted at an `https://` endpoint, and who we are; without ALPN.
    pub tls: Arc<ClientConfig>,
    /// The name on its certificate, in place of the URL's host.
    pub server_name: Option<String>,
}

/// How OTLP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC (HTTP/2).
    Grpc,
    /// Protobuf over HTTP/1.1.
    Http,
}

/// What a sum is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temporality {
    /// The start of the agent.
    Cumulative,
    /// The export before.
    Delta,
    /// The export before for histograms, the start of the agent for counters.
    LowMemory,
}

/// Who exports. What `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` say wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `service.instance.id`: tells replicas apart.
    pub instance: String,
    /// `host.name`.
    pub host: Option<String>,
    /// `OTEL_SERVICE_NAME`.
    pub service: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub attributes: Vec<(String, String)>,
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl From<Temporality> for opentelemetry_sdk::metrics::Temporality {
    fn from(temporality: Temporality) -> Self {
        match temporality {
            Temporality::Cumulative => Self::Cumulative,
            Temporality::Delta => Self::Delta,
            Temporality::LowMemory => Self::LowMemory,
        }
    }
}
