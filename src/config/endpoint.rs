//! From the config's words to what `session` and `wire` need: the files are read here, once a load.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::plan::{Module, Plan, Target};
use super::settings::{self, AddressClass, AgentSettings, HeaderValue, SecretSource, TargetSettings};
use crate::auth::{Credential, Place, Source};
use crate::session::{self, Cookies, Jar, Limits, ProxyLogin};
use crate::wire::{
    AddressGuard, AddressKind, ClientFiles, Endpoint, EndpointError, Family, Header, NoProxy, Path, Proxy,
    ProxyError, Redirects, ResolverSettings, TlsClient, TlsSettings, TlsSetupError,
};

/// Why a target can't be reached at all. The validator has looked at all of this, so that it only happens
/// where something changed in between.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Certificates or keys.
    #[error("{name}: {source}")]
    Tls {
        /// The target or module.
        name: String,
        /// What is wrong.
        source: TlsSetupError,
    },
    /// The URL.
    #[error("{name}: {source}")]
    Url {
        /// The target or module.
        name: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// The proxy.
    #[error("{name}: {source}")]
    Proxy {
        /// The target or module.
        name: String,
        /// What is wrong.
        source: ProxyError,
    },
}

/// Makes targets of a plan; those with the same TLS settings share one client.
pub struct Endpoints<'a> {
    agent: &'a AgentSettings,
    tls: HashMap<String, Arc<TlsClient>>,
}

impl<'a> Endpoints<'a> {
    /// For the targets of a plan with these settings.
    pub fn new(agent: &'a AgentSettings) -> Self {
        Self { agent, tls: HashMap::new() }
    }

    /// A configured target.
    ///
    /// # Errors
    /// When a file has changed since the config was validated.
    pub fn target(&mut self, target: &Target) -> Result<session::Target, SetupError> {
        self.build(&target.name, target.url.get().clone(), &target.settings, AddressGuard::any())
    }

    /// Whatever a module allows to be named. The guard holds each address against the module's classes.
    ///
    /// # Errors
    /// As [`Endpoints::target`], and when the URL is no WebSocket URL.
    pub fn stranger(&mut self, module: &Module, url: Url) -> Result<session::Target, SetupError> {
        let name = url.host_str().unwrap_or("probe").to_owned();
        self.build(&name, url, &module.settings, guard(&module.allow.addresses))
    }

    fn build(
        &mut self,
        name: &str,
        url: Url,
        settings: &TargetSettings,
        guard: AddressGuard,
    ) -> Result<session::Target, SetupError> {
        let secure = url.scheme() == "wss";
        let tls = self.tls(&settings.tls).map_err(|source| SetupError::Tls { name: name.into(), source })?;
        let endpoint = Endpoint::new(url, Arc::clone(&tls));
        let mut endpoint = endpoint.map_err(|source| SetupError::Url { name: name.into(), source })?;
        let proxy = proxy(&settings.proxy, secure, &tls);
        let proxy = proxy.map_err(|source| SetupError::Proxy { name: name.into(), source })?;
        endpoint.proxy = proxy.map(Arc::new);
        endpoint.user_agent = self.agent.user_agent();
        endpoint.subprotocols.clone_from(&settings.subprotocols);
        endpoint.path = path(&settings.network);
        endpoint.redirects = redirects(&settings.redirects);
        endpoint.guard = guard;
        let mut secret_headers = Vec::new();
        for (name, value) in &settings.headers {
            match value {
                HeaderValue::Plain(value) => {
                    endpoint.headers.push(Header::plain(name.as_str(), value.as_str()))
                }
                HeaderValue::Secret(source) => secret_headers.push((name.clone(), secret(source))),
            }
        }
        if settings.identify {
            endpoint.headers.push(Header::plain("X-Gateprobe-Target", name));
        }
        Ok(session::Target {
            name: name.into(),
            labels: settings.labels.clone(),
            endpoint,
            credential: settings.auth.as_ref().map(credential),
            secret_headers,
            proxy_login: proxy_login(&settings.proxy),
            resolve_all: settings.resolve == settings::Resolve::All,
            cookies: cookies(settings.cookies),
            jar: Jar::default(),
        })
    }

    fn tls(&mut self, settings: &settings::Tls) -> Result<Arc<TlsClient>, TlsSetupError> {
        let key = format!("{settings:?}");
        if let Some(client) = self.tls.get(&key) {
            return Ok(Arc::clone(client));
        }
        let files = settings.client_cert_file.clone().zip(settings.client_key_file.clone());
        let client = Arc::new(TlsClient::new(TlsSettings {
            authorities: settings.ca_file.clone(),
            system_authorities_too: settings.ca == settings::Ca::Add,
            client: files.map(|(certificate, key)| ClientFiles { certificate, key }),
            server_name: settings.server_name.clone(),
            resumption: settings.resumption,
        })?);
        self.tls.insert(key, Arc::clone(&client));
        Ok(client)
    }
}

