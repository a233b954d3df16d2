//! The dialect's HTTP request before the upgrade, on a connection of its own to the same host.

use std::io::ErrorKind;

use secrecy::SecretString;
use thiserror::Error;
use url::Url;

use super::offer::{Ask, jar_offer};
use super::refusal::Refusal;
use super::visit::Visit;
use crate::dialect::{Before, BeforeError, BeforeRequest, MAX_ANSWER, Variables};
use crate::model::{Cause, End, Failure, Outcome, Phase};
use crate::wire::{ContentError, DialError, Record, Request};

/// Why the dialect's request before the upgrade came to nothing; what fails before it is a [`DialError`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BeforeFault {
    /// Not the answer that the dialect promises.
    #[error("{0}")]
    Answer(BeforeError),
    /// 429, or 503 with `Retry-After`.
    #[error("it answered {status} and asks for patience")]
    Throttled {
        /// Which of the two.
        status: u16,
    },
    /// Not HTTP/1.1.
    #[error("its answer is not HTTP/1.1: {0}")]
    NotHttp(&'static str),
    /// The content can't be read.
    #[error("{0}")]
    Content(ContentError),
    /// The connection ended before the answer.
    #[error("the connection ended before the answer")]
    Closed {
        /// How.
        how: End,
    },
    /// The kernel gave up on the connection.
    #[error("the connection was lost: {0}")]
    Lost(ErrorKind),
}

impl BeforeFault {
    /// What it means for the run.
    pub fn outcome(&self) -> Outcome {
        Outcome::Fail(match self {
            Self::Throttled { .. } => return Outcome::Inconclusive(Cause::Throttled),
            Self::Answer(BeforeError::Refused { status: 401 | 403, .. }) => Failure::Unauthorized,
            Self::Answer(BeforeError::Refused { status: 502..=504, .. }) => Failure::Unavailable,
            Self::Answer(BeforeError::Refused { .. }) => Failure::BeforeRefused,
            Self::Answer(_) | Self::NotHttp(_) => Failure::BeforeMalformed,
            Self::Content(ContentError::Closed { .. }) | Self::Closed { .. } => Failure::BeforeClosed,
            Self::Content(_) => Failure::BeforeMalformed,
            Self::Lost(_) => Failure::BeforeTimeout,
        })
    }

    /// The status, where one was answered that the dialect does not want.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(BeforeError::Refused { status, .. }) => Some(*status),
            _ => None,
        }
    }
}

impl Visit {
    /// Sends the request and adds what its answer tells to the variables. Redirects are not followed: to where,
    /// nobody has said.
    pub(super) async fn before(
        &self,
        before: &Before,
        ask: &Ask,
        given: &mut Variables,
        record: &Record,
    ) -> Result<(), Refusal> {
        let evidence = self.evidence.connection();
        evidence.enter(Phase::Budget);
        let _permit = self.budget().connect().await;
        if let Some(token) = self.token(ask, &evidence).await? {
            given.set("token", token.expose());
        }
        let endpoint = self.equipped(&evidence).await?;
        let filled = before.request(given);
        let url = at(&endpoint.url, &filled.target);
        let cookies = self.jar().and_then(|jar| jar.header(&url));
        let request = request(&endpoint, ask, cookies, filled).map_err(Refusal::Dial)?;
        let offer = Default::default();
        let connecting = Box::pin(self.dialer().connect_into(&endpoint, &offer, &evidence, record));
        let connected = self.patiently(ask, record, connecting).await?;
        let mut connected = connected.map_err(|failure| Refusal::Dial(failure.error))?;
        let response = self.patiently(ask, record, connected.inquire(&request)).await?.map_err(refusal)?;
        if let Some(jar) = self.jar() {
            jar.keep(&url, response.set_cookies());
        }
        let status = response.status;
        if status == 429 || status == 503 && response.has("retry-after") {
            return Err(Refusal::Before(BeforeFault::Throttled { status }));
        }
        let content = match before.wants_content(status) {
            true => connected.content(&response, MAX_ANSWER).await.map_err(BeforeFault::Content),
            false => Ok(Vec::new()),
        };
        connected.sever(End::Fin);
        let told = content.and_then(|content| before.read(status, &content).map_err(BeforeFault::Answer));
        given.extend(told.map_err(Refusal::Before)?);
        Ok(())
    }
}

fn request(
    endpoint: &crate::wire::Endpoint,
    ask: &Ask,
    cookies: Option<String>,
    filled: BeforeRequest,
) -> Result<Request, DialError> {
    let BeforeRequest { method, target, headers, body } = filled;
    let headers = headers.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
    Request::plain(endpoint, &jar_offer(ask, cookies), (method, target.into()), headers, body)
}

/// What came instead of an answer.
fn refusal(error: DialError) -> Refusal {
    Refusal::Before(match error {
        DialError::UpgradeClosed { how } => BeforeFault::Closed { how },
        DialError::Lost { kind, .. } => BeforeFault::Lost(kind),
        DialError::UpgradeMalformed(what) => BeforeFault::NotHttp(what),
        DialError::UpgradeHeaderTooLarge => BeforeFault::NotHttp("the header is too large"),
        other => return Refusal::Dial(other),
    })
}

/// The same host with another path and query, for the jar. Never parsed as a URL of its own, whose host might be
/// another.
fn at(url: &Url, target: &str) -> Url {
    let mut url = url.clone();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    url.set_path(path);
    url.set_query(query);
    url
}
