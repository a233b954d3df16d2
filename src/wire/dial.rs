//! The dial: dns, tcp, tls and upgrade, each timed, through proxies and redirects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::certificate::TlsFacts;
use super::connected::Connected;
use super::endpoint::{Endpoint, Offer, port};
use super::error::DialError;
use super::guard::AddressGuard;
use super::path::{Family, Path};
use super::proxy::Proxy;
use super::record::{Facts, Record, Timings};
use super::redirect::{Trail, guard_after, same_host, same_party};
use super::request::Request;
use super::resolve::{Patience, Resolver, ResolverError, ResolverSettings};
use super::response::Response;
use super::socket::Socket;
use super::stream::Transport;
use super::tcp;
use super::tls::{self, TlsClient};
use super::upgrade;
use crate::model::{EventKind, Evidence, Outcome, Phase};

/// Dials gateways. Cheap to clone; clones share the resolver.
#[derive(Clone)]
pub struct Dialer {
    resolver: Arc<Resolver>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dialer")
    }
}

/// An upgraded connection and how it came about.
#[derive(Debug)]
pub struct Dialed {
    /// The WebSocket.
    pub socket: Socket,
    /// The 101.
    pub response: Response,
    /// The phases.
    pub timings: Timings,
    /// The gateway's address, or the proxy's.
    pub peer: SocketAddr,
    /// Our own address.
    pub local: SocketAddr,
    /// TLS, for wss.
    pub tls: Option<TlsFacts>,
    /// What the name resolved to; empty for an address in the URL.
    pub addresses: Vec<IpAddr>,
    /// How many redirects were followed.
    pub redirects: u8,
}

/// A failed dial, with all that it had found out.
#[derive(Debug, Clone, Error)]
#[error("{error}")]
pub struct DialFailure {
    /// The cause.
    pub error: DialError,
    /// Timings, peer, certificate, response, as far as it came.
    pub facts: Facts,
}

impl DialFailure {
    /// What the failure means for the verdict.
    pub fn outcome(&self) -> Outcome {
        self.error.outcome()
    }

    fn new(error: DialError, record: &Record) -> Box<Self> {
        record.finish();
        Box::new(Self { error, facts: record.facts() })
    }
}

/// One stop on the way: the target, or where a redirect led.
struct Hop<'a> {
    url: &'a Url,
    path: &'a Path,
    guard: AddressGuard,
    /// Whether our credentials are meant for this host and port.
    trusted: bool,
    /// Whether it is the host of the target, for which a pinned address and the server name's override hold.
    own_host: bool,
}

impl Dialer {
    /// A dialer with its resolver. Must be called inside a tokio runtime's context only when dialling begins.
    ///
    /// # Errors
    /// When the resolver's configuration is unusable.
    pub fn new(resolver: &ResolverSettings) -> Result<Self, ResolverError> {
        Ok(Self { resolver: Arc::new(Resolver::new(resolver)?) })
    }

    /// Every address of an endpoint's host, of the families that its path allows and the guard permits.
    ///
    /// # Errors
    /// When there is none, by its cause.
    pub async fn resolve(&self, endpoint: &Endpoint, evidence: &Evidence) -> Result<Vec<IpAddr>, DialError> {
        let record = Record::new();
        let hop = Hop::first(endpoint, &endpoint.path);
        let all = self.addresses(&hop, Patience::Complete, &record, evidence).await?;
        let (good, bad): (Vec<IpAddr>, Vec<IpAddr>) =
            all.into_iter().partition(|a| endpoint.guard.permits(*a));
        match bad.first() {
            Some(&address) if good.is_empty() => Err(DialError::AddressNotAllowed { address }),
            _ => Ok(good),
        }
    }

    /// Whether the resolver answers anything at all. For the runner, when the deadline came in the dns phase:
    /// where not, the agent's resolver is to blame. Takes up to two seconds.
    pub async fn resolver_answers(&self) -> bool {
        self.resolver.answers().await
    }

