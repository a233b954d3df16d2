//! The `token_refresh` check: a client renews its token on the open connection. Does that take, does anybody suffer,
//! and what becomes of who does not renew it, or by a token that is not good?

mod bad_token;
mod bad_tokens;
mod client;
mod clock;
mod config;
mod expiry;
mod judge;
mod metrics;
mod renew;
mod seen;
mod stream;
mod tokens;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant, SystemTime};

use tokio_util::sync::CancellationToken;

pub use bad_token::BadToken;
pub use config::{Case, Thresholds, TokenRefresh};
pub use judge::Assertion;
pub use metrics::METRICS;

use crate::auth::Token;
use crate::checks::{Capability, capability};
use crate::dialect::{Part, Variables};
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Cause, Failure, Outcome, Verdict, Why};
use crate::session::{Ask, Opened, Stream, Talk, Visit};
use client::{Client, Stop};
use clock::{Clock, Skew};
use seen::Seen;
use tokens::Tokens;

/// What it may find, beside what any session may end with.
pub(super) const FAILURES: &[Failure] = &[
    Failure::RefreshUnanswered,
    Failure::RefreshRefused,
    Failure::RefreshNotApplied,
    Failure::RefreshDisturbs,
    Failure::SessionDroppedByRefresh,
    Failure::ExpiredSessionSurvives,
    Failure::BadTokenAccepted,
    Failure::TooSlow,
];

/// What all connections of a run share.
struct Scene<'a> {
    check: &'a TokenRefresh,
    visit: &'a Visit,
    tokens: Tokens<'a>,
    /// What the dialect's templates may hold.
    given: Variables,
    /// The address of the run's first connection.
    peer: Option<IpAddr>,
    clock: Clock,
    /// None where the dialect has no numbered stream, or nothing is renewed beside it.
    stream: Option<Stream>,
    /// Cancelled when the stream has its listener.
    subscribed: CancellationToken,
    /// Cancelled when a session was refreshed once, or it is clear that none will be.
    renewed: CancellationToken,
    /// A token that was accepted in a refresh.
    used: Mutex<Option<Token>>,
    seen: Mutex<Seen>,
}

impl Scene<'_> {
    /// Never held across an await.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_up(&self, token: Token) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    fn used(&self) -> Option<Token> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TokenRefresh {
    /// Holds sessions that renew their token, and others that do not, and judges what became of them.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        metrics::expected()
    }

    async fn steps(&self, visit: &Visit) -> Result<Verdict, Verdict> {
        let dialect = &visit.target().dialect;
        if !Self::has(dialect) {
            return Err(no_refresh());
        }
        let mut tokens = Tokens::of(visit, self)?;
        let given = self.given(&tokens);
        // Whoever publishes is the first, since it can tell us what the gateway's clock shows.
        let token = tokens.long().await?;
        let first = self.connect(visit, &given, &token).await?;
        let skew = skew(&first.opened);
        tokens.fit(self, skew.map(Skew::ahead).unwrap_or_default());
        let streams = self.renews() && dialect.has(Part::Subscribe) && dialect.numbers_stream();
        let stream = || Stream::new(self.every.get(), self.payload as usize, self.settle.get());
        let scene = Scene {
            check: self,
            visit,
            given,
            peer: visit.peer(&first.opened),
            clock: Clock::now(skew),
            stream: streams.then(stream),
            subscribed: CancellationToken::new(),
            renewed: CancellationToken::new(),
            used: Mutex::default(),
            seen: Mutex::default(),
            tokens,
        };
        capability(visit, Capability::GatewayClock, skew.is_some());
        capability(visit, Capability::NewTokens, scene.tokens.are_new());
        capability(visit, Capability::Stream, streams);
        let course = scene.course(Client::of(&scene, first, token)).await;
        metrics::keep(&scene);
        judge::verdict(&scene, course)
    }

    /// What the dialect's templates may hold.
    fn given(&self, tokens: &Tokens<'_>) -> Variables {
        let own = || format!("gateprobe-{:016x}", rand::random::<u64>());
        let mut given = Variables::new().with("channel", self.channel.clone().unwrap_or_else(own));
        if let Some(user) = self.user.as_deref().or(tokens.subject()) {
            given.set("user", user);
        }
        given
    }

    async fn connect(&self, visit: &Visit, given: &Variables, token: &Token) -> Result<Talk, Verdict> {
        let within = self.connect_timeout.get();
        let (token, variables) = (Some(token.clone()), given.clone());
        let ask = Ask { within: Some(within), token, variables, ..Ask::default() };
        let opened = visit.open(&ask, visit.record()).await.map_err(|refusal| refusal.precondition())?;
        Talk::begin(visit, opened, within).await
    }
}

impl Scene<'_> {
    /// All sessions side by side.
    async fn course(&self, publisher: Client<'_>) -> Result<(), Verdict> {
        let looks_at = |case| self.check.looks_at(case);
        if !self.check.renews() {
            self.renewed.cancel();
        }
        tokio::try_join!(
            self.publish(publisher),
            async { if self.check.renews() { renew::in_the_middle(self).await } else { Ok(()) } },
            async {
                match looks_at(Case::NearExpiry) && self.tokens.are_new() {
                    true => renew::at_the_last_moment(self).await,
                    false => Ok(()),
                }
            },
            async { if looks_at(Case::Expiry) { expiry::watch(self).await } else { Ok(()) } },
            bad_tokens::try_all(self),
        )?;
        Ok(())
    }

    async fn publish(&self, mut publisher: Client<'_>) -> Result<(), Verdict> {
        /// How soon it is seen that the stream has its listener.
        const SOON: Duration = Duration::from_millis(20);
        while self.stream.is_some() && !self.subscribed.is_cancelled() {
            let waits = publisher.live_until(StdInstant::now() + SOON).await;
            waits.map_err(|stop| match stop {
                Stop::Unserved => not_served(),
                Stop::Ended(ended) if ended.refused && publisher.may_have_expired(ended.at) => {
                    own_token(&ended.verdict)
                }
                Stop::Ended(client::Ended { verdict, .. }) | Stop::Verdict(verdict) => verdict,
            })?;
        }
        publisher.publish().await?;
        publisher.leave().await;
        Ok(())
    }
}

/// How far the gateway's clock is ahead of ours, where its 101 tells.
fn skew(opened: &Opened) -> Option<Skew> {
    let date = opened.dialed.response.date()?;
    let answered = SystemTime::now().checked_sub(opened.upgraded_at.elapsed())?;
    let asked = answered.checked_sub(opened.dialed.timings.upgrade.unwrap_or_default())?;
    Some(Skew::of(date, asked, answered))
}

fn no_refresh() -> Verdict {
    Verdict::new(Outcome::Unsupported(Why::Promise), "the dialect has no refresh")
}

/// The gateway ended a session whose token may have expired by then.
fn own_token(ended: &Verdict) -> Verdict {
    let detail = format!("a token expired before the run had renewed it: {}", ended.detail);
    Verdict::new(Outcome::Inconclusive(Cause::Credential), detail)
}

/// A ping was not answered where nothing had been done to the session yet.
fn not_served() -> Verdict {
    let detail = "a ping was not answered before anything was done to the session";
    Verdict::new(Outcome::Inconclusive(Cause::Precondition), detail)
}
