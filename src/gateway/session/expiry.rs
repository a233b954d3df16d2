//! The token that a session belongs to, and the end of a session that has outlived it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{End, FAULT_CAP, FaultKind, Session, State};
use crate::gateway::clock;
use crate::gateway::event::EventKind;
use crate::gateway::jwt::{Credential, TokenId};

/// What a session is closed with that has outlived its token.
const EXPIRED: u16 = 4401;

/// Whom a session belongs to.
#[derive(Debug)]
pub struct Login {
    /// The token that it shows now.
    pub credential: Credential,
    /// Which token opened it.
    pub opened_by: TokenId,
    /// The `exp` that the session ends by; `None` for a token that had expired when a fault took it.
    ends: Option<Duration>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    /// Makes the session belong to a token.
    pub(super) fn log_in(&mut self, credential: Credential) {
        let live = clock::now(&self.faults) < self.last_moment(credential.expires);
        let ends = live.then_some(credential.expires).or(self.login.as_ref().and_then(|login| login.ends));
        let opened_by = self.login.as_ref().map_or(credential.id, |login| login.opened_by);
        self.login = Some(Login { credential, opened_by, ends });
    }

    /// Makes the session show another token, and leaves its end where it is, as a fault does.
    pub(super) fn log_in_for_show(&mut self, credential: Credential) {
        let before = self.login.take();
        let opened_by = before.as_ref().map_or(credential.id, |login| login.opened_by);
        self.login = Some(Login { credential, opened_by, ends: before.and_then(|login| login.ends) });
    }

    /// When the session's end is to be looked at. The clock may be set meanwhile, and is asked again then.
    pub(super) fn expiry_due(&self) -> Option<Instant> {
        let left = self.expiry()?.saturating_sub(clock::now(&self.faults));
        Some(Instant::now() + left.min(FAULT_CAP))
    }

    /// Closes a session that has outlived its token, unless the refresh that saves it has come.
    pub(super) fn expire(&mut self) -> Option<End> {
        if self.has_expired()
            && let Some(end) = self.read_what_came()
        {
            return Some(end);
        }
        if self.state == State::Open && self.has_expired() {
            self.peer.log(EventKind::SessionExpired);
            self.close_because(EXPIRED, "token expired");
        }
        None
    }

    fn has_expired(&self) -> bool {
        self.expiry().is_some_and(|expiry| clock::now(&self.faults) >= expiry)
    }

    fn expiry(&self) -> Option<Duration> {
        if self.faults.has(FaultKind::ExpiredSessionsLive) {
            return None;
        }
        let late = self.faults.duration(FaultKind::ExpiryLate).unwrap_or_default();
        let ends = self.login.as_ref()?.ends?;
        Some(self.last_moment(ends).saturating_add(late))
    }

    /// Until when a session may last whose token has this `exp`.
    fn last_moment(&self, expires: Duration) -> Duration {
        let settings = &self.peer.shared.settings;
        let leeway = settings.jwt.as_ref().map_or(Duration::ZERO, |rules| rules.leeway());
        expires.saturating_add(leeway).saturating_add(settings.expiry_grace)
    }
}