    /// Connects, without the upgrade: dns, proxy, tcp and tls.
    ///
    /// # Errors
    /// By cause, with the facts so far.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        evidence: &Evidence,
    ) -> Result<Connected, Box<DialFailure>> {
        self.connect_into(endpoint, &Offer::default(), evidence, &Record::new()).await
    }

    /// The same, by the offer's path, with a record that outlives the future.
    ///
    /// # Errors
    /// By cause, with the facts so far.
    pub async fn connect_into(
        &self,
        endpoint: &Endpoint,
        offer: &Offer,
        evidence: &Evidence,
        record: &Record,
    ) -> Result<Connected, Box<DialFailure>> {
        let hop = Hop::first(endpoint, offer.path.as_ref().unwrap_or(&endpoint.path));
        let connected = self.hop(&hop, endpoint, evidence, record).await;
        record.finish();
        connected.map_err(|error| DialFailure::new(error, record))
    }

    /// Dials: connects, upgrades, follows redirects as far as the endpoint allows them.
    ///
    /// # Errors
    /// By cause, with the facts so far.
    pub async fn dial(
        &self,
        endpoint: &Endpoint,
        offer: &Offer,
        evidence: &Evidence,
    ) -> Result<Dialed, Box<DialFailure>> {
        self.dial_into(endpoint, offer, evidence, &Record::new()).await
    }

    /// The same with a record that outlives the future, for what the deadline cuts off.
    ///
    /// # Errors
    /// By cause, with the facts so far.
    pub async fn dial_into(
        &self,
        endpoint: &Endpoint,
        offer: &Offer,
        evidence: &Evidence,
        record: &Record,
    ) -> Result<Dialed, Box<DialFailure>> {
        let dialed = self.follow(endpoint, offer, evidence, record).await;
        let (connected, response) = dialed.map_err(|error| DialFailure::new(error, record))?;
        record.finish();
        let facts = record.facts();
        Ok(Dialed {
            response,
            timings: facts.timings,
            peer: connected.peer,
            local: connected.local,
            tls: facts.tls,
            addresses: facts.addresses,
            redirects: facts.redirects,
            socket: connected.into_socket(offer.max_frame()),
        })
    }

    async fn follow(
        &self,
        endpoint: &Endpoint,
        offer: &Offer,
        evidence: &Evidence,
        record: &Record,
    ) -> Result<(Connected, Response), DialError> {
        let path = offer.path.as_ref().unwrap_or(&endpoint.path);
        let mut trail = Trail::new(&endpoint.redirects, &endpoint.url);
        let mut url = endpoint.url.clone();
        let mut guard = endpoint.guard;
        loop {
            let hop = Hop {
                url: &url,
                path,
                guard,
                trusted: same_party(&endpoint.url, &url),
                own_host: same_host(&endpoint.url, &url),
            };
            let request = Request::upgrade_to(&url, endpoint, offer, hop.trusted)?;
            let connected = self.hop(&hop, endpoint, evidence, record).await;
            let mut connected = match connected {
                Err(DialError::AddressNotAllowed { .. }) if trail.followed() > 0 => {
                    return Err(DialError::RedirectAddress);
                }
                connected => connected?,
            };
            let mut response = connected.exchange(&request).await?;
            let Some(next) = trail.next(&response)? else {
                let verdict = upgrade::judge(&response, request.key(), endpoint, offer);
                // A gateway may hand our own credential back to us.
                if response.subprotocol().is_some_and(|selected| offer.is_credential(selected)) {
                    response.mask("sec-websocket-protocol", "(credential)");
                    record.update(|facts| facts.response = Some(response.clone()));
                }
                return verdict.map(|()| (connected, response));
            };
            if trail.followed() == 1 {
                guard = guard_after(endpoint.guard, reached(endpoint, &connected));
            }
            record.update(|facts| facts.redirects = trail.followed());
            url = next;
        }
    }

    async fn hop(
        &self,
        hop: &Hop<'_>,
        endpoint: &Endpoint,
        evidence: &Evidence,
        record: &Record,
    ) -> Result<Connected, DialError> {
        let proxy = endpoint.proxy.as_deref();
        let proxy = proxy.filter(|proxy| !proxy.exceptions.covers(hop.host(), port(hop.url)));
        let mut transport = match proxy {
            Some(proxy) => {
                record.enter(Phase::Proxy, evidence);
                self.through(proxy, hop, &endpoint.user_agent, record, evidence).await?
            }
            None => {
                let addresses = self.addresses(hop, Patience::Client, record, evidence).await?;
                record.enter(Phase::Tcp, evidence);
                let tcp = tcp::connect(&addresses, port(hop.url), hop.path, hop.guard, evidence).await?;
                Transport::Tcp(tcp)
            }
        };
        let (peer, local) = ends(&transport)?;
        evidence.note(EventKind::Connected { address: peer.to_string() });
        record.update(|facts| (facts.peer, facts.local) = (Some(peer), Some(local)));
        let mut identity = None;
        if hop.url.scheme() == "wss" {
            record.enter(Phase::Tls, evidence);
            let name = if hop.own_host { endpoint.tls.server_name() } else { None };
            let name = server_name(name.unwrap_or(hop.host()))?;
            let secured = secure(transport, name, &endpoint.tls, hop.trusted, evidence).await;
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
            record: record.clone(),
            evidence: evidence.clone(),
        })
    }

    /// The addresses to dial, of the families that the path allows; never empty.
    async fn addresses(
        &self,
        hop: &Hop<'_>,
        patience: Patience,
        record: &Record,
        evidence: &Evidence,
    ) -> Result<Vec<IpAddr>, DialError> {
        let pinned = hop.path.peer.filter(|_| hop.own_host);
        let literal = match hop.url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => match hop.host().parse() {
                // The URL standard leaves addresses in ws URLs to itself, but not those behind other schemes.
                Ok(address) => Some(address),
                Err(_) => None,
            },
        };
        let found = match pinned.or(literal) {
            Some(address) => vec![address],
            None => {
                record.enter(Phase::Dns, evidence);
                let family = family_of(hop.path);
                let found = self.resolver.resolve(hop.host(), family, patience).await?;
                let addresses = found.iter().take(64).map(ToString::to_string).collect();
                evidence.note(EventKind::Resolved { addresses });
                record.update(|facts| facts.addresses = found.clone());
                found
            }
        };
        let usable: Vec<IpAddr> = found.into_iter().filter(|address| hop.path.allows(*address)).collect();
        if usable.is_empty() { Err(DialError::NoAddress { family: hop.path.family }) } else { Ok(usable) }
    }

    /// A tunnel through a proxy. Whatever fails on this side of the tunnel is not the gateway's fault.
    async fn through(
        &self,
        proxy: &Proxy,
        hop: &Hop<'_>,
        user_agent: &str,
        record: &Record,
        evidence: &Evidence,
    ) -> Result<Transport, DialError> {
        let family = family_of(hop.path);
        let host = proxy.host().trim_start_matches('[').trim_end_matches(']');
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.resolver.resolve(host, family, Patience::Client).await.map_err(proxy_error)?,
        };
        let path = Path { peer: None, ..hop.path.clone() };
        let tcp = tcp::connect(&addresses, proxy.port(), &path, AddressGuard::any(), evidence).await;
        let mut transport = Transport::Tcp(tcp.map_err(proxy_error)?);
        if proxy.url.scheme() == "https" {
            let Some(tls) = &proxy.tls else {
                return Err(DialError::ProxyUnavailable("no TLS is configured for it"));
            };
            let name = server_name(tls.server_name().unwrap_or(proxy.host())).map_err(proxy_error)?;
            transport = secure(transport, name, tls, true, evidence).await.result.map_err(proxy_error)?;
        }
        let authority = self.tunnel_authority(hop, record, evidence).await?;
        proxy.tunnel(&mut transport, &authority, user_agent).await?;
        Ok(transport)
    }

    /// Whom to ask the proxy for: by name, unless an address is pinned or has to pass the guard here.
    async fn tunnel_authority(
        &self,
        hop: &Hop<'_>,
        record: &Record,
        evidence: &Evidence,
    ) -> Result<String, DialError> {
        let port = port(hop.url);
        if let Some(peer) = hop.path.peer.filter(|_| hop.own_host) {
            return checked(&[peer], hop.guard).map(|peer| SocketAddr::new(peer, port).to_string());
        }
        if hop.guard.permits_all() {
            return Ok(format!("{}:{port}", hop.host()));
        }
        let addresses = self.addresses(hop, Patience::Client, record, evidence).await?;
        record.enter(Phase::Proxy, evidence);
        checked(&addresses, hop.guard).map(|peer| SocketAddr::new(peer, port).to_string())
    }
}

impl<'a> Hop<'a> {
    fn first(endpoint: &'a Endpoint, path: &'a Path) -> Self {
        Self { url: &endpoint.url, path, guard: endpoint.guard, trusted: true, own_host: true }
    }

    fn host(&self) -> &'a str {
        self.url.host_str().unwrap_or_default()
    }
}

struct Secured {
    result: Result<Transport, DialError>,
    facts: TlsFacts,
    identity: Arc<tls::Identity>,
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
        Err(error) => Err(tls::classify(&error, &attempt.identity, facts.leaf.as_ref())),
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

/// The target's own address, where it was reached without a proxy.
fn reached(endpoint: &Endpoint, connected: &Connected) -> Option<IpAddr> {
    let direct =
        endpoint.proxy.as_ref().is_none_or(|p| p.exceptions.covers(endpoint.host(), endpoint.port()));
    direct.then(|| connected.peer.ip())
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
