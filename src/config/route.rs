//! From settings to what `wire` dials with.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;

use secrecy::SecretString;
use sha1::{Digest, Sha1};
use url::Url;

use super::files;
use super::place::Path;
use super::settings::{
    AddressClass, Ca, Family, HeaderValue, Proxy, Resolver, SecretSource, TargetSettings, Tls,
};
use super::validate::Report;
use crate::dialect::Dialect;
use crate::wire::{
    self, AddressGuard, AddressKind, Endpoint, EndpointError, Header, NoProxy, Redirects, ResolverSettings,
    TlsClient, TlsSettings, TlsSetupError,
};

/// The header that names the target to the gateway's team.
pub const TARGET_HEADER: &str = "X-Gateprobe-Target";

/// All of a target's (or module's) settings that lead to a gateway, but for its URL and its credential.
#[derive(Clone)]
pub struct Route {
    user_agent: String,
    headers: Vec<Header>,
    subprotocols: Vec<String>,
    tls: Arc<TlsClient>,
    proxy_for_ws: Option<Arc<wire::Proxy>>,
    proxy_for_wss: Option<Arc<wire::Proxy>>,
    path: wire::Path,
    redirects: Redirects,
    guard: AddressGuard,
    /// Where the gateway tells of itself.
    observed: Option<Endpoint>,
    /// Tells apart what the same settings meant before and after a file changed.
    pub(super) fingerprint: String,
}

impl Route {
    /// The endpoint for a URL by this route: with the plain headers; those from files and variables, and the
    /// token, belong to each dial.
    ///
    /// # Errors
    /// When the URL is no WebSocket URL (RFC 6455, section 3).
    pub fn endpoint(&self, url: Url) -> Result<Endpoint, EndpointError> {
        let proxy = if url.scheme() == "wss" { &self.proxy_for_wss } else { &self.proxy_for_ws };
        Ok(Endpoint {
            headers: self.headers.clone(),
            subprotocols: self.subprotocols.clone(),
            user_agent: self.user_agent.clone(),
            proxy: proxy.clone(),
            path: self.path.clone(),
            redirects: self.redirects.clone(),
            guard: self.guard,
            ..Endpoint::new(url, self.tls.clone())?
        })
    }
}

