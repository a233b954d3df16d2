//! The gateway's own metrics endpoint: how many sessions it counts, and how much memory it takes.

use std::fmt;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::exposition::{NoValue, Selector};
use super::visit::Visit;
use crate::auth::{AuthError, Source};
use crate::model::{End, Evidence, Span};
use crate::wire::{ContentError, DialError, Endpoint, Offer, Request};

/// The largest page that is read, in bytes.
const LARGEST: usize = 4 << 20;

/// Where a gateway tells of itself, in Prometheus' text format.
#[derive(Debug, Clone)]
pub struct Observe {
    /// The endpoint; `ws` stands for http, `wss` for https.
    pub endpoint: Endpoint,
    /// A bearer token.
    pub token: Option<Source>,
    /// The number of open sessions.
    pub sessions: Option<Selector>,
    /// Resident memory in bytes.
    pub memory: Option<Selector>,
    /// Nobody else uses the gateway, so that what grows grows by us.
    pub exclusive: bool,
    /// How long one look may take.
    pub timeout: Duration,
}

/// What the gateway said of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// When it had been read.
    pub at: Instant,
    /// Open sessions, where they are asked for.
    pub sessions: Option<f64>,
    /// Resident memory in bytes, where it is asked for.
    pub memory: Option<f64>,
}

/// Why nothing is known: never the gateway's fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObserveError {
    /// The target names no endpoint.
    #[error("the target has no `observe`")]
    NotConfigured,
    /// Our token can't be read.
    #[error("{0}")]
    Credential(String),
    /// It can't be reached.
    #[error("{0}")]
    Dial(DialError),
    /// Another status than 200.
    #[error("it answered {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// Its content can't be read.
    #[error("{0}")]
    Content(ContentError),
    /// Its content is not UTF-8.
    #[error("its content is not text")]
    NotText,
    /// It does not tell what the config asks for.
    #[error("`{what}`: {why}")]
    NoValue {
        /// The field in the config.
        what: &'static str,
        /// Why not.
        why: NoValue,
    },
    /// It did not answer in time.
    #[error("it did not answer within {0}")]
    Late(Span),
}

impl Visit {
    /// Reads the gateway's own metrics endpoint, outside the gateway's budget and the run's evidence.
    ///
    /// # Errors
    /// When it can't be read within its time-out, or lacks a series that the config asks for.
    pub async fn observe(&self) -> Result<Observed, ObserveError> {
        let observe = self.target().observe.as_ref().ok_or(ObserveError::NotConfigured)?;
        let look = Box::pin(self.look(observe));
        let seen = timeout_at(self.until(Some(observe.timeout)), look).await;
        seen.unwrap_or(Err(ObserveError::Late(Span::from(observe.timeout))))
    }

    async fn look(&self, observe: &Observe) -> Result<Observed, ObserveError> {
        let page = self.page(observe).await?;
        let value = |what, selector: &Option<Selector>| {
            let sum = selector.as_ref().map(|selector| selector.sum(&page)).transpose();
            sum.map_err(|why| ObserveError::NoValue { what, why })
        };
        Ok(Observed {
            at: Instant::now(),
            sessions: value("sessions", &observe.sessions)?,
            memory: value("memory", &observe.memory)?,
        })
    }

    async fn page(&self, observe: &Observe) -> Result<String, ObserveError> {
        let mut headers = vec![("Accept".to_owned(), SecretString::from("text/plain;version=0.0.4"))];
        if let Some(source) = &observe.token {
            let token = source.fetch(SystemTime::now()).await.map_err(|error| match error {
                AuthError::NoDescriptors { .. } => ObserveError::Dial(DialError::NoDescriptors),
                error => ObserveError::Credential(error.to_string()),
            })?;
            headers.push(("Authorization".to_owned(), format!("Bearer {}", token.expose()).into()));
        }
        let endpoint = &observe.endpoint;
        let url = &endpoint.url;
        let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let request = Request::plain(endpoint, &Offer::default(), ("GET", target.into()), headers, None);
        let request = request.map_err(ObserveError::Dial)?;
        // Not the run's evidence: where this is, is not where the run is.
        let connected = self.dialer().connect(endpoint, &Evidence::new()).await;
        let mut connected = connected.map_err(|failure| ObserveError::Dial(failure.error))?;
        let response = connected.inquire(&request).await.map_err(ObserveError::Dial)?;
        if response.status != 200 {
            return Err(ObserveError::Status { status: response.status });
        }
        let content = connected.content(&response, LARGEST).await.map_err(ObserveError::Content)?;
        connected.sever(End::Fin);
        String::from_utf8(content).map_err(|_| ObserveError::NotText)
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions = self.sessions.map(|sessions| format!("{sessions} sessions"));
        let memory = self.memory.map(|bytes| format!("{:.1} MB", bytes / 1e6));
        let parts: Vec<String> = sessions.into_iter().chain(memory).collect();
        f.write_str(&parts.join(", "))
    }
}
