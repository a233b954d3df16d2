//! The watch over a client: pings, misses, and its end when it counts as gone.

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::{End, FaultKind, Level, Opcode, Session, State, Turn, application};
use crate::gateway::event::EventKind;
use crate::gateway::heartbeat::later;

/// What a session is closed with that did nothing wrong.
pub(super) const UNFOUNDED: u16 = 1011;
/// So many times is read before a client counts as gone.
const LOOKS: usize = 64;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    /// Sends the pings that are due, and ends a client that counts as gone.
    pub(super) fn watch(&mut self, now: Instant) -> Option<End> {
        // A pong may have come while this task waited for its turn: nobody is taken for dead whose
        // answer is there already.
        if self.vigil.is_overdue(&self.faults, now)
            && let Some(end) = self.read_what_came()
        {
            return Some(end);
        }
        if self.state != State::Open {
            return None;
        }
        while let Some(missed) = self.vigil.miss(now) {
            self.peer.log(missed);
        }
        if let Some(code) = self.vigil.zombie(&self.faults, now) {
            return self.clean(code);
        }
        let stuck = self.link.is_sending();
        if let Some(number) = self.vigil.ping(Level::Protocol, now, stuck) {
            self.queue(Opcode::Ping, &number.to_be_bytes());
            self.link.mark(EventKind::PingSent { number });
        }
        if let Some(number) = self.vigil.ping(Level::Application, now, stuck) {
            self.queue(Opcode::Text, application::ping(number).as_bytes());
            self.link.mark(EventKind::ApplicationPingSent { number });
        }
        None
    }

    /// Takes what the client has sent until now.
    pub(super) fn read_what_came(&mut self) -> Option<End> {
        for _ in 0..LOOKS {
            let limit = self.read_limit();
            // Out of the runtime's budget, a read would say that nothing is there.
            match unconstrained(self.link.turn(limit)).now_or_never() {
                None => break,
                Some(Ok(Turn::Eof)) => return Some(End::PeerGone { reset: false }),
                Some(Err(error)) => return Some(error.into()),
                Some(Ok(Turn::Read | Turn::Wrote)) => self.take_messages(),
            }
            if self.state != State::Open {
                break;
            }
        }
        None
    }

    /// Ends a client that counts as gone.
    fn clean(&mut self, code: u16) -> Option<End> {
        self.zombie = true;
        self.peer.vitals.leave();
        if self.faults.has(FaultKind::HealthyEvicted) {
            self.peer.shared.dismiss_healthy_beside(self.peer.id);
        }
        if self.faults.has(FaultKind::ZombiesReset) {
            return Some(End::Reset);
        }
        if self.faults.has(FaultKind::ZombiesCut) {
            return Some(End::Cut);
        }
        self.close(self.faults.code(FaultKind::ZombiesCode).unwrap_or(code));
        // It is taken for dead, so its answer is not waited for.
        self.end();
        None
    }

    /// Closes a session that did nothing wrong.
    pub(super) fn dismiss(&mut self) {
        if self.state == State::Open {
            self.close(UNFOUNDED);
        }
    }

    /// When the fault that closes every session closes this one.
    pub(super) fn session_end(&self) -> Option<Instant> {
        let after = self.faults.duration(FaultKind::SessionClosedAfter)?;
        let since = self.faults.since(FaultKind::SessionClosedAfter)?;
        Some(later(since.max(self.began), after))
    }

    /// Shows the other sessions how this one does.
    pub(super) fn note_vitals(&self) {
        let (vitals, shared) = (&self.peer.vitals, &self.peer.shared);
        let since = |level| self.vigil.waiting_since(level).map_or(0, |sent| shared.clock_of(sent));
        let data = self.vigil.quiet_since().map_or(0, |data| shared.clock_of(data));
        vitals.note(since(Level::Protocol), since(Level::Application), data);
    }
}
