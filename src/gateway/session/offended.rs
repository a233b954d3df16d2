//! What a session does about what a client did wrong.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{FaultSet, Session, State};
use crate::gateway::offence::{Conduct, Offence, conduct};

/// What a fault closes with instead of naming what was wrong.
const NORMAL: u16 = 1000;
/// What a fault closes with that makes an offence the gateway's own error.
const INTERNAL: u16 = 1011;

/// The offences that were pardoned in what is being read.
#[derive(Debug, Default)]
pub struct Pardons {
    in_frame: Vec<Offence>,
    noted: usize,
    in_message: bool,
}

impl Pardons {
    /// Says for each offence whether `faults` take it as good, and remembers those.
    pub fn asker(&mut self, faults: &FaultSet) -> impl FnMut(Offence) -> bool {
        |offence| {
            let pardoned = conduct(faults, offence) == Conduct::Accept;
            // A frame is looked at again each time that more of it has come.
            if pardoned && !self.in_frame.contains(&offence) {
                self.in_frame.push(offence);
            }
            pardoned
        }
    }

    /// Ends a frame.
    pub fn end_frame(&mut self) {
        self.in_message |= !self.in_frame.is_empty();
        self.in_frame.clear();
        self.noted = 0;
    }

    /// Ends a message, and says whether anything in it was pardoned.
    pub fn end_message(&mut self) -> bool {
        std::mem::take(&mut self.in_message)
    }

    fn new_ones(&mut self) -> Vec<Offence> {
        let new = self.in_frame[self.noted..].to_vec();
        self.noted = self.in_frame.len();
        new
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, '_, S> {
    /// Deals with an offence after which nothing that follows can be trusted: Close, without waiting
    /// for the answer, or what a fault does instead.
    pub(super) fn refuse(&mut self, offence: Offence) {
        self.note(offence);
        if !self.spoil(offence) {
            self.close_for(offence.close_code());
        }
    }

    /// Does what a fault does about an offence instead of refusing it; `false` when there is none, or
    /// when it takes the offence as good.
    pub(super) fn spoil(&mut self, offence: Offence) -> bool {
        match conduct(&self.faults, offence) {
            Conduct::Crash => {
                // Whoever serves the connection resets it.
                self.state = State::Stuck;
                self.peer.shared.crash();
            }
            Conduct::Hang => self.state = State::Stuck,
            Conduct::Error => self.close_for(INTERNAL),
            Conduct::WrongCode => self.close_for(NORMAL),
            Conduct::Refuse | Conduct::Accept => return false,
        }
        true
    }

    /// Something came after the client's Close. `true` when it is to be taken like any other frame.
    pub(super) fn take_after_close(&mut self) -> bool {
        let offence = Offence::DataAfterClose;
        self.note(offence);
        !self.spoil(offence) && conduct(&self.faults, offence) == Conduct::Accept
    }

    /// Notes what was pardoned since the last time.
    pub(super) fn note_pardoned(&mut self) {
        for offence in self.pardons.new_ones() {
            self.note(offence);
        }
    }

    pub(super) fn note(&self, offence: Offence) {
        self.peer.offend(Some(self.link.read_at), offence, &self.faults);
    }

    pub(super) fn close_for(&mut self, code: u16) {
        if matches!(self.state, State::Open | State::Answering { .. }) {
            self.close(code);
        }
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn a_pardon_is_noted_once_a_frame_and_remembered_to_the_end_of_the_message() {
        let mut faults = FaultSet::default();
        faults.insert("malformed_accepted=framing".parse().unwrap(), Instant::now());
        let mut pardons = Pardons::default();
        for _ in 0..2 {
            assert!(pardons.asker(&faults)(Offence::Unmasked));
            assert!(!pardons.asker(&faults)(Offence::TooBig));
        }
        assert_eq!(pardons.new_ones(), [Offence::Unmasked]);
        assert!(pardons.new_ones().is_empty());
        pardons.end_frame();
        assert!(pardons.asker(&faults)(Offence::Unmasked));
        assert_eq!(pardons.new_ones(), [Offence::Unmasked]);
        pardons.end_frame();
        assert!(pardons.end_message() && !pardons.end_message());
    }
}