impl Plan {
    /// How names are resolved.
    pub fn resolver(&self) -> ResolverSettings {
        let servers: Vec<SocketAddr> =
            self.agent.resolver.servers.iter().filter_map(|s| name_server(s)).collect();
        if servers.is_empty() { ResolverSettings::System } else { ResolverSettings::Servers(servers) }
    }

    /// The control endpoint and its time-out.
    ///
    /// # Errors
    /// When no authorities can be set up, though none are needed for TCP.
    pub fn control(&self) -> Result<Option<(Endpoint, Duration)>, SetupError> {
        let Some(control) = &self.agent.control else { return Ok(None) };
        let name = || "control".to_owned();
        let tls = TlsClient::new(TlsSettings::default());
        let tls = tls.map_err(|source| SetupError::Tls { name: name(), source })?;
        // Only TCP is spoken; the scheme is what an endpoint must have.
        let url = format!("ws://{}/", control.address).parse();
        let url: Url = url.map_err(|_| SetupError::Url { name: name(), source: EndpointError::Host })?;
        let endpoint = Endpoint::new(url, Arc::new(tls));
        let endpoint = endpoint.map_err(|source| SetupError::Url { name: name(), source })?;
        Ok(Some((endpoint, control.timeout.get())))
    }
}

impl From<&settings::Budget> for Limits {
    fn from(budget: &settings::Budget) -> Self {
        Self {
            connections: budget.connections as usize,
            connections_per_second: Some(budget.connections_per_second),
            messages_per_second: Some(budget.messages_per_second),
            bytes_per_second: Some(budget.bytes_per_second as f64),
        }
    }
}

/// A name server's address, with port 53 where none is named.
fn name_server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53)))
}

fn guard(classes: &[AddressClass]) -> AddressGuard {
    classes.iter().fold(AddressGuard::public(), |guard, class| match class {
        AddressClass::Loopback => guard.allowing(AddressKind::Loopback),
        AddressClass::LinkLocal => guard.allowing(AddressKind::LinkLocal).allowing(AddressKind::Metadata),
        AddressClass::Private => guard.allowing(AddressKind::Private),
    })
}

fn secret(source: &SecretSource) -> Source {
    match (&source.file, &source.env) {
        (Some(file), _) => Source::File(file.clone()),
        (None, env) => Source::Env(env.clone().unwrap_or_default()),
    }
}

fn credential(auth: &settings::Auth) -> Credential {
    let place = &auth.place;
    let place = if let Some(query) = &place.query {
        Place::Query { name: query.name.clone() }
    } else if let Some(subprotocol) = &place.subprotocol {
        Place::Subprotocol { prefix: subprotocol.prefix.clone() }
    } else if let Some(cookie) = &place.cookie {
        Place::Cookie { name: cookie.name.clone() }
    } else if let Some(first) = &place.first_message {
        Place::FirstMessage { template: first.template.clone() }
    } else {
        let header = place.header.clone().unwrap_or_default();
        Place::Header { name: header.name, prefix: header.prefix }
    };
    Credential { source: secret(&auth.token), place }
}

fn proxy(
    settings: &settings::Proxy,
    secure: bool,
    tls: &Arc<TlsClient>,
) -> Result<Option<Proxy>, ProxyError> {
    match &settings.url {
        Some(url) => {
            let url = url.0.parse().map_err(|_| ProxyError::Url)?;
            let exceptions = NoProxy::parse(&settings.no_proxy.join(","));
            Proxy::new(url, exceptions, Some(Arc::clone(tls))).map(Some)
        }
        None if settings.from_environment => {
            Proxy::from_environment(secure, Some(Arc::clone(tls)), |name| std::env::var(name).ok())
        }
        None => Ok(None),
    }
}

fn proxy_login(settings: &settings::Proxy) -> Option<ProxyLogin> {
    let user = settings.username.clone()?;
    Some(ProxyLogin { user, password: settings.password.as_ref().map(secret) })
}

fn path(network: &settings::Network) -> Path {
    Path {
        interface: network.interface.clone(),
        source: network.source.as_ref().and_then(|source| source.parse().ok()),
        family: match network.family {
            settings::Family::Any => Family::Any,
            settings::Family::V4 => Family::V4,
            settings::Family::V6 => Family::V6,
        },
        ..Path::default()
    }
}

/// The config writes `*.name` for subdomains, as people do; `wire` takes `.name`.
fn redirects(settings: &settings::Redirects) -> Redirects {
    let hosts = settings.hosts.iter().map(|host| host.strip_prefix('*').unwrap_or(host).to_owned());
    Redirects { max: u8::try_from(settings.max).unwrap_or(u8::MAX), hosts: hosts.collect() }
}

fn cookies(settings: settings::Cookies) -> Cookies {
    match settings {
        settings::Cookies::Off => Cookies::Off,
        settings::Cookies::Run => Cookies::Run,
        settings::Cookies::Session => Cookies::Session,
    }
}
