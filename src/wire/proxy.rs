//! HTTP proxies: the CONNECT tunnel (RFC 9110, section 9.3.6), and which hosts go without.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::error::DialError;
use super::response;
use super::stream::Transport;
use super::tls::TlsClient;

/// A proxy.
#[derive(Clone)]
pub struct Proxy {
    /// http or https, host and port.
    pub url: Url,
    /// `user:password` for Basic authentication (RFC 7617).
    pub credentials: Option<SecretString>,
    /// Which hosts go without the proxy.
    pub exceptions: NoProxy,
    /// TLS towards the proxy itself, where its URL says https.
    pub tls: Option<Arc<TlsClient>>,
}

/// Why a proxy can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// Neither http nor https, or not a URL with a host.
    #[error("a proxy must be an http:// or https:// URL with a host")]
    Url,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.url.scheme(), self.host(), self.port())
    }
}

impl Proxy {
    /// A proxy by its URL; credentials in the URL are taken out of it.
    ///
    /// # Errors
    /// When it is no http or https URL.
    pub fn new(mut url: Url, exceptions: NoProxy, tls: Option<Arc<TlsClient>>) -> Result<Self, ProxyError> {
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(ProxyError::Url);
        }
        let credentials = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let decode = |text: &str| percent_decode(text);
            format!("{}:{}", decode(url.username()), decode(url.password().unwrap_or_default())).into()
        });
        // Neither can fail for a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, credentials, exceptions, tls })
    }

    /// The proxy that the usual environment variables name for ws or wss, read through `get`: `https_proxy` or
    /// `http_proxy`, else `all_proxy`, and `no_proxy`. Upper case too, but for `HTTP_PROXY`, which a CGI request
    /// can set.
    ///
    /// # Errors
    /// When a variable is set to something that is no proxy.
    pub fn from_environment(
        secure: bool,
        tls: Option<Arc<TlsClient>>,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProxyError> {
        let names: &[&str] = if secure {
            &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        };
        let Some(value) = names.iter().find_map(|name| get(name).filter(|value| !value.is_empty())) else {
            return Ok(None);
        };
        let value = if value.contains("://") { value } else { format!("http://{value}") };
        let exceptions = get("no_proxy").or_else(|| get("NO_PROXY")).unwrap_or_default();
        let url = value.parse().map_err(|_| ProxyError::Url)?;
        Self::new(url, NoProxy::parse(&exceptions), tls).map(Some)
    }

    /// The proxy's host.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(80)
    }

    /// Asks for a tunnel to `authority`, as `host:port`.
    pub(super) async fn tunnel(
        &self,
        stream: &mut Transport,
        authority: &str,
        user_agent: &str,
    ) -> Result<(), DialError> {
        let mut request =
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {user_agent}\r\n");
        if let Some(credentials) = &self.credentials {
            let encoded = STANDARD.encode(credentials.expose_secret());
            request.push_str(&format!("Proxy-Authorization: Basic {encoded}\r\n"));
        }
        request.push_str("\r\n");
        let lost = |_| DialError::ProxyUnavailable("it ended the connection before it answered");
        stream.write_all(request.as_bytes()).await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        let mut buffer = BytesMut::with_capacity(1024);
        loop {
            if stream.read_buf(&mut buffer).await.map_err(lost)? == 0 {
                return Err(DialError::ProxyUnavailable("it ended the connection before it answered"));
            }
            match response::parse(&buffer) {
                Ok(None) => {}
                Ok(Some((response, length))) => return judge(response.status, buffer.len() == length),
                Err(_) => return Err(DialError::ProxyUnavailable("its answer to CONNECT is not HTTP/1.1")),
            }
        }
    }
}

/// Nobody speaks in a tunnel before we do, so bytes behind the header are the proxy's own.
fn judge(status: u16, clean: bool) -> Result<(), DialError> {
    match status {
        200..=299 if clean => Ok(()),
        200..=299 => Err(DialError::ProxyUnavailable("it sent bytes of its own into the tunnel")),
        502..=504 => Err(DialError::ProxyTargetFailed { status }),
        _ => Err(DialError::ProxyRefused { status }),
    }
}

