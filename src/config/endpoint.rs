//! From the plan to what `session` visits: the secrets are named here, and read at each visit.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::plan::{Module, Plan, Target};
use super::settings::{self, HeaderValue, SecretSource, TargetSettings, TokenSource};
use crate::auth::{Credential, Place, Source};
use crate::dialect::{Dialect, TokenPlace};
use crate::session::{self, Cookies, Jar, Limits, Observe, Propagate};
use crate::wire::{Endpoint, EndpointError, TlsClient, TlsSettings, TlsSetupError};

impl Target {
    /// Whom the target's checks visit.
    pub fn visited(&self) -> session::Target {
        let observed = self.observed.as_ref();
        visited(Arc::clone(&self.name), self.endpoint.clone(), observed, &self.settings, &self.dialect)
    }
}

impl Module {
    /// Whom a probe by this module visits. The guard holds each address against the module's classes.
    ///
    /// # Errors
    /// When the URL is no WebSocket URL (RFC 6455, section 3).
    pub fn visited(&self, url: Url) -> Result<session::Target, EndpointError> {
        let name = url.host_str().unwrap_or_default().into();
        let observed = self.route.observed();
        Ok(visited(name, self.route.endpoint(url)?, observed, &self.settings, &self.dialect))
    }
}

impl Plan {
    /// The control endpoint and how long it may take. Only TCP is spoken with it.
    ///
    /// # Errors
    /// When TLS, which every endpoint can speak, can't be set up.
    pub fn control(&self) -> Result<Option<(Endpoint, Duration)>, TlsSetupError> {
        let Some(control) = &self.agent.control else { return Ok(None) };
        // The validator has passed the address.
        let Ok(url) = format!("ws://{}/", control.address).parse() else { return Ok(None) };
        let tls = Arc::new(TlsClient::new(TlsSettings::default())?);
        Ok(Endpoint::new(url, tls).ok().map(|endpoint| (endpoint, control.timeout.get())))
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

fn visited(
    name: Arc<str>,
    endpoint: Endpoint,
    observed: Option<&Endpoint>,
    settings: &TargetSettings,
    dialect: &Arc<Dialect>,
) -> session::Target {
    let secret_headers = settings.headers.iter().filter_map(|(name, value)| match value {
        HeaderValue::Secret(secret) => Some((name.clone(), source(secret))),
        HeaderValue::Plain(_) => None,
    });
    session::Target {
        name,
        endpoint,
        dialect: Arc::clone(dialect),
        credential: settings.auth.as_ref().map(|auth| credential(auth, dialect)),
        secret_headers: secret_headers.collect(),
        resolve_all: settings.resolve == settings::Resolve::All,
        observe: settings.observe.as_ref().zip(observed).map(|(settings, at)| observe(settings, at)),
        propagate: settings.trace.propagate.then_some(Propagate { sampled: settings.trace.sampled }),
        cookies: match settings.cookies {
            settings::Cookies::Off => Cookies::Off,
            settings::Cookies::Run => Cookies::Run,
            settings::Cookies::Session => Cookies::Session,
        },
        jar: Jar::default(),
    }
}

fn observe(settings: &settings::Observe, endpoint: &Endpoint) -> Observe {
    // The validator has passed the selectors.
    let selector = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    Observe {
        endpoint: endpoint.clone(),
        token: settings.token.as_ref().map(source),
        sessions: selector(&settings.sessions),
        memory: selector(&settings.memory),
        exclusive: settings.exclusive,
        timeout: settings.timeout.get(),
    }
}

fn source(secret: &SecretSource) -> Source {
    match (&secret.file, &secret.env) {
        (Some(file), _) => Source::File(file.clone()),
        (None, name) => Source::Env(name.clone().unwrap_or_default()),
    }
}

/// The token goes where the target says, else where the dialect says, else where the dialect's own messages
/// have it, else into the usual header.
fn credential(auth: &settings::Auth, dialect: &Dialect) -> Credential {
    let place = match auth.place.as_ref().or(dialect.credential()) {
        Some(place) => self::place(place),
        None if dialect.sends_to_open("token") => Place::Dialect,
        None => self::place(&TokenPlace::default()),
    };
    Credential { source: token_source(&auth.token), place }
}

fn token_source(token: &TokenSource) -> Source {
    match &token.mint {
        Some(mint) => Source::Mint(Arc::new(mint.clone())),
        None => source(&SecretSource { file: token.file.clone(), env: token.env.clone() }),
    }
}

fn place(place: &TokenPlace) -> Place {
    if let Some(query) = &place.query {
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
    }
}
