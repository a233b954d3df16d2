//! One connection's conversation, without I/O and without a clock.

use std::fmt;
use std::sync::Arc;

use super::definition::{Dialect, Part};
use super::exchanges::{Exchanges, Outstanding};
use super::heard::Heard;
use super::meaning::{Answer, Asked, Await, Meaning};
use super::names::{LAST_SEQUENCE, NONCE, OLD_TOKEN, SEQUENCE, Scope, TOKEN};
use super::parts::{Exchange, Reply, Sending, Step};
use super::pattern::Pattern;
use super::promise::resolve;
use super::{Message, Variables};

/// One connection's conversation: messages in, messages and their meaning out. The caller keeps the time.
pub struct Dialogue {
    dialect: Arc<Dialect>,
    variables: Variables,
    /// The open step that is next.
    step: usize,
    exchanges: Exchanges,
}

/// The shape of an answer.
struct Stray {
    part: Part,
    repeated: bool,
    /// The nonce says so; without one, it may be something else just as well.
    certain: bool,
}

/// An answer that was found.
struct Found {
    exchange: u64,
    part: Part,
    result: Answer,
    captured: Variables,
    /// The pattern tells which exchange it answers.
    correlated: bool,
}

impl Dialogue {
    /// A conversation that has not begun, with what gateprobe gives and what was captured before the upgrade.
    pub fn new(dialect: Arc<Dialect>, given: Variables) -> Self {
        Self { dialect, variables: given, step: 0, exchanges: Exchanges::numbered_from(0) }
    }

    /// The same with exchanges that are numbered from here (never from less than 1000). Connections that are
    /// numbered apart tell an answer that the gateway gave to the wrong one of them.
    #[must_use]
    pub fn numbered_from(self, first: u64) -> Self {
        Self { exchanges: Exchanges::numbered_from(first), ..self }
    }

    /// What an open step sends now; none when there is nothing to send, or not yet.
    pub fn poll_send(&mut self) -> Option<Message> {
        let Some(Step::Send(message)) = self.dialect.open.get(self.step) else { return None };
        self.step += 1;
        Some(message.fill(Scope::of(&self.variables)))
    }

    /// The open step that waits for a message.
    pub fn awaits(&self) -> Option<Await> {
        match self.dialect.open.get(self.step)? {
            Step::Await { within, .. } => Some(Await { within: *within, step: self.step }),
            Step::Send(_) => None,
        }
    }

    /// Whether all open steps are done.
    pub fn is_open(&self) -> bool {
        self.step >= self.dialect.open.len()
    }

    /// Takes a message of the gateway's and tells what it means.
    ///
    /// A message that fits several patterns is, in this order: what the open step awaits; an answer that says
    /// which exchange it answers; the gateway's heartbeat; the answer to the oldest exchange of its part; an
    /// answer's repetition; a delivery; a wish to come back; an error; the shape of an answer.
    pub fn hear(&mut self, message: &Message) -> Meaning {
        let mut heard = Heard::new(message);
        if self.meets_step(&mut heard) {
            return Meaning::Step;
        }
        let answer = self.find_answer(&mut heard);
        if answer.as_ref().is_none_or(|answer| !answer.correlated)
            && let Some(beat) = self.beat(&mut heard)
        {
            return beat;
        }
        if let Some(answer) = answer {
            return self.answered(answer);
        }
        let stray = self.find_stray(&mut heard);
        if let Some(Stray { part, repeated, certain: true }) = stray {
            return Meaning::Stray { part, repeated };
        }
        if let Some(delivery) = self.delivery(&mut heard) {
            return delivery;
        }
        if let Some(reconnect) = self.reconnect(&mut heard) {
            return reconnect;
        }
        let error = self.dialect.error.as_ref();
        if error.is_some_and(|error| error.matches(&mut heard, Scope::of(&self.variables))) {
            return Meaning::Error;
        }
        match stray {
            Some(Stray { part, repeated, .. }) => Meaning::Stray { part, repeated },
            None if self.is_open() => Meaning::Other,
            None => Meaning::WrongStep,
        }
    }

    /// Begins an exchange with what it needs beside the connection's variables; none if the dialect does not
    /// have the part. A `nonce` is given here.
    pub fn ask(&mut self, part: Part, extra: &Variables) -> Option<Asked> {
        let exchange = self.dialect.exchange(part)?;
        let number = self.exchanges.number();
        let mut own = extra.clone();
        own.set(NONCE, number);
        if part == Part::Refresh && own.get(OLD_TOKEN).is_none() {
            own.extend(
                self.variables
                    .get(TOKEN)
                    .map_or_else(Variables::new, |token| Variables::new().with(OLD_TOKEN, token.clone())),
            );
        }
        let message = exchange.send.fill(Scope::of(&self.variables).within(&own));
        if !exchange.answers.is_empty() {
            let variables = own.only(|name| exchange.kept.contains(name));
            self.exchanges.expect(Outstanding { number, part, variables });
        }
        Some(Asked { exchange: number, message })
    }

    /// Waits for an answer no longer; what still comes is stray.
    pub fn forget(&mut self, exchange: u64) {
        self.exchanges.take(exchange);
    }

    /// What is sent before the end.
    pub fn teardown(&self) -> Vec<Message> {
        let fill = |message: &Sending| message.fill(Scope::of(&self.variables));
        self.dialect.teardown.iter().map(fill).collect()
    }

