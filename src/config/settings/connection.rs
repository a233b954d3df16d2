//! How a target is reached.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MaskedUrl, SecretSource};

/// TLS towards the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// A PEM file with the certificates of authorities.
    pub ca_file: Option<PathBuf>,
    /// Whether `ca_file` replaces the system's authorities or adds to them.
    pub ca: Ca,
    /// A PEM file with our certificate and its chain; read again when it changes.
    pub client_cert_file: Option<PathBuf>,
    /// A PEM file with the key to `client_cert_file`.
    pub client_key_file: Option<PathBuf>,
    /// The name in SNI and on the gateway's certificate; the URL's host when absent.
    pub server_name: Option<String>,
    /// Resume TLS sessions. Off, so that each run measures a full handshake.
    pub resumption: bool,
}

/// What `ca_file` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ca {
    /// Only `ca_file` is trusted.
    #[default]
    Replace,
    /// `ca_file` and the system's authorities are trusted.
    Add,
}

/// An HTTP proxy, asked by CONNECT.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub url: Option<MaskedUrl>,
    /// User name at the proxy.
    pub username: Option<String>,
    /// Password at the proxy: exactly one of `file` and `env`.
    pub password: Option<SecretSource>,
    /// Hosts that are dialled directly, as in NO_PROXY: names, `.suffix`, addresses, networks, `*`.
    pub no_proxy: Vec<String>,
    /// Where `url` is absent, take https_proxy (for wss), http_proxy (for ws), all_proxy and no_proxy from the
    /// environment; upper case too, but for HTTP_PROXY, which a CGI request's header can set.
    pub from_environment: bool,
}

/// What happens to cookies that the gateway sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cookies {
    /// They are ignored.
    #[default]
    Off,
    /// They live as long as a run.
    Run,
    /// They live as long as the agent.
    Session,
}

/// Redirects of the upgrade request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Redirects {
    /// How many in a row are followed; a redirect is a failure at 0.
    #[schemars(range(min = 0, max = 10))]
    pub max: u32,
    /// Hosts beside the URL's own that a redirect may lead to: a name, or `*.` and a name.
    pub hosts: Vec<String>,
}

/// The path that the packets take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Which addresses are dialled.
    pub family: Family,
    /// The name of the network interface.
    pub interface: Option<String>,
    /// Our own address on the connection.
    pub source: Option<String>,
}

/// Which addresses are dialled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv6 and IPv4, whichever connects first (RFC 8305).
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Which of the resolved addresses are probed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolve {
    /// One, as a client would.
    #[default]
    One,
    /// Each, with its own series.
    All,
}

/// Whether the gateway is told of a run's trace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trace {
    /// Send `traceparent` (W3C Trace Context) in the upgrade request, so that the gateway's own spans belong to the
    /// trace of the run.
    pub propagate: bool,
    /// Set its flag `sampled`, which asks the gateway's side to keep these spans.
    pub sampled: bool,
}
