//! From the plan to what `session` visits: the secrets are named here, and read at each visit.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::plan::{Module, Plan, Target};
use super::settings::{self, HeaderValue, SecretSource, TargetSettings};
use crate::auth::{Credential, Place, Source};
use crate::session::{self, Cookies, Jar, Limits};
use crate::wire::{Endpoint, EndpointError, TlsClient, TlsSettings, TlsSetupError};

impl Target {
    /// Whom the target's checks visit.
    pub fn visited(&self) -> session::Target {
        visited(Arc::clone(&self.name), self.endpoint.clone(), &self.settings)
    }
}

impl Module {
    /// Whom a probe by this module visits. The guard holds each address against the module's classes.
    ///
    /// # Errors
    /// When the URL is no WebSocket URL (RFC 6455, section 3).
    pub fn visited(&self, url: Url) -> Result<session::Target, EndpointError> {
        let name = url.host_str().unwrap_or_default().into();
        Ok(visited(name, self.route.endpoint(url)?, &self.settings))
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

fn visited(name: Arc<str>, endpoint: Endpoint, settings: &TargetSettings) -> session::Target {
    let secret_headers = settings.headers.iter().filter_map(|(name, value)| match value {
        HeaderValue::Secret(secret) => Some((name.clone(), source(secret))),
        HeaderValue::Plain(_) => None,
    });
    session::Target {
        name,
        endpoint,
        dialect: plain(),
        credential: settings.auth.as_ref().map(credential),
        secret_headers: secret_headers.collect(),
        resolve_all: settings.resolve == settings::Resolve::All,
        cookies: match settings.cookies {
            settings::Cookies::Off => Cookies::Off,
            settings::Cookies::Run => Cookies::Run,
            settings::Cookies::Session => Cookies::Session,
        },
        jar: Jar::default(),
    }
}

fn source(secret: &SecretSource) -> Source {
    match (&secret.file, &secret.env) {
        (Some(file), _) => Source::File(file.clone()),
        (None, name) => Source::Env(name.clone().unwrap_or_default()),
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
    Credential { source: source(&auth.token), place }
}

/// RFC 6455 and nothing above it.
pub(super) fn plain() -> Arc<crate::dialect::Dialect> {
    let spec = serde_json::json!({ "dialect": 1, "name": "websocket" });
    let spec = serde_json::from_value(spec).expect("a dialect without parts");
    Arc::new(crate::dialect::Dialect::compile(&spec).expect("a dialect without parts"))
}
