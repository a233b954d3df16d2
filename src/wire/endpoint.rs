//! Everything that is needed to reach one gateway, and what one dial adds to it.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::Url;

use super::guard::AddressGuard;
use super::path::Path;
use super::proxy::Proxy;
use super::redirect::Redirects;
use super::tls::TlsClient;

/// A request header. Its value is never shown.
#[derive(Clone)]
pub struct Header {
    /// The name.
    pub name: String,
    /// The value.
    pub value: SecretString,
    /// Whether it is a credential: left out where asked for, and never sent to another host.
    pub credential: bool,
}

impl Header {
    /// A header that anybody may receive.
    pub fn plain(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into().into(), credential: false }
    }

    /// A header that carries a credential.
    pub fn credential(name: impl Into<String>, value: SecretString) -> Self {
        Self { name: name.into(), value, credential: true }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

/// Why a URL is no WebSocket endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Neither ws nor wss.
    #[error("the scheme must be ws or wss")]
    Scheme,
    /// No host.
    #[error("the URL has no host")]
    Host,
    /// RFC 6455, section 3.
    #[error("a WebSocket URL has no fragment")]
    Fragment,
    /// A secret in a URL ends up in logs.
    #[error("a user name or password in the URL is not supported, configure the credential instead")]
    UserInfo,
}

/// Everything needed to reach one gateway.
#[derive(Clone)]
pub struct Endpoint {
    /// ws or wss; see [`Endpoint::new`].
    pub url: Url,
    /// Sent with each upgrade request, after the handshake's own; one of the same name replaces the other.
    pub headers: Vec<Header>,
    /// Subprotocols to offer, in the order of preference.
    pub subprotocols: Vec<String>,
    /// Whether the gateway must select one of them.
    pub subprotocol_required: bool,
    /// `User-Agent`.
    pub user_agent: String,
    /// How to speak TLS, where the URL, or a redirect, says wss.
    pub tls: Arc<TlsClient>,
    /// The HTTP proxy to tunnel through, unless its exceptions name the host.
    pub proxy: Option<Arc<Proxy>>,
    /// The way to the gateway.
    pub path: Path,
    /// Which redirects are followed.
    pub redirects: Redirects,
    /// Which addresses may be dialled.
    pub guard: AddressGuard,
}

impl Endpoint {
    /// An endpoint with no extras: no headers, no proxy, no redirects, every address allowed.
    ///
    /// # Errors
    /// When the URL is no WebSocket URL (RFC 6455, section 3).
    pub fn new(url: Url, tls: Arc<TlsClient>) -> Result<Self, EndpointError> {
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(EndpointError::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(EndpointError::Host);
        }
        if url.fragment().is_some() {
            return Err(EndpointError::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        Ok(Self {
            url,
            headers: Vec::new(),
            subprotocols: Vec::new(),
            subprotocol_required: false,
            user_agent: concat!("gateprobe/", env!("CARGO_PKG_VERSION")).into(),
            tls,
            proxy: None,
            path: Path::default(),
            redirects: Redirects::default(),
            guard: AddressGuard::any(),
        })
    }

    /// The host as in the URL; IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port, 80 or 443 unless the URL names one.
    pub fn port(&self) -> u16 {
        port(&self.url)
    }

    /// Whether the URL says wss.
    pub fn secure(&self) -> bool {
        self.url.scheme() == "wss"
    }

    /// The URL for people: without query, which may hold a secret.
    pub fn display_url(&self) -> String {
        display_url(&self.url)
    }
}

pub(super) fn port(url: &Url) -> u16 {
    url.port().unwrap_or(if url.scheme() == "wss" { 443 } else { 80 })
}

fn display_url(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = if url.query().is_some() { "?***" } else { "" };
    format!("{}://{}{port}{}{query}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.display_url())
            .field("headers", &self.headers)
            .field("subprotocols", &self.subprotocols)
            .field("proxy", &self.proxy)
            .field("path", &self.path)
            .field("redirects", &self.redirects)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

/// What one dial adds to its endpoint, mostly the credential of this run.
#[derive(Clone, Default)]
pub struct Offer {
    /// More headers; one of the same name replaces the endpoint's, but cookies are joined.
    pub headers: Vec<Header>,
    /// Credentials to append to the query, by name; percent-encoded here.
    pub query: Vec<(String, SecretString)>,
    /// More subprotocols, offered after the endpoint's.
    pub subprotocols: Vec<String>,
    /// Subprotocols that carry a credential, offered last and never shown.
    pub credential_subprotocols: Vec<SecretString>,
    /// `Origin`; replaces whatever other header of that name.
    pub origin: Option<String>,
    /// Leaves out every credential of endpoint and offer.
    pub without_credentials: bool,
    /// Takes this path instead of the endpoint's.
    pub path: Option<Path>,
    /// The largest frame that the socket reads, in bytes; 1 MiB unless given.
    pub max_frame: Option<u64>,
    /// Offers permessage-deflate (RFC 7692), without context takeover. Nothing is compressed by itself.
    pub deflate: bool,
}

impl Offer {
    /// The largest frame that the socket reads, in bytes.
    pub fn max_frame(&self) -> u64 {
        self.max_frame.unwrap_or(1 << 20)
    }

    /// Whether the value is one of the credentials among the subprotocols.
    pub(super) fn is_credential(&self, subprotocol: &str) -> bool {
        self.credential_subprotocols.iter().any(|secret| secret.expose_secret() == subprotocol)
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query: Vec<&str> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Offer")
            .field("headers", &self.headers)
            .field("query", &query)
            .field("subprotocols", &self.subprotocols)
            .field("credential_subprotocols", &self.credential_subprotocols.len())
            .field("origin", &self.origin)
            .field("without_credentials", &self.without_credentials)
            .finish_non_exhaustive()
    }
}
