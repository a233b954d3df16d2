//! Streams in the dialect `json`: subscribe, publish, and sessions that are taken up again.

use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::request::Verb;
use crate::gateway::ending::FAULT_CAP;
use crate::gateway::event::EventKind;
use crate::gateway::fault::FaultKind;
use crate::gateway::hub::{Inbox, Outbox, Resumed, Tenancy, outbox};
use crate::gateway::session::{Opcode, Session, State};

/// A connection's part in the streams.
pub struct Stream {
    outbox: Outbox,
    /// What is to be sent, as others publish it.
    pub inbox: Inbox,
    tenancy: Option<Tenancy>,
    /// Messages that the client has published.
    published: u64,
    /// A session that is to be taken up again, later.
    resuming: Option<(Instant, Map<String, Value>)>,
}

impl Default for Stream {
    fn default() -> Self {
        let (outbox, inbox) = outbox();
        Self { outbox, inbox, tenancy: None, published: 0, resuming: None }
    }
}

impl Stream {
    /// When something is to be done without a word from the client.
    pub fn due(&self) -> Option<Instant> {
        self.resuming.as_ref().map(|(at, _)| *at)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    /// Does what concerns streams.
    pub(super) fn take_stream(&mut self, verb: Verb, message: Map<String, Value>, now: Instant) {
        let channel = message.get("channel").and_then(Value::as_str).unwrap_or_default();
        match verb {
            Verb::Subscribe => self.subscribe(&message, channel, now),
            Verb::Unsubscribe => {
                if let Some(tenancy) = &self.stream.tenancy {
                    self.peer.shared.hub().unsubscribe(tenancy, channel);
                }
                self.reply(json!({ "type": "unsubscribed" }), &message);
            }
            Verb::Publish => {
                self.stream.published += 1;
                let dropped = self.faults.number(FaultKind::MessagesDropped);
                if dropped.is_some_and(|every| self.stream.published.is_multiple_of(every.get().into())) {
                    return;
                }
                self.peer.shared.hub().publish(channel, &message, &self.faults);
                self.reply(json!({ "type": "published" }), &message);
            }
            Verb::Resume => match self.faults.duration(FaultKind::ResumeDelay) {
                Some(delay) => self.stream.resuming = Some((now + delay.min(FAULT_CAP), message)),
                None => self.resume(&message, now),
            },
        }
    }

    /// Does what was put off until now.
    pub(in crate::gateway::session) fn tick_stream(&mut self, now: Instant) {
        if let Some((_, message)) = self.stream.resuming.take_if(|(at, _)| *at <= now) {
            self.resume(&message, now);
        }
    }

    /// Sends what somebody has published, unless a fault of refreshes loses it.
    pub(in crate::gateway::session) fn pass_on(&mut self, text: &str) {
        if !self.refreshes.loses(&self.faults, Instant::now()) {
            self.deliver(text);
        }
    }

    /// Whether what somebody has published is sent now.
    pub(in crate::gateway::session) fn is_delivering(&self) -> bool {
        self.state == State::Open && !self.refreshes.stalls(&self.faults, Instant::now())
    }

    fn deliver(&mut self, text: &str) {
        self.queue(Opcode::Text, text.as_bytes());
    }

    /// The connection is over: the session waits for another one, unless the client has said goodbye.
    pub(in crate::gateway::session) fn leave_stream(&mut self, said_goodbye: bool) {
        let Some(tenancy) = self.stream.tenancy.take() else { return };
        let mut hub = self.peer.shared.hub();
        match said_goodbye {
            true => hub.end(&tenancy),
            false => hub.lose(&tenancy, Instant::now()),
        }
    }

    fn subscribe(&mut self, message: &Map<String, Value>, channel: &str, now: Instant) {
        let stream = &mut self.stream;
        let mut hub = self.peer.shared.hub();
        if stream.tenancy.is_none() {
            stream.tenancy = hub.enter(&stream.outbox, now);
        }
        let session = stream.tenancy.as_ref().filter(|tenancy| hub.subscribe(tenancy, channel));
        let session = session.map(|tenancy| tenancy.session.clone());
        drop(hub);
        if session.is_some() {
            self.peer.log(EventKind::Subscribed);
        }
        let reply = match session {
            Some(session) => json!({ "type": "subscribed", "session": session }),
            None => json!({ "type": "error", "error": "too many sessions or channels" }),
        };
        self.reply(reply, message);
    }

    fn resume(&mut self, message: &Map<String, Value>, now: Instant) {
        let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        let ask = (text("channel"), message.get("last_sequence"));
        let resumed = {
            let mut hub = self.peer.shared.hub();
            if let Some(own) = self.stream.tenancy.take() {
                hub.lose(&own, now);
            }
            hub.resume(text("session"), ask, &self.stream.outbox, &self.faults, now)
        };
        let Some(Resumed { tenancy, recovered, missed }) = resumed else {
            let reply = json!({ "type": "error", "error": "too many sessions" });
            return self.reply(reply, message);
        };
        self.peer.log(EventKind::SessionResumed { recovered, missed: missed.len() });
        let session = tenancy.session.clone();
        self.stream.tenancy = Some(tenancy);
        self.reply(json!({ "type": "resumed", "session": session, "recovered": recovered }), message);
        for text in missed {
            self.deliver(&text);
        }
    }

    /// Answers with the id of what is answered.
    pub(super) fn reply(&mut self, mut reply: Value, to: &Map<String, Value>) {
        if let (Some(reply), Some(id)) = (reply.as_object_mut(), to.get("id")) {
            reply.insert("id".to_owned(), id.clone());
        }
        self.deliver(&reply.to_string());
    }
}
