//! What one connection asks for, on top of what its target always asks for.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;

use super::target::Target;
use crate::auth::{Place, Token};
use crate::dialect::Variables;
use crate::wire::{Header, Offer, Path};

/// How a check wants to open a connection.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Shows the target's credential; without it, every other credential is left out too.
    pub credential: bool,
    /// Sends this `Origin`.
    pub origin: Option<String>,
    /// The gateway must select one of the offered subprotocols.
    pub require_subprotocol: bool,
    /// Goes to this address, where the run is not pinned to one anyway.
    pub peer: Option<IpAddr>,
    /// `SO_RCVBUF` in bytes: a small one lets a reader that stalls shut its window soon.
    pub receive_buffer: Option<u32>,
    /// Leaves this machine by this way, where the run is not pinned to an address anyway; the target's own when absent.
    pub path: Option<Path>,
    /// How long the dial may take once the budget allows it; the run's deadline when absent.
    pub within: Option<Duration>,
    /// What the dialect's templates may hold beside the token, such as a session to resume. `client` and
    /// `timestamp` are set where absent.
    pub variables: Variables,
    /// Shows this token instead of the target's own.
    pub token: Option<Token>,
    /// Offers permessage-deflate.
    pub deflate: bool,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            credential: true,
            origin: None,
            require_subprotocol: false,
            peer: None,
            receive_buffer: None,
            path: None,
            within: None,
            variables: Variables::new(),
            token: None,
            deflate: false,
        }
    }
}

/// The offer of a request that carries no token by itself, but the cookies.
pub(super) fn jar_offer(ask: &Ask, cookies: Option<String>) -> Offer {
    let mut offer =
        Offer { origin: ask.origin.clone(), without_credentials: !ask.credential, ..Offer::default() };
    offer.headers.extend(cookies.map(|cookies| Header::credential("Cookie", cookies.into())));
    offer
}

/// The offer that puts the token in its place, with the cookies that go along.
pub(super) fn offer(target: &Target, ask: &Ask, token: Option<&Token>, cookies: Option<String>) -> Offer {
    let mut offer = Offer { deflate: ask.deflate, ..jar_offer(ask, None) };
    let mut cookies: Vec<String> = cookies.into_iter().collect();
    if let (Some(credential), Some(token)) = (&target.credential, token) {
        let secret = |prefix: &str| SecretString::from(format!("{prefix}{}", token.expose()));
        match &credential.place {
            Place::Header { name, prefix } => {
                offer.headers.push(Header::credential(name.as_str(), secret(prefix)));
            }
            Place::Query { name } => offer.query.push((name.clone(), secret(""))),
            Place::Subprotocol { prefix } => offer.credential_subprotocols.push(secret(prefix)),
            Place::Cookie { name } => cookies.push(format!("{name}={}", token.expose())),
            // Sent after the upgrade, by `Opened::authenticate` or by the dialect's own messages.
            Place::FirstMessage { .. } | Place::Dialect => {}
        }
    }
    if !cookies.is_empty() {
        offer.headers.push(Header::credential("Cookie", cookies.join("; ").into()));
    }
    offer
}