fn percent_decode(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Hosts that go without a proxy, as in `NO_PROXY`: `*`, host names with all below them, IP addresses, CIDR
/// ranges, each with or without a port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoProxy {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    what: Scope,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Everything,
    Below(String),
    Range(IpAddr, u8),
}

impl NoProxy {
    /// Reads a list, separated by commas or blanks.
    pub fn parse(list: &str) -> Self {
        let items = list.split([',', ' ', '\t', '\n']).map(str::trim).filter(|item| !item.is_empty());
        Self { rules: items.map(Rule::parse).collect() }
    }

    /// Whether a host goes without; IPv6 with or without brackets.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host =
            host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
        self.rules.iter().any(|rule| rule.port.is_none_or(|own| own == port) && rule.what.covers(&host))
    }
}

impl Rule {
    fn parse(item: &str) -> Self {
        let (host, port) = split_port(item);
        let what = match host.trim_start_matches('[').trim_end_matches(']') {
            "*" => Scope::Everything,
            host => match range(host) {
                Some((address, bits)) => Scope::Range(address, bits),
                None => {
                    let name = host.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
                    Scope::Below(name.to_ascii_lowercase())
                }
            },
        };
        Self { what, port }
    }
}

impl Scope {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Below(name) => {
                host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Self::Range(network, bits) => {
                host.parse().is_ok_and(|address| in_range(address, *network, *bits))
            }
        }
    }
}

fn split_port(item: &str) -> (&str, Option<u16>) {
    match item.rsplit_once(':') {
        // More than one colon without brackets is an IPv6 address.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (item, None),
        },
        _ => (item, None),
    }
}

fn range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = if bits.is_empty() { most } else { bits.parse().ok()? };
    (bits <= most).then_some((address, bits))
}

fn in_range(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_follow_the_custom() {
        let none = NoProxy::parse(
            "example.com, .corp.example *.dev.example,10.0.0.0/8,192.0.2.7,[::1]:8080,fd00::/8,gw:9000",
        );
        for (host, port) in [
            ("example.com", 443),
            ("a.b.Example.com", 443),
            ("corp.example", 80),
            ("x.dev.example", 80),
            ("10.255.0.1", 1),
            ("192.0.2.7", 1),
            ("[::1]", 8080),
            ("[fd12::3]", 1),
            ("gw", 9000),
        ] {
            assert!(none.covers(host, port), "{host}:{port}");
        }
        for (host, port) in
            [("badexample.com", 443), ("11.0.0.1", 1), ("[::1]", 80), ("gw", 9001), ("192.0.2.8", 1)]
        {
            assert!(!none.covers(host, port), "{host}:{port}");
        }
        assert!(NoProxy::parse("*").covers("anything", 1));
        assert!(NoProxy::parse("0.0.0.0/0").covers("8.8.8.8", 1));
        assert!(!NoProxy::parse("").covers("", 1));
    }

    #[test]
    fn the_environment_names_a_proxy_and_its_secret_stays_hidden() {
        let get = |name: &str| match name {
            "HTTPS_PROXY" => Some("user:p%40ss@proxy.example:3128".to_owned()),
            "HTTP_PROXY" => Some("http://evil.example".to_owned()),
            "NO_PROXY" => Some("internal".to_owned()),
            _ => None,
        };
        let proxy = Proxy::from_environment(true, None, get).unwrap().unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
        assert_eq!(proxy.credentials.as_ref().unwrap().expose_secret(), "user:p@ss");
        assert!(!format!("{proxy:?} {}", proxy.url).contains("p@ss"));
        assert!(proxy.exceptions.covers("a.internal", 1));
        assert!(Proxy::from_environment(false, None, get).unwrap().is_none());
        assert!(Proxy::new("socks5://a".parse().unwrap(), NoProxy::default(), None).is_err());
    }
}
