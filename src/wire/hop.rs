//! One stop of a dial: from a URL to a connection that is up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::certificate::TlsFacts;
use super::connected::Connected;
use super::endpoint::{Endpoint, port};
use super::error::DialError;
use super::guard::AddressGuard;
use super::identity::Identity;
use super::path::{Family, Path};
use super::proxy::Proxy;
use super::record::Record;
use super::resolve::{Patience, Resolver};
use super::stream::Transport;
use super::tcp;
use super::tls::TlsClient;
use super::tls_error;
use crate::model::{EventKind, Evidence, Phase};

/// One stop on the way: the target, or where a redirect led.
pub(super) struct Hop<'a> {
    pub(super) url: &'a Url,
    pub(super) path: &'a Path,
    pub(super) guard: AddressGuard,
    /// Whether our credentials are meant for this host and port.
    pub(super) trusted: bool,
    /// Whether it is the host of the target, for which a pinned address and the server name's override hold.
    pub(super) own_host: bool,
}

impl<'a> Hop<'a> {
    /// The target itself.
    pub(super) fn first(endpoint: &'a Endpoint, path: &'a Path) -> Self {
        Self { url: &endpoint.url, path, guard: endpoint.guard, trusted: true, own_host: true }
    }

    fn host(&self) -> &'a str {
        self.url.host_str().unwrap_or_default()
    }

    /// Connects: dns, proxy, tcp and tls.
    pub(super) async fn connect(
        &self,
        resolver: &Resolver,
        endpoint: &Endpoint,
        evidence: &Evidence,
        record: &Record,
    ) -> Result<Connected, DialError> {
        let proxy = endpoint.proxy.as_deref();
        let proxy = proxy.filter(|proxy| !proxy.exceptions.covers(self.host(), port(self.url)));
        let mut transport = match proxy {
            Some(proxy) => {
                record.enter(Phase::Proxy, evidence);
                self.through(proxy, resolver, &endpoint.user_agent, record, evidence).await?
            }
            None => {
                let addresses = self.addresses(resolver, Patience::Client, record, evidence).await?;
                record.enter(Phase::Tcp, evidence);
                let tcp = tcp::connect(&addresses, port(self.url), self.path, self.guard, evidence).await?;
                Transport::Tcp(tcp)
            }
        };
        let (peer, local) = ends(&transport)?;
        evidence.note(EventKind::Connected { address: peer.to_string() });
        record.update(|facts| (facts.peer, facts.local) = (Some(peer), Some(local)));
        let mut identity = None;
        if self.url.scheme() == "wss" {
            record.enter(Phase::Tls, evidence);
            let name = if self.own_host { endpoint.tls.server_name() } else { None };
            let name = server_name(name.unwrap_or(self.host()))?;
            let secured = secure(transport, name, &endpoint.tls, self.trusted, evidence).await;
            record.update(|facts| facts.tls = Some(secured.facts));
            identity = Some(secured.identity);
            transport = secured.result?;
        }
        Ok(Connected {
            transport,
            peer,
            local,
            identity,
            buffer: BytesMut::new(),
            read_at: Instant::now(),
            record: record.clone(),
            evidence: evidence.clone(),
        })
    }

    /// The addresses to dial, of the families that the path allows; never empty.
    pub(super) async fn addresses(
        &self,
        resolver: &Resolver,
        patience: Patience,
        record: &Record,
        evidence: &Evidence,
    ) -> Result<Vec<IpAddr>, DialError> {
        let pinned = self.path.peer.filter(|_| self.own_host);
        let literal = match self.url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        let found = match pinned.or(literal) {
            Some(address) => vec![address],
            None => {
                record.enter(Phase::Dns, evidence);
                let family = family_of(self.path);
                let found = resolver.resolve(self.host(), family, patience).await?;
                let addresses = found.iter().take(64).map(ToString::to_string).collect();
                evidence.note(EventKind::Resolved { addresses });
                record.update(|facts| facts.addresses = found.clone());
                found
            }
        };
        let usable: Vec<IpAddr> = found.into_iter().filter(|address| self.path.allows(*address)).collect();
        if usable.is_empty() { Err(DialError::NoAddress { family: self.path.family }) } else { Ok(usable) }
    }

    /// A tunnel through a proxy. Whatever fails on this side of the tunnel is not the gateway's fault.
    async fn through(
        &self,
        proxy: &Proxy,
        resolver: &Resolver,
        user_agent: &str,
        record: &Record,
        evidence: &Evidence,
    ) -> Result<Transport, DialError> {
        let family = family_of(self.path);
        let host = proxy.host().trim_start_matches('[').trim_end_matches(']');
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => resolver.resolve(host, family, Patience::Client).await.map_err(proxy_error)?,
        };
        let path = Path { peer: None, ..self.path.clone() };
        let tcp = tcp::connect(&addresses, proxy.port(), &path, AddressGuard::any(), evidence).await;
        let mut transport = Transport::Tcp(tcp.map_err(proxy_error)?);
        if proxy.url.scheme() == "https" {
            let Some(tls) = &proxy.tls else {
                return Err(DialError::ProxyUnavailable("no TLS is configured for it"));
            };
            let name = server_name(tls.server_name().unwrap_or(proxy.host())).map_err(proxy_error)?;
            transport = secure(transport, name, tls, true, evidence).await.result.map_err(proxy_error)?;
        }
        let authority = self.tunnel_authority(resolver, record, evidence).await?;
        proxy.tunnel(&mut transport, &authority, user_agent).await?;
        Ok(transport)
    }

    /// Whom to ask the proxy for: by name, unless an address is pinned or has to pass the guard here.
    async fn tunnel_authority(
        &self,
        resolver: &Resolver,
        record: &Record,
        evidence: &Evidence,
    ) -> Result<String, DialError> {
        let port = port(self.url);
        if let Some(peer) = self.path.peer.filter(|_| self.own_host) {
            return checked(&[peer], self.guard).map(|peer| SocketAddr::new(peer, port).to_string());
        }
        if self.guard.permits_all() {
            return Ok(format!("{}:{port}", self.host()));
        }
        let addresses = self.addresses(resolver, Patience::Client, record, evidence).await?;
        record.enter(Phase::Proxy, evidence);
        checked(&addresses, self.guard).map(|peer| SocketAddr::new(peer, port).to_string())
    }
}

