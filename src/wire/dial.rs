//! The dial: dns, tcp, tls and upgrade, each timed, through proxies and redirects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;

use super::certificate::TlsFacts;
use super::connected::Connected;
use super::deflate;
use super::endpoint::{Endpoint, Offer};
use super::error::DialError;
use super::hop::Hop;
use super::path::Family;
use super::record::{Facts, Record, Timings};
use super::redirect::{Trail, guard_after, same_host, same_party};
use super::request::Request;
use super::resolve::{Patience, Resolver, ResolverError, ResolverSettings};
use super::response::Response;
use super::socket::Socket;
use super::upgrade;
use crate::model::{Evidence, Outcome};

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
    /// Whether permessage-deflate was offered and taken: frames may be compressed in either direction.
    pub deflate: bool,
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

impl Dialer {
    /// A dialer with its resolver.
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
        let all = hop.addresses(&self.resolver, Patience::Complete, &record, evidence).await?;
        let (good, bad): (Vec<IpAddr>, Vec<IpAddr>) =
            all.into_iter().partition(|a| endpoint.guard.permits(*a));
        match bad.first() {
            Some(&address) if good.is_empty() => Err(DialError::AddressNotAllowed { address }),
            _ => Ok(good),
        }
    }

    /// The addresses of a name, for what dials by itself.
    ///
    /// # Errors
    /// When there is none, by its cause.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        self.resolver.resolve(host, Family::Any, Patience::Client).await
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
        let connected = hop.connect(&self.resolver, endpoint, evidence, record).await;
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
        let deflate = offer.deflate && deflate::is_agreed(&response);
        let (peer, local) = (connected.peer, connected.local);
        let mut socket = connected.into_socket(offer.max_frame());
        if deflate {
            socket.expect_deflate();
        }
        Ok(Dialed {
            response,
            timings: facts.timings,
            peer,
            local,
            tls: facts.tls,
            addresses: facts.addresses,
            redirects: facts.redirects,
            deflate,
            socket,
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
            let connected = hop.connect(&self.resolver, endpoint, evidence, record).await;
            let mut connected = match connected {
                Err(DialError::AddressNotAllowed { .. }) if trail.followed() > 0 => {
                    return Err(DialError::RedirectAddress);
                }
                connected => connected?,
            };
            let mut response = connected.ask(&request.encode()).await?;
            let Some(next) = trail.next(&response)? else {
                let verdict = upgrade::judge(&response, &request, endpoint, offer);
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
}

/// The target's own address, where it was reached without a proxy.
fn reached(endpoint: &Endpoint, connected: &Connected) -> Option<IpAddr> {
    let direct =
        endpoint.proxy.as_ref().is_none_or(|p| p.exceptions.covers(endpoint.host(), endpoint.port()));
    direct.then(|| connected.peer.ip())
}