impl Route {
    /// Where the gateway tells of itself; `ws` stands for http.
    pub fn observed(&self) -> Option<&Endpoint> {
        self.observed.as_ref()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("headers", &self.headers)
            .field("proxy", &self.proxy_for_wss)
            .field("path", &self.path)
            .field("redirects", &self.redirects)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

/// Makes routes; those with the same TLS settings share what was read for them.
pub struct Routes {
    user_agent: String,
    clients: Vec<(TlsSettings, Arc<TlsClient>)>,
}

impl Routes {
    /// For requests by this `User-Agent`.
    pub fn new(user_agent: String) -> Self {
        Self { user_agent, clients: Vec::new() }
    }

    /// The route of the target or module at `path`. What is wrong with its files is reported.
    pub fn route(
        &mut self,
        report: &mut Report<'_>,
        path: &Path,
        settings: &TargetSettings,
        dialect: &Dialect,
        guard: AddressGuard,
    ) -> Option<Route> {
        let before = report.problems.len();
        let tls = self.client(report, &path.key("tls"), tls_settings(&settings.tls));
        let (proxy_for_ws, proxy_for_wss) = self.proxies(report, path, settings);
        let observed = self.observed(report, path, settings);
        let name = path.last().filter(|_| settings.identify);
        let route = Route {
            user_agent: self.user_agent.clone(),
            headers: headers(settings, name),
            subprotocols: match settings.subprotocols.as_slice() {
                [] => dialect.subprotocols().to_vec(),
                own => own.to_vec(),
            },
            tls: tls?,
            proxy_for_ws,
            proxy_for_wss,
            path: wire_path(settings),
            redirects: redirects(settings),
            guard,
            observed,
            fingerprint: fingerprint(settings),
        };
        (report.problems.len() == before).then_some(route)
    }

    fn client(
        &mut self,
        report: &mut Report<'_>,
        path: &Path,
        settings: TlsSettings,
    ) -> Option<Arc<TlsClient>> {
        // Sessions to resume are a target's own.
        let shared = self.clients.iter().find(|(known, _)| *known == settings && !known.resumption);
        if let Some((_, client)) = shared {
            return Some(client.clone());
        }
        match TlsClient::new(settings.clone()) {
            Ok(client) => {
                let client = Arc::new(client);
                self.clients.push((settings, client.clone()));
                Some(client)
            }
            Err(error) => {
                let field = match error {
                    TlsSetupError::Authorities { .. } => "ca_file",
                    TlsSetupError::ClientCertificate { .. } | TlsSetupError::ClientPair => "client_cert_file",
                    TlsSetupError::ClientKey { .. } => "client_key_file",
                    TlsSetupError::ServerName => "server_name",
                    TlsSetupError::Roots => "ca",
                };
                report.problem(&path.key(field), error.to_string());
                None
            }
        }
    }

    /// The metrics endpoint, which the validator has passed.
    fn observed(
        &mut self,
        report: &mut Report<'_>,
        path: &Path,
        settings: &TargetSettings,
    ) -> Option<Endpoint> {
        let mut url: Url = settings.observe.as_ref()?.url.as_ref()?.0.parse().ok()?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).ok()?;
        // To it we are nobody in particular, and it has a name of its own.
        let tls =
            TlsSettings { client: None, server_name: None, resumption: false, ..tls_settings(&settings.tls) };
        let tls = self.client(report, &path.key("tls"), tls)?;
        Some(Endpoint { user_agent: self.user_agent.clone(), ..Endpoint::new(url, tls).ok()? })
    }

    /// The proxies for ws and for wss.
    fn proxies(&mut self, report: &mut Report<'_>, path: &Path, settings: &TargetSettings) -> ProxyPair {
        let proxy = &settings.proxy;
        let tls_path = path.key("tls");
        // To the proxy itself we are nobody in particular, and it has a name of its own.
        let tls =
            TlsSettings { client: None, server_name: None, resumption: false, ..tls_settings(&settings.tls) };
        if let Some(url) = &proxy.url {
            let tls = if url.0.starts_with("https:") { self.client(report, &tls_path, tls) } else { None };
            let made = url.0.parse().ok().and_then(|url| self::proxy(report, proxy, url, tls)).map(Arc::new);
            return (made.clone(), made);
        }
        if !proxy.from_environment {
            return (None, None);
        }
        let tls = self.client(report, &tls_path, tls);
        let mut of = |secure| {
            let get = |name: &str| report.environment.get(name).cloned();
            match wire::Proxy::from_environment(secure, tls.clone(), get) {
                Ok(found) => found.map(|mut found| {
                    if !proxy.no_proxy.is_empty() {
                        found.exceptions = NoProxy::parse(&proxy.no_proxy.join(","));
                    }
                    Arc::new(found)
                }),
                Err(error) => {
                    let path = path.dotted("proxy.from_environment");
                    report.problem(&path, format!("a proxy variable of the environment is wrong: {error}"));
                    None
                }
            }
        };
        (of(false), of(true))
    }
}

type ProxyPair = (Option<Arc<wire::Proxy>>, Option<Arc<wire::Proxy>>);

fn proxy(report: &Report<'_>, proxy: &Proxy, url: Url, tls: Option<Arc<TlsClient>>) -> Option<wire::Proxy> {
    let mut made = wire::Proxy::new(url, NoProxy::parse(&proxy.no_proxy.join(",")), tls).ok()?;
    if let (Some(name), Some(source)) = (&proxy.username, &proxy.password) {
        // The validator has reported a password that can't be read.
        let password = secret(report, source)?;
        made.credentials = Some(SecretString::from(format!("{name}:{password}")));
    }
    Some(made)
}

fn secret(report: &Report<'_>, source: &SecretSource) -> Option<String> {
    match (&source.file, &source.env) {
        (Some(file), _) => {
            let text = String::from_utf8(files::read(file).ok()?).ok()?;
            let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
            Some(line.map(str::to_owned).unwrap_or(text))
        }
        (None, Some(name)) => report.environment.get(name).cloned(),
        (None, None) => None,
    }
}

/// What `wire` makes of TLS settings.
pub(super) fn tls_settings(tls: &Tls) -> TlsSettings {
    let client = tls.client_cert_file.clone().zip(tls.client_key_file.clone());
    TlsSettings {
        authorities: tls.ca_file.clone(),
        system_authorities_too: tls.ca == Ca::Add,
        client: client.map(|(certificate, key)| wire::ClientFiles { certificate, key }),
        server_name: tls.server_name.clone(),
        resumption: tls.resumption,
    }
}

fn headers(settings: &TargetSettings, name: Option<String>) -> Vec<Header> {
    let plain = settings.headers.iter().filter_map(|(name, value)| match value {
        HeaderValue::Plain(text) => Some(Header::plain(name, text)),
        HeaderValue::Secret(_) => None,
    });
    plain.chain(name.map(|name| Header::plain(TARGET_HEADER, name))).collect()
}

fn wire_path(settings: &TargetSettings) -> wire::Path {
    let network = &settings.network;
    wire::Path {
        interface: network.interface.clone(),
        source: network.source.as_ref().and_then(|source| source.parse().ok()),
        family: match network.family {
            Family::Any => wire::Family::Any,
            Family::V4 => wire::Family::V4,
            Family::V6 => wire::Family::V6,
        },
        ..wire::Path::default()
    }
}

fn redirects(settings: &TargetSettings) -> Redirects {
    let below = |host: &String| host.strip_prefix('*').unwrap_or(host).to_owned();
    Redirects {
        max: u8::try_from(settings.redirects.max).unwrap_or(u8::MAX),
        hosts: settings.redirects.hosts.iter().map(below).collect(),
    }
}

/// The addresses that a module may dial.
pub fn guard(classes: &[AddressClass]) -> AddressGuard {
    classes.iter().fold(AddressGuard::public(), |guard, class| {
        guard.allowing(match class {
            AddressClass::Loopback => AddressKind::Loopback,
            AddressClass::LinkLocal => AddressKind::LinkLocal,
            AddressClass::Metadata => AddressKind::Metadata,
            AddressClass::Private => AddressKind::Private,
        })
    })
}

/// Which name servers to ask.
pub fn resolver(resolver: &Resolver) -> ResolverSettings {
    let address = |text: &String| {
        let without_port = || text.parse().ok().map(|ip| std::net::SocketAddr::new(ip, 53));
        text.parse().ok().or_else(without_port)
    };
    match resolver.servers.is_empty() {
        true => ResolverSettings::System,
        false => ResolverSettings::Servers(resolver.servers.iter().filter_map(address).collect()),
    }
}

/// Of what is read once and kept: authorities by content, the proxy's password by the age of its file, so that
/// no hash is made of a secret. (Client certificates and tokens are read again by those who use them.)
fn fingerprint(settings: &TargetSettings) -> String {
    let content = |file: &FilePath| files::read(file).map(Sha1::digest).ok();
    let authorities = settings.tls.ca_file.as_deref().and_then(content);
    let password = settings.proxy.password.as_ref().and_then(|source| source.file.as_deref());
    format!("{authorities:?} {:?}", password.and_then(|file| files::stamp(file).ok()))
}