struct Secured {
    result: Result<Transport, DialError>,
    facts: TlsFacts,
    identity: Arc<Identity>,
}

async fn secure(
    transport: Transport,
    name: ServerName<'static>,
    client: &TlsClient,
    with_identity: bool,
    evidence: &Evidence,
) -> Secured {
    let attempt = client.attempt(with_identity);
    if let Some(note) = attempt.note {
        evidence.remark(note);
    }
    let connector = TlsConnector::from(Arc::clone(&attempt.config));
    let result = connector.connect(name, transport).await;
    let mut facts = attempt.facts();
    let result = match result {
        Ok(stream) => {
            let session = stream.get_ref().1;
            facts = describe(facts, session);
            if let Some(version) = facts.version {
                evidence.note(EventKind::TlsUp { version: version.into() });
            }
            Ok(Transport::Tls(Box::new(stream)))
        }
        Err(error) => Err(tls_error::classify(&error, &attempt.identity, facts.leaf.as_ref())),
    };
    Secured { result, facts, identity: attempt.identity }
}

fn describe(mut facts: TlsFacts, session: &rustls::ClientConnection) -> TlsFacts {
    if facts.leaf.is_none()
        && let Some(chain) = session.peer_certificates()
    {
        let requested = facts.client_certificate_requested;
        facts = TlsFacts { client_certificate_requested: requested, ..TlsFacts::of_chain(chain) };
    }
    facts.version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => Some("TLSv1.2"),
        Some(rustls::ProtocolVersion::TLSv1_3) => Some("TLSv1.3"),
        _ => None,
    };
    facts.cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    facts.resumed = session.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
    facts
}

fn server_name(host: &str) -> Result<ServerName<'static>, DialError> {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    ServerName::try_from(host.to_owned()).map_err(|_| DialError::InvalidName)
}

/// The two ends of a connection; it may be gone already.
fn ends(transport: &Transport) -> Result<(SocketAddr, SocketAddr), DialError> {
    let tcp = transport.tcp();
    match (tcp.peer_addr(), tcp.local_addr()) {
        (Ok(peer), Ok(local)) => Ok((peer, local)),
        _ => Err(DialError::ConnectReset),
    }
}

fn family_of(path: &Path) -> Family {
    match (path.family, path.source) {
        (Family::Any, Some(IpAddr::V4(_))) => Family::V4,
        (Family::Any, Some(IpAddr::V6(_))) => Family::V6,
        (family, _) => family,
    }
}

fn checked(addresses: &[IpAddr], guard: AddressGuard) -> Result<IpAddr, DialError> {
    match addresses.iter().find(|address| guard.permits(**address)) {
        Some(address) => Ok(*address),
        None => Err(addresses
            .first()
            .map_or(DialError::InvalidName, |a| DialError::AddressNotAllowed { address: *a })),
    }
}

/// An error on the way to the proxy: our own stays our own, anything else is the proxy's.
fn proxy_error(error: DialError) -> DialError {
    use DialError as E;
    match error {
        own @ (E::NoDescriptors
        | E::NoPorts
        | E::NoRoute
        | E::Path(_)
        | E::ResolverUnreachable
        | E::Credential(_)) => own,
        E::NameNotFound | E::InvalidName | E::NoAddress { .. } => {
            E::ProxyUnavailable("its name does not resolve")
        }
        E::DnsTimeout | E::DnsServerFailure { .. } => E::ProxyUnavailable("the resolver fails for its name"),
        E::Refused => E::ProxyUnavailable("connection refused"),
        E::Unreachable | E::ConnectTimedOut => E::ProxyUnavailable("unreachable"),
        E::ConnectReset | E::TlsClosed { .. } => E::ProxyUnavailable("it ended the connection"),
        _ => E::ProxyUnavailable("TLS with it failed"),
    }
}
