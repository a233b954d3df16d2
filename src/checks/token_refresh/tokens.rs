//! The tokens of a run: short-lived ones whose expiry is waited for, and long-lived ones for all else.

use std::time::{Duration, SystemTime};

use super::config::TokenRefresh;
use crate::auth::{AuthError, Forgery, Source, Token};
use crate::model::{Cause, Outcome, Span, Verdict, Why};
use crate::session::Visit;

/// Where the run's tokens come from. What can't be made as it should be is as the target has it.
pub(super) struct Tokens<'a> {
    visit: &'a Visit,
    own: Source,
    short: Source,
    long: Source,
}

impl<'a> Tokens<'a> {
    /// Those of the run's target.
    ///
    /// # Errors
    /// Unsupported, where the target has no credential.
    pub(super) fn of(visit: &'a Visit, check: &TokenRefresh) -> Result<Self, Verdict> {
        let Some(credential) = &visit.target().credential else {
            let detail = "there is no token to be renewed";
            return Err(Verdict::new(Outcome::Unsupported(Why::NoCredential), detail));
        };
        let own = credential.source.clone();
        let mut tokens = Self { visit, short: own.clone(), long: own.clone(), own };
        tokens.fit(check, Duration::ZERO);
        Ok(tokens)
    }

    /// For a gateway whose clock is ahead of ours by so much.
    pub(super) fn fit(&mut self, check: &TokenRefresh, ahead: Duration) {
        let longest =
            Span::from(check.timeout().get() * 2 + ahead).max(self.own.lifetime().unwrap_or_default());
        let shortest = Span::from(check.lifetime().get() + ahead);
        self.short = self.own.lasting(shortest).unwrap_or_else(|| self.own.clone());
        self.long = self.own.lasting(longest).unwrap_or_else(|| self.own.clone());
    }

    /// Whether each of them can be a new one.
    pub(super) fn are_new(&self) -> bool {
        self.own.makes_new()
    }

    /// Whether they can't change while the agent runs.
    pub(super) fn are_constant(&self) -> bool {
        matches!(self.own, Source::Env(_))
    }

    /// Whose they are, where we say so.
    pub(super) fn subject(&self) -> Option<&str> {
        self.own.subject()
    }

    /// One whose expiry can be waited for, where that is in our hands.
    ///
    /// # Errors
    /// As [`Visit::new_token`].
    pub(super) async fn short(&self) -> Result<Token, Verdict> {
        self.visit.new_token(&self.short).await.map_err(|refusal| refusal.verdict())
    }

    /// One that outlives the run, where that is in our hands.
    ///
    /// # Errors
    /// As [`Visit::new_token`].
    pub(super) async fn long(&self) -> Result<Token, Verdict> {
        self.visit.new_token(&self.long).await.map_err(|refusal| refusal.verdict())
    }

    /// One that must be refused; none where it can't be made of the target's.
    ///
    /// # Errors
    /// Inconclusive, where our own credential is unusable.
    pub(super) async fn forged(&self, forgery: Forgery) -> Result<Option<Token>, Verdict> {
        let forged = self.long.forge(forgery, SystemTime::now()).await;
        forged.map_err(|error| {
            let cause = match error {
                AuthError::NoDescriptors { .. } => Cause::AgentDescriptors,
                _ => Cause::Credential,
            };
            Verdict::new(Outcome::Inconclusive(cause), error.to_string())
        })
    }
}
