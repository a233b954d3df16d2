//! The Close of a session, either way.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{End, FAULT_CAP, FaultKind, Opcode, Session, State, hold};
use crate::gateway::event::EventKind;
use crate::gateway::offence::{Offence, is_watched};

/// While the gateway drains, clients get this long to answer the Close.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long a Close waits for its answer while a fault concerns what comes after it.
const AFTER_CLOSE: Duration = Duration::from_millis(100);

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    pub(super) fn answer_close(&mut self, code: Option<u16>) {
        self.peer.vitals.leave();
        self.goodbye = self.state == State::Open;
        if self.state != State::Open {
            return self.end();
        }
        if self.faults.has(FaultKind::CloseUnanswered) {
            self.state = State::Stuck;
        } else if let Some(delay) = self.faults.duration(FaultKind::CloseDelay) {
            let at = Instant::now() + delay.min(FAULT_CAP);
            self.state = State::Answering { at, code };
        } else if is_watched(&self.faults, Offence::DataAfterClose) {
            // So that the offence can show, there is time for it.
            self.state = State::Answering { at: Instant::now() + AFTER_CLOSE, code };
        } else {
            if !self.link.input.is_empty() {
                self.note(Offence::DataAfterClose);
            }
            self.send_close(code, "");
            self.end();
        }
    }

    /// Closes because the gateway shuts down.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.link.set_pace(None);
        if self.state == State::Open {
            self.close(1001);
        }
        let until = Instant::now() + DRAIN_TIMEOUT;
        match &mut self.state {
            State::Closing { until: set } | State::Ending { until: set } => *set = until.min(*set),
            State::Answering { at, .. } => *at = Instant::now(),
            State::Open | State::Stuck => {}
        }
    }

    /// Sends the gateway's own Close.
    pub(super) fn close(&mut self, code: u16) {
        self.close_because(code, "");
    }

    /// Sends the gateway's own Close, with a reason in words.
    pub(super) fn close_because(&mut self, code: u16, reason: &str) {
        self.peer.vitals.leave();
        self.send_close(Some(code), reason);
        let until = self.close_deadline();
        self.state = State::Closing { until };
    }

    /// Says no more; what was said is still sent.
    pub(super) fn end(&mut self) {
        let until = self.close_deadline();
        self.state = State::Ending { until };
    }

    pub(super) fn send_close(&mut self, code: Option<u16>, reason: &str) {
        let body = code.map(|code| [&code.to_be_bytes(), reason.as_bytes()].concat()).unwrap_or_default();
        self.queue(Opcode::Close, &body);
        self.link.mark(EventKind::CloseSent { code });
    }

    /// What follows when all was said and sent.
    pub(super) async fn ended(&mut self) -> End {
        if self.zombie && self.faults.has(FaultKind::ZombiesHalfClosed) {
            End::Abandoned
        } else if self.faults.has(FaultKind::CloseKeepsTcp) {
            hold(self.link, self.peer).await
        } else {
            End::Fin
        }
    }

    /// The end of a client that does not read, and can't be told: only a RST gets past its window.
    pub(super) fn cannot_be_told(&self) -> End {
        if self.faults.has(FaultKind::StalledFin) {
            End::Cut
        } else if self.zombie && self.faults.has(FaultKind::ZombiesHalfClosed) {
            End::Abandoned
        } else {
            End::Reset
        }
    }

    /// When a Close must have gone out and be answered; a dripped one takes as long as it takes.
    fn close_deadline(&self) -> Instant {
        let timeout = self.peer.shared.settings.close_timeout;
        self.drip_end.unwrap_or_else(|| Instant::now() + timeout)
    }
}
