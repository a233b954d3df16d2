//! The dialect `json`: objects with a `type`, answered one by one; what is wrong gets an error message,
//! and too many of those end the session.

mod depth;
mod errors;
mod refresh;
mod request;
mod stream;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use self::request::{Request, Wrong};
use super::{Opcode, Session};
use crate::gateway::offence::{Conduct, Offence, conduct};

pub use errors::Errors;
pub use refresh::Refreshes;
pub use stream::Stream;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    pub(super) fn take_json(&mut self, text: &str, now: Instant) {
        self.vigil.data(now);
        match request::read(text) {
            Ok(Request::Echo { id, payload }) => {
                self.echo(Opcode::Text, request::echo(&id, &payload).as_bytes());
            }
            Ok(Request::Ping(ping)) => self.take_application_ping(ping, now),
            Ok(Request::Pong(pong)) => self.take_application_pong(&pong, now),
            Ok(Request::Stream(verb, message)) => self.take_stream(verb, message, now),
            Ok(Request::Refresh(message)) if self.peer.shared.settings.jwt.is_some() => {
                self.take_refresh(message, now);
            }
            Ok(Request::Refresh(message)) => self.take_wrong(Wrong::unknown(&message), text, now),
            Err(wrong) => self.take_wrong(wrong, text, now),
        }
    }

    fn take_wrong(&mut self, wrong: Wrong, text: &str, now: Instant) {
        let offence = wrong.offence;
        self.note(offence);
        match conduct(&self.faults, offence) {
            Conduct::Accept => self.echo(Opcode::Text, text.as_bytes()),
            Conduct::Refuse => {
                self.echo(Opcode::Text, wrong.reply().as_bytes());
                if self.errors.is_flood(now) {
                    self.take_offence(Offence::Flood);
                }
            }
            _ => _ = self.spoil(offence),
        }
    }

    pub(super) fn take_unwanted_binary(&mut self, data: &[u8], now: Instant) {
        self.vigil.data(now);
        if self.take_offence(Offence::UnwantedBinary) {
            self.echo(Opcode::Binary, data);
        }
    }

    /// Closes for an offence that leaves the stream intact, or does what a fault does instead. `true`
    /// when it is taken as good.
    fn take_offence(&mut self, offence: Offence) -> bool {
        self.note(offence);
        let accepted = conduct(&self.faults, offence) == Conduct::Accept;
        if !accepted && !self.spoil(offence) {
            self.close(offence.close_code());
        }
        accepted
    }
}
