//! What a client says, and what it is answered: echoes and pongs.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::application::{self, Beat};
use super::pongs::Pong;
use super::{FaultKind, Level, Opcode, PongFaults, Session, State};
use crate::gateway::event::{EventKind, Payload};
use crate::gateway::frame::{self, Frame, Rules};
use crate::gateway::message::Message;
use crate::gateway::offence::Offence;
use crate::gateway::traffic::Quantity;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    /// Takes all whole messages that have been read.
    pub(super) fn take_messages(&mut self) {
        // First of all: a pong can only answer what was sent.
        for (level, number, at) in self.link.pings_sent.drain(..) {
            self.vigil.sent(level, number, at);
        }
        while matches!(self.state, State::Open | State::Closing { .. } | State::Answering { .. }) {
            match self.next_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => self.take_frame(frame),
                Err(_) if matches!(self.state, State::Answering { .. }) => {
                    // Whatever it is, it is not wanted any more, and no frame can be found behind it.
                    self.peer.count(Quantity::FramesReceived, 1);
                    self.take_after_close();
                    break;
                }
                Err(offence) => {
                    self.peer.count(Quantity::FramesReceived, 1);
                    self.refuse(offence);
                }
            }
        }
        self.link.input.clear();
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Offence> {
        let rules = Rules { limit: self.assembler.room(), deflate: self.deflate };
        let frame = frame::decode(&mut self.link.input, rules, &mut self.pardons.asker(&self.faults));
        self.note_pardoned();
        frame
    }

    fn take_frame(&mut self, frame: Frame) {
        self.peer.count(Quantity::FramesReceived, 1);
        if matches!(self.state, State::Answering { .. }) && !self.take_after_close() {
            return self.pardons.end_frame();
        }
        let message = self.assembler.push(frame, &mut self.pardons.asker(&self.faults));
        self.note_pardoned();
        self.pardons.end_frame();
        match message {
            Ok(Some(message)) => self.take(message),
            Ok(None) => {}
            Err(offence) => self.refuse(offence),
        }
    }

    fn take(&mut self, message: Message) {
        if matches!(message, Message::Text(_) | Message::BadText(_) | Message::Binary(_)) {
            self.peer.count(Quantity::MessagesReceived, 1);
        }
        if let Message::Close(code) = message {
            self.log_heard(EventKind::CloseReceived { code });
            return self.answer_close(code);
        }
        if !matches!(self.state, State::Open | State::Answering { .. }) {
            return;
        }
        let now = Instant::now();
        match message {
            Message::Text(text) if self.pardons.end_message() => {
                self.take_raw(Opcode::Text, text.as_bytes(), now)
            }
            Message::Text(text) if self.peer.shared.settings.json => self.take_json(&text, now),
            Message::Text(text) => self.take_text(&text, now),
            Message::BadText(data) => {
                self.pardons.end_message();
                self.take_raw(Opcode::Text, &data, now);
            }
            Message::Binary(data) if self.pardons.end_message() => self.take_raw(Opcode::Binary, &data, now),
            Message::Binary(data) if self.peer.shared.settings.json => self.take_unwanted_binary(&data, now),
            Message::Binary(data) => self.take_raw(Opcode::Binary, &data, now),
            Message::Ping(payload) => self.take_ping(payload, now),
            Message::Pong(payload) => {
                let number = <[u8; 8]>::try_from(payload.as_slice()).map(u64::from_be_bytes);
                if let Ok(number) = number
                    && self.vigil.pong(Level::Protocol, number, now)
                {
                    self.log_heard(EventKind::PongReceived { number });
                }
            }
            Message::Close(_) => {}
        }
    }

    fn take_text(&mut self, text: &str, now: Instant) {
        self.vigil.data(now);
        match (application::read(text), self.vigil.last(Level::Application)) {
            (Some(Beat::Ping(ping)), _) => self.take_application_ping(ping, now),
            // A client's pong is never echoed where pings are sent, whatever it answers.
            (Some(Beat::Pong(pong)), Some(_)) => self.take_application_pong(&pong, now),
            _ => self.echo(Opcode::Text, text.as_bytes()),
        }
    }

    pub(super) fn take_application_pong(&mut self, pong: &Map<String, Value>, now: Instant) {
        if let Some(last) = self.vigil.last(Level::Application)
            && let Some(number) = application::answered(pong, last)
            && self.vigil.pong(Level::Application, number, now)
        {
            self.log_heard(EventKind::ApplicationPongReceived { number });
        }
    }

    /// Echoes a message, whatever it says.
    pub(super) fn take_raw(&mut self, opcode: Opcode, data: &[u8], now: Instant) {
        self.vigil.data(now);
        self.echo(opcode, data);
    }

    pub(super) fn echo(&mut self, opcode: Opcode, data: &[u8]) {
        if !self.is_mute() {
            self.queue(opcode, data);
        }
    }

    /// Whether a fault keeps this session from answering.
    fn is_mute(&self) -> bool {
        self.peer.turn.unstable && self.faults.has(FaultKind::UnstableAfter)
    }

    fn take_ping(&mut self, mut payload: Vec<u8>, now: Instant) {
        self.log_heard(EventKind::PingReceived { payload: Payload::new(&payload) });
        if self.is_mute() {
            return;
        }
        // One that is too long may be pardoned; the gateway's own frames are in order.
        payload.truncate(125);
        let faults = PongFaults::of(Level::Protocol, &self.faults);
        if faults.wrong && payload.is_empty() {
            payload = b"wrong".to_vec();
        } else if faults.wrong {
            payload.iter_mut().for_each(|byte| *byte = !*byte);
        }
        let event = EventKind::PongSent { payload: Payload::new(&payload) };
        for _ in 0..self.pongs.answers(&faults) {
            self.pongs.push(
                self.pongs.waits_from(&faults, now),
                Pong { payload: payload.clone(), event: event.clone() },
            );
        }
        self.send_pongs(now);
    }

    pub(super) fn take_application_ping(&mut self, ping: Map<String, Value>, now: Instant) {
        self.log_heard(EventKind::ApplicationPingReceived { id: application::id(&ping) });
        if self.is_mute() {
            return;
        }
        let faults = PongFaults::of(Level::Application, &self.faults);
        let pong = application::pong(ping, faults.wrong);
        let event = EventKind::ApplicationPongSent { id: application::id(&pong) };
        let payload = Value::from(pong).to_string().into_bytes();
        for _ in 0..self.application_pongs.answers(&faults) {
            let (payload, event) = (payload.clone(), event.clone());
            self.application_pongs.push(now, Pong { payload, event });
        }
        self.send_pongs(now);
    }

    /// Sends the pongs that are due.
    pub(super) fn send_pongs(&mut self, now: Instant) {
        let delay = self.pong_delay(Level::Protocol);
        while let Some(pong) = self.pongs.pop(delay, now) {
            self.queue(Opcode::Pong, &pong.payload);
            self.link.mark(pong.event);
        }
        let delay = self.pong_delay(Level::Application);
        while let Some(pong) = self.application_pongs.pop(delay, now) {
            self.queue(Opcode::Text, &pong.payload);
            self.link.mark(pong.event);
        }
    }

    /// How much later than at once the pongs of a level are sent.
    pub(super) fn pong_delay(&self, level: Level) -> Duration {
        let waiting = match level {
            Level::Protocol => &self.pongs,
            Level::Application => &self.application_pongs,
        };
        let mut delay = PongFaults::of(level, &self.faults).delay;
        if waiting.is_empty() {
            // Looking at all the others costs something: only where it matters.
            return delay;
        }
        let (shared, own) = (&self.peer.shared, self.peer.id);
        if let Some(more) = self.faults.duration(FaultKind::SlowBesideZombies)
            && shared.has_suspect_beside(own)
        {
            delay += more.min(super::FAULT_CAP);
        }
        if self.faults.has(FaultKind::MalformedHurts) {
            delay += shared.slowed_by_offence(own);
        }
        delay
    }

    pub(super) fn log_heard(&self, event: EventKind) {
        self.peer.log_at(Some(self.link.read_at), event);
    }
}
