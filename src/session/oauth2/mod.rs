//! Tokens by OAuth2's client credentials grant (RFC 6749, section 4.4).

mod answer;
mod error;
mod patience;
mod request;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::auth::{AuthError, Issuer, Source, Token};
use crate::model::{End, Evidence};
use crate::wire::{Dialer, Endpoint};
use answer::{Answer, MAX_ANSWER};
use error::OAuth2Error;
use patience::Patience;

/// How long before its end a token is not used any more, at most; else half of its life. A session that begins with
/// it lasts as long as a check, and must not be ended for a token that was about to end anyway.
const MARGIN: Duration = Duration::from_secs(120);

/// How the client shows who it is (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// By HTTP Basic authentication.
    Basic,
    /// In the body.
    Post,
}

/// What a token is asked for with.
#[derive(Debug, Clone)]
pub struct ClientGrant {
    /// `client_id`.
    pub client: String,
    /// `client_secret`; read anew for each request.
    pub secret: Source,
    /// How the two are shown.
    pub by: ClientAuth,
    /// `scope` (RFC 6749, section 3.3).
    pub scope: Option<String>,
    /// `audience`, a parameter that many servers want, though it is not in RFC 6749.
    pub audience: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// A token endpoint (RFC 6749, section 3.2), with the token that it gave last. All who share it ask it one at a
/// time, and not more often than they must.
pub struct TokenEndpoint {
    grant: ClientGrant,
    endpoint: Endpoint,
    /// The URL for people.
    shown: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    patience: Patience,
}

/// A token that is good for a while yet.
struct Kept {
    token: Token,
    until: Instant,
}

/// The endpoint, and who dials it.
#[derive(Debug)]
struct Asked {
    endpoint: Arc<TokenEndpoint>,
    dialer: Dialer,
}

impl TokenEndpoint {
    /// One that was never asked; `ws` stands for http, `wss` for https.
    pub fn new(endpoint: Endpoint, grant: ClientGrant) -> Self {
        // As people know it: the scheme is only `wire`'s word.
        let shown = endpoint.display_url().replacen("ws", "http", 1);
        Self { grant, endpoint, shown, state: Mutex::default() }
    }

    /// As a source of tokens.
    pub fn by(self: &Arc<Self>, dialer: &Dialer) -> Source {
        Source::Issued(Arc::new(Asked { endpoint: Arc::clone(self), dialer: dialer.clone() }))
    }

    async fn token(&self, dialer: &Dialer, now: SystemTime, new: bool) -> Result<Token, AuthError> {
        // Held over the request: those who wait for it take the token that it brings.
        let mut state = self.state.lock().await;
        if let Some(kept) = state.kept.as_ref().filter(|kept| !new && kept.is_good(now)) {
            return Ok(kept.token.clone());
        }
        if let Some((error, wait)) = state.patience.refuses(Instant::now()) {
            let why = format!("{error}; asked again in {} s", wait.as_secs_f64().ceil());
            return Err(self.not_issued(why));
        }
        let secret = self.grant.secret.fetch(now).await.map_err(|error| match error {
            AuthError::NoDescriptors { .. } => error,
            error => AuthError::ClientSecret(Box::new(error)),
        })?;
        // Both its life and our waiting count from before the request: never later than the issuer counts.
        let asked_at = Instant::now();
        let answer = match timeout(self.grant.timeout, self.request(dialer, &secret)).await {
            Ok(answer) => answer,
            Err(_) => Err(OAuth2Error::Late(self.grant.timeout.into())),
        };
        let token = answer.and_then(|answer| {
            let expires_at = answer.lifetime.and_then(|lifetime| now.checked_add(lifetime));
            let token = Token::issued(answer.token.expose_secret(), expires_at, &self.shown, now);
            token
                .map(|token| (token, answer.lifetime))
                .map_err(|error| OAuth2Error::Unusable(error.to_string()))
        });
        match token {
            Ok((token, lifetime)) => {
                state.patience = Patience::default();
                state.kept = Kept::of(&token, lifetime, asked_at, now);
                Ok(token)
            }
            Err(OAuth2Error::NoDescriptors) => Err(AuthError::NoDescriptors { path: self.shown.clone() }),
            Err(error) => {
                let why = error.to_string();
                state.patience.lost(error, Instant::now());
                Err(self.not_issued(why))
            }
        }
    }

    /// One request, by a connection of its own; redirects are not followed, since nobody has said to where.
    async fn request(&self, dialer: &Dialer, secret: &Token) -> Result<Answer, OAuth2Error> {
        let request = request::request(&self.endpoint, &self.grant, secret.expose())?;
        // Not the run's evidence: where this is, is not where the run is.
        let connected = Box::pin(dialer.connect(&self.endpoint, &Evidence::new())).await;
        let mut connected = connected.map_err(|failure| failure.error)?;
        let response = connected.inquire(&request).await?;
        let content = connected.content(&response, MAX_ANSWER).await;
        connected.sever(End::Fin);
        answer::read(&response, content)
    }

    fn not_issued(&self, why: String) -> AuthError {
        AuthError::NotIssued { from: self.shown.clone(), why }
    }
}

impl Kept {
    /// What is worth keeping: a token of which somebody says how long it is good.
    fn of(token: &Token, lifetime: Option<Duration>, asked_at: Instant, now: SystemTime) -> Option<Self> {
        let own = token.expires_at().and_then(|at| at.duration_since(now).ok());
        let lifetime = lifetime.into_iter().chain(own).min()?;
        let until = asked_at.checked_add(lifetime - MARGIN.min(lifetime / 2))?;
        Some(Self { token: token.clone(), until })
    }

    /// Whether a session can begin with it: by the clock that nobody sets, and by the one that tokens go by.
    fn is_good(&self, now: SystemTime) -> bool {
        Instant::now() < self.until && self.token.expires_at().is_none_or(|at| now < at)
    }
}

impl Issuer for Asked {
    fn token(&self, now: SystemTime, new: bool) -> BoxFuture<'_, Result<Token, AuthError>> {
        self.endpoint.token(&self.dialer, now, new).boxed()
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("url", &self.shown)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