    /// What the placeholders stand for now.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The dialect that is spoken.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    fn meets_step(&mut self, heard: &mut Heard<'_>) -> bool {
        let Some(Step::Await { pattern, capture, .. }) = self.dialect.open.get(self.step) else {
            return false;
        };
        let scope = Scope::of(&self.variables);
        if !pattern.matches(heard, scope) {
            return false;
        }
        let captured = match pattern.json(heard, scope) {
            Some(json) => capture.all(json).ok(),
            None => Some(Variables::new()),
        };
        let Some(captured) = captured else { return false };
        self.variables.extend(captured);
        self.step += 1;
        true
    }

    /// The answer to what is outstanding: one that says what it answers before one that does not, then the
    /// oldest exchange first.
    fn find_answer(&self, heard: &mut Heard<'_>) -> Option<Found> {
        let mut best: Option<Found> = None;
        for exchange in &self.dialect.exchanges {
            for reply in &exchange.answers {
                let Some(found) = self.answer_of(exchange.part, reply, heard) else { continue };
                let rank = |found: &Found| (!found.correlated, found.exchange);
                if best.as_ref().is_none_or(|best| rank(&found) < rank(best)) {
                    best = Some(found);
                }
            }
        }
        best
    }

    fn answer_of(&self, part: Part, reply: &Reply, heard: &mut Heard<'_>) -> Option<Found> {
        for outstanding in self.exchanges.outstanding(part) {
            let scope = Scope::of(&self.variables).within(&outstanding.variables);
            if reply.pattern.matches(heard, scope) {
                let json = reply.pattern.json(heard, scope);
                return Some(Found {
                    exchange: outstanding.number,
                    part,
                    result: reply.meaning,
                    captured: json.map_or_else(Variables::new, |json| reply.capture.some(json)),
                    correlated: reply.pattern.is_correlated(),
                });
            }
        }
        None
    }

    fn answered(&mut self, found: Found) -> Meaning {
        let Found { exchange, part, result, captured, .. } = found;
        let outstanding = self.exchanges.answer(exchange);
        if (part, result) == (Part::Refresh, Answer::Accepted)
            && let Some(token) = outstanding.as_ref().and_then(|outstanding| outstanding.variables.get(TOKEN))
        {
            self.variables.set(TOKEN, token.clone());
        }
        self.variables.extend(captured);
        Meaning::Answer { exchange, part, result }
    }

    fn beat(&self, heard: &mut Heard<'_>) -> Option<Meaning> {
        let beat = self.dialect.beat.as_ref()?;
        let scope = Scope::of(&self.variables);
        if !beat.pattern.matches(heard, scope) {
            return None;
        }
        let captured = beat.pattern.json(heard, scope).map(|json| beat.capture.some(json));
        let captured = captured.unwrap_or_default();
        let reply = beat.reply.as_ref().map(|reply| reply.fill(scope.within(&captured)));
        Some(Meaning::Beat { reply })
    }

    /// What a wish to come back says belongs to it alone, and is not kept.
    fn reconnect(&self, heard: &mut Heard<'_>) -> Option<Meaning> {
        let reconnect = self.dialect.reconnect.as_ref()?;
        let scope = Scope::of(&self.variables);
        if !reconnect.pattern.matches(heard, scope) {
            return None;
        }
        let captured = reconnect.pattern.json(heard, scope).map(|json| reconnect.capture.some(json));
        let mut told = self.variables.clone();
        told.extend(captured.unwrap_or_default());
        Some(Meaning::Reconnect { delay: reconnect.delay.as_ref().and_then(|delay| resolve(delay, &told)) })
    }

    /// A message that looks like an answer to something that is not outstanding.
    fn find_stray(&self, heard: &mut Heard<'_>) -> Option<Stray> {
        let mut stray = None;
        let shape = Scope::of(&self.variables).shape();
        for Exchange { part, answers, .. } in &self.dialect.exchanges {
            for pattern in answers.iter().map(|reply| &reply.pattern) {
                if !pattern.has_shape() || !pattern.matches(heard, shape) {
                    continue;
                }
                if pattern.has_nonce() && self.was_answered(*part, pattern, heard) {
                    return Some(Stray { part: *part, repeated: true, certain: true });
                }
                let repeated = !pattern.has_nonce() && self.exchanges.is_answered(*part);
                stray.get_or_insert(Stray { part: *part, repeated, certain: false });
            }
        }
        stray
    }

    /// Whether the message has the nonce of an exchange that was answered before.
    fn was_answered(&self, part: Part, pattern: &Pattern, heard: &mut Heard<'_>) -> bool {
        self.exchanges.answered(part).any(|number| {
            let nonce = Variables::new().with(NONCE, number);
            pattern.matches(heard, Scope::of(&self.variables).shape().within(&nonce))
        })
    }

    fn delivery(&mut self, heard: &mut Heard<'_>) -> Option<Meaning> {
        let delivery = self.dialect.delivery.as_ref()?;
        let scope = Scope::of(&self.variables);
        if !delivery.pattern.matches(heard, scope) {
            return None;
        }
        let mut captured = delivery.pattern.json(heard, scope).map(|json| delivery.capture.some(json));
        let raw = captured.as_mut().and_then(|captured| captured.remove(SEQUENCE));
        let sequence = raw.as_ref().and_then(|raw| match raw {
            serde_json::Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        });
        if let Some(raw) = raw {
            self.variables.set(LAST_SEQUENCE, raw);
        }
        self.variables.extend(captured.unwrap_or_default());
        Some(Meaning::Delivery { sequence })
    }
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue")
            .field("dialect", &self.dialect.name())
            .field("step", &self.step)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}
