//! Streams in the dialect `json`: subscribe, publish, and sessions that are taken up again.

use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{FAULT_CAP, FaultKind, Opcode, Session};
use crate::gateway::event::EventKind;
use crate::gateway::hub::{Inbox, Outbox, Resumed, Tenancy, outbox};

/// A connection's part in the streams.
pub(super) struct Stream {
    outbox: Outbox,
    /// What is to be sent, as others publish it.
    pub(super) inbox: Inbox,
    tenancy: Option<Tenancy>,
    /// A session that is to be taken up again, later.
    resuming: Option<(Instant, Map<String, Value>)>,
}

impl Default for Stream {
    fn default() -> Self {
        let (outbox, inbox) = outbox();
        Self { outbox, inbox, tenancy: None, resuming: None }
    }
}

impl Stream {
    /// When something is to be done without a word from the client.
    pub(super) fn due(&self) -> Option<Instant> {
        self.resuming.as_ref().map(|(at, _)| *at)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    /// Takes what concerns streams; false for any other type of message.
    pub(super) fn take_stream(&mut self, kind: &str, message: &Map<String, Value>) -> bool {
        let channel = message.get("channel").and_then(Value::as_str);
        match (kind, channel) {
            ("subscribe", Some(channel)) => self.subscribe(message, channel),
            ("unsubscribe", Some(channel)) => {
                if let Some(tenancy) = &self.stream.tenancy {
                    self.peer.shared.hub().unsubscribe(tenancy, channel);
                }
                self.reply(json!({ "type": "unsubscribed" }), message);
            }
            ("publish", Some(channel)) => {
                self.peer.shared.hub().publish(channel, message, &self.faults);
                self.reply(json!({ "type": "published" }), message);
            }
            ("resume", Some(_)) => match self.faults.duration(FaultKind::ResumeDelay) {
                Some(delay) => {
                    self.stream.resuming = Some((Instant::now() + delay.min(FAULT_CAP), message.clone()));
                }
                None => self.resume(message),
            },
            ("subscribe" | "unsubscribe" | "publish" | "resume", None) => {
                self.reply(json!({ "type": "error", "error": "channel is missing" }), message);
            }
            _ => return false,
        }
        true
    }

    /// Does what was put off until now.
    pub(super) fn tick_stream(&mut self, now: Instant) {
        if let Some((_, message)) = self.stream.resuming.take_if(|(at, _)| *at <= now) {
            self.resume(&message);
        }
    }

    /// Sends what somebody has published.
    pub(super) fn deliver(&mut self, text: &str) {
        self.queue(Opcode::Text, text.as_bytes());
    }

    /// The connection is over: the session waits for another one, unless the client has said goodbye.
    pub(super) fn leave_stream(&mut self, said_goodbye: bool) {
        let Some(tenancy) = self.stream.tenancy.take() else { return };
        let mut hub = self.peer.shared.hub();
        match said_goodbye {
            true => hub.end(&tenancy),
            false => hub.lose(&tenancy, Instant::now()),
        }
    }

    fn subscribe(&mut self, message: &Map<String, Value>, channel: &str) {
        let stream = &mut self.stream;
        let mut hub = self.peer.shared.hub();
        if stream.tenancy.is_none() {
            stream.tenancy = hub.enter(&stream.outbox, Instant::now());
        }
        let session = stream.tenancy.as_ref().filter(|tenancy| hub.subscribe(tenancy, channel));
        let session = session.map(|tenancy| tenancy.session.clone());
        drop(hub);
        let reply = match session {
            Some(session) => json!({ "type": "subscribed", "session": session }),
            None => json!({ "type": "error", "error": "too many sessions or channels" }),
        };
        self.reply(reply, message);
    }

    fn resume(&mut self, message: &Map<String, Value>) {
        let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        let ask = (text("channel"), message.get("last_sequence"));
        let resumed = {
            let mut hub = self.peer.shared.hub();
            if let Some(own) = self.stream.tenancy.take() {
                hub.lose(&own, Instant::now());
            }
            hub.resume(text("session"), ask, &self.stream.outbox, &self.faults, Instant::now())
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
    fn reply(&mut self, mut reply: Value, to: &Map<String, Value>) {
        if let (Some(reply), Some(id)) = (reply.as_object_mut(), to.get("id")) {
            reply.insert("id".to_owned(), id.clone());
        }
        self.deliver(&reply.to_string());
    }
}
