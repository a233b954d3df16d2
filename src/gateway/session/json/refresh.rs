//! A new token for a session in the dialect `json`, and what faults make of that.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::gateway::clock;
use crate::gateway::ending::FAULT_CAP;
use crate::gateway::event::EventKind;
use crate::gateway::fault::{FaultKind, FaultSet};
use crate::gateway::jwt::{Credential, TakenTokens, TokenRefusal};
use crate::gateway::session::{Session, State, zombie};

/// Refreshes that wait, at most; with one more, the oldest one is answered at once.
const WAITING_LIMIT: usize = 32;

/// A session's refreshes that a fault spoils.
#[derive(Debug, Default)]
pub struct Refreshes {
    /// When the last one was asked for.
    asked: Option<Instant>,
    /// Those that are not answered yet, and when they were asked for.
    waiting: VecDeque<(Instant, Map<String, Value>)>,
    /// The switch of the fault that has refused its one refresh.
    refused_since: Option<Instant>,
}

impl Refreshes {
    /// When something is to be done without a word from the client.
    pub fn due(&self, faults: &FaultSet, now: Instant) -> Option<Instant> {
        let answer = self.waiting.front().map(|(asked, _)| *asked + delay(faults));
        answer.into_iter().chain(self.until(FaultKind::RefreshStallsStream, faults, now)).min()
    }

    /// Whether what is to be delivered waits at `now`.
    pub fn stalls(&self, faults: &FaultSet, now: Instant) -> bool {
        self.until(FaultKind::RefreshStallsStream, faults, now).is_some()
    }

    /// Whether what is to be delivered gets lost at `now`.
    pub fn loses(&self, faults: &FaultSet, now: Instant) -> bool {
        self.until(FaultKind::RefreshLosesMessages, faults, now).is_some()
    }

    /// Takes one that is to be answered at `now`.
    fn pop(&mut self, faults: &FaultSet, now: Instant) -> Option<Map<String, Value>> {
        let full = self.waiting.len() > WAITING_LIMIT;
        let (_, message) = self.waiting.pop_front_if(|(asked, _)| full || now >= *asked + delay(faults))?;
        Some(message)
    }

    /// The end of a fault that a refresh has begun, where that is still to come at `now`.
    fn until(&self, kind: FaultKind, faults: &FaultSet, now: Instant) -> Option<Instant> {
        let end = self.asked? + faults.duration(kind)?.min(FAULT_CAP);
        Some(end).filter(|end| now < *end)
    }
}

fn delay(faults: &FaultSet) -> Duration {
    faults.duration(FaultKind::RefreshDelay).unwrap_or_default().min(FAULT_CAP)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    /// Does what concerns a session's token.
    pub(super) fn take_refresh(&mut self, message: Map<String, Value>, now: Instant) {
        self.refreshes.asked = Some(now);
        if !self.faults.has(FaultKind::RefreshIgnored) {
            self.refreshes.waiting.push_back((now, message));
            self.tick_refreshes(now);
        }
    }

    /// Answers the refreshes that are to be answered by now.
    pub(in crate::gateway::session) fn tick_refreshes(&mut self, now: Instant) {
        while !matches!(self.state, State::Closing { .. })
            && let Some(message) = self.refreshes.pop(&self.faults, now)
        {
            self.refresh(&message);
        }
    }

    fn refresh(&mut self, message: &Map<String, Value>) {
        let now = clock::now(&self.faults);
        let credential = match self.judge_refresh(message, now) {
            Ok(credential) => credential,
            Err(why) => {
                self.peer.log(EventKind::TokenRefused { why });
                let reply = json!({ "type": "error", "code": why.name(), "error": why.text() });
                return self.reply(reply, message);
            }
        };
        let expires = credential.expires;
        match self.faults.has(FaultKind::RefreshNotApplied) {
            true => self.log_in_for_show(credential),
            false => self.log_in(credential),
        }
        self.peer.log(EventKind::TokenRefreshed);
        let expires_in = expires.saturating_sub(now).as_secs();
        self.reply(json!({ "type": "token_refreshed", "expires_in": expires_in }), message);
        if self.faults.has(FaultKind::RefreshDrops) {
            self.close(zombie::UNFOUNDED);
        }
    }

    /// Judges a refresh, and uses its token up where it is good.
    fn judge_refresh(
        &mut self,
        message: &Map<String, Value>,
        now: Duration,
    ) -> Result<Credential, TokenRefusal> {
        if self.is_refused_anyway() {
            return Err(TokenRefusal::Unavailable);
        }
        let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        let takes = self.faults.get(FaultKind::RefreshTakes).and_then(|fault| fault.get::<TakenTokens>());
        let taken = |refusal| takes.is_some_and(|takes| takes.covers(refusal));
        let (shared, login) = (&self.peer.shared, self.login.as_ref());
        // Without rules, no token is good.
        let rules = shared.settings.jwt.as_ref().ok_or(TokenRefusal::Unavailable)?;
        let credential = rules.judge(text("new_token"), now, &taken)?;
        let id = credential.id;
        // Under one lock with its use: no two sessions get the same token.
        let mut used = shared.used_tokens();
        let other = login.is_some_and(|login| login.credential.subject != credential.subject);
        let replayed = login.is_some_and(|login| login.opened_by == id) || used.contains(id);
        let old = login.is_some_and(|login| login.credential.token.matches(text("old_token")));
        let wrong = [
            (other, TokenRefusal::OtherSubject),
            (replayed, TokenRefusal::Replayed),
            (!old, TokenRefusal::WrongOldToken),
        ];
        match wrong.into_iter().find(|(wrong, refusal)| *wrong && !taken(*refusal)) {
            Some((_, refusal)) => Err(refusal),
            None => {
                used.insert(id, credential.expires.saturating_add(rules.leeway()), now);
                Ok(credential)
            }
        }
    }

    /// Whether a fault refuses this refresh whatever it shows.
    fn is_refused_anyway(&mut self) -> bool {
        let once = self.faults.since(FaultKind::RefreshRefusedOnce);
        let first = once.is_some() && self.refreshes.refused_since != once;
        self.refreshes.refused_since = once;
        first || self.faults.has(FaultKind::RefreshRefused)
    }
}
