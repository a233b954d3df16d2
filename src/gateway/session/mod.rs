//! A session after the 101: echo, heartbeats, Close, and the faults of that stage.
//!
//! The faults of frames, the Close, heartbeats, pongs, zombies, streams, tokens in a session and malformed
//! input follow the switch at once, also on sessions that are open already; all others are fixed when the
//! connection is accepted.

mod application;
mod closing;
mod expiry;
mod heard;
mod json;
mod offended;
mod pongs;
mod vigil;
mod zombie;

use std::future::pending;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::expiry::Login;
use self::json::{Errors, Refreshes, Stream};
use self::offended::Pardons;
use self::pongs::{PongFaults, Pongs};
use self::vigil::Vigil;
use super::ending::{End, FAULT_CAP, hold};
use super::event::{EventKind, Level};
use super::fault::{FaultKind, FaultSet};
use super::frame::{self, Opcode, PARDONED_LIMIT};
use super::link::{Link, Turn};
use super::message::Assembler;
use super::offence::{Conduct, Offence, conduct};
use super::peer::Peer;
use super::upgrade::Upgraded;

/// The longest header of a client's frame: 2 bytes, an 8-byte length and the mask.
const HEADER_MAX: usize = 14;
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Runs a session to its end.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
    upgraded: Upgraded,
) -> End {
    let end = match instead_of_session(link, peer).await {
        Ok(()) => Session::new(link, peer, upgraded).run().await,
        Err(end) => end,
    };
    peer.vitals.leave();
    end
}

async fn instead_of_session<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<'_, S>,
    peer: &Peer,
) -> Result<(), End> {
    let end = if peer.has(FaultKind::ResetAfterUpgrade) {
        End::Reset
    } else if peer.has(FaultKind::CutAfterUpgrade) {
        End::Cut
    } else if peer.has(FaultKind::SilentAfterUpgrade) {
        return Err(hold(link, peer).await);
    } else {
        return Ok(());
    };
    link.send().await?;
    Err(end)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The gateway sent its Close first.
    Closing {
        until: Instant,
    },
    /// The client's Close is to be answered later.
    Answering {
        at: Instant,
        code: Option<u16>,
    },
    /// All is said; what is left is to send it.
    Ending {
        until: Instant,
    },
    /// Closed in both directions, and yet connected; or deaf to the client's Close.
    Stuck,
}

struct Session<'s, 'l, S> {
    link: &'s mut Link<'l, S>,
    peer: &'s Peer,
    switches: watch::Receiver<Arc<FaultSet>>,
    faults: Arc<FaultSet>,
    assembler: Assembler,
    deflate: bool,
    pardons: Pardons,
    errors: Errors,
    stream: Stream,
    login: Option<Login>,
    refreshes: Refreshes,
    vigil: Vigil,
    pongs: Pongs,
    application_pongs: Pongs,
    began: Instant,
    hello_at: Option<Instant>,
    drip_end: Option<Instant>,
    draining: bool,
    /// It is closed as a zombie.
    zombie: bool,
    /// The client closes, and so gives up its session.
    goodbye: bool,
    state: State,
}

impl<'s, 'l, S: AsyncRead + AsyncWrite + Unpin> Session<'s, 'l, S> {
    fn new(link: &'s mut Link<'l, S>, peer: &'s Peer, upgraded: Upgraded) -> Self {
        let settings = &peer.shared.settings;
        let now = Instant::now();
        let hello_delay = peer.faults.duration(FaultKind::HelloDelay).unwrap_or_default();
        let hello = settings.hello.is_some() && !peer.has(FaultKind::NoHello);
        let mut switches = peer.shared.follow_faults();
        let faults = switches.borrow_and_update().clone();
        let mut session = Self {
            switches,
            faults,
            assembler: Assembler::new(settings.message_limit),
            deflate: upgraded.deflate,
            pardons: Pardons::default(),
            errors: Errors::default(),
            stream: Stream::default(),
            login: None,
            refreshes: Refreshes::default(),
            vigil: Vigil::new(settings, now),
            pongs: Pongs::default(),
            application_pongs: Pongs::default(),
            began: now,
            hello_at: hello.then(|| now + hello_delay.min(FAULT_CAP)),
            drip_end: None,
            draining: false,
            zombie: false,
            goodbye: false,
            state: State::Open,
            link,
            peer,
        };
        upgraded.credential.into_iter().for_each(|credential| session.log_in(credential));
        session
    }

    async fn run(mut self) -> End {
        let end = self.drive().await;
        self.leave_stream(self.goodbye);
        end
    }

    async fn drive(&mut self) -> End {
        self.open();
        loop {
            self.follow_switches();
            self.take_messages();
            self.note_vitals();
            if self.state == State::Stuck {
                return hold(self.link, self.peer).await;
            }
            if matches!(self.state, State::Ending { .. }) && !self.link.is_sending() {
                return self.ended().await;
            }
            let (due, drain) = (self.due(), self.peer.shared.drain.clone());
            let read_limit = self.read_limit();
            tokio::select! {
                biased;
                () = async { if self.draining { pending().await } drain.cancelled().await } => self.drain(),
                () = self.peer.dismissed() => self.dismiss(),
                // The sender lives as long as the gateway.
                _ = self.switches.changed() => {}
                // It holds the sender of its own inbox, so that this never ends.
                text = self.stream.inbox.recv(), if self.is_delivering() => {
                    text.iter().for_each(|text| self.pass_on(text));
                }
                () = sleep_until(due) => if let Some(end) = self.tick() { return end },
                turn = self.link.turn(read_limit) => match turn {
                    Ok(Turn::Read | Turn::Wrote) => {}
                    Ok(Turn::Eof) => return End::PeerGone { reset: false },
                    Err(error) => return error.into(),
                },
            }
        }
    }

    /// The faults as they are now: looked at before each message and each timer, so that a client
    /// never meets a fault after its switch was confirmed off, or the other way round.
    fn follow_switches(&mut self) {
        self.faults = self.switches.borrow_and_update().clone();
        self.vigil.follow(&self.faults, Instant::now());
    }

    fn read_limit(&self) -> usize {
        match self.state {
            State::Ending { .. } => 0,
            // A frame that is pardoned must come whole, too.
            _ if conduct(&self.faults, Offence::TooBig) == Conduct::Accept => {
                self.assembler.room().max(PARDONED_LIMIT) + HEADER_MAX
            }
            _ => self.assembler.room() + HEADER_MAX,
        }
    }

    /// The first frame: a Close by fault, or the hello where it is due at once.
    fn open(&mut self) {
        if let Some(code) = self.peer.faults.code(FaultKind::CloseAfterUpgrade) {
            return self.close(code);
        }
        if self.hello_at.is_some_and(|at| at <= Instant::now()) {
            self.hello();
        } else if self.peer.has(FaultKind::BytesAfterUpgrade) {
            self.queue(Opcode::Ping, b"early");
            self.link.mark(EventKind::FirstMessageSent);
        }
    }

    fn hello(&mut self) {
        self.hello_at = None;
        let peer = self.peer;
        let text = peer.shared.settings.hello.as_deref().unwrap_or_default();
        let opcode = match peer.has(FaultKind::WrongHello) {
            true => Opcode::Binary,
            false => Opcode::Text,
        };
        self.queue(opcode, text.as_bytes());
        self.link.mark(EventKind::FirstMessageSent);
    }

    fn due(&self) -> Instant {
        let due = match self.state {
            State::Open => self.open_due(),
            State::Closing { until } | State::Ending { until } => until,
            State::Answering { at, .. } => at,
            State::Stuck => Instant::now(),
        };
        self.drip_end.map_or(due, |end| end.min(due))
    }

    fn open_due(&self) -> Instant {
        let pongs = self.pongs.due(self.pong_delay(Level::Protocol));
        let application_pongs = self.application_pongs.due(self.pong_delay(Level::Application));
        let dues =
            [self.hello_at, self.vigil.due(&self.faults), self.session_end(), pongs, application_pongs];
        let dues = dues.into_iter().chain([
            self.stream.due(),
            self.refreshes.due(&self.faults, Instant::now()),
            self.expiry_due(),
        ]);
        let idle = || Instant::now() + FAULT_CAP;
        dues.flatten().min().unwrap_or_else(idle)
    }

    fn tick(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.drip_end.is_some_and(|end| now >= end) {
            return Some(End::Reset);
        }
        match self.state {
            State::Open => return self.tick_open(now),
            State::Closing { .. } | State::Ending { .. } if self.link.is_sending() => {
                return Some(self.cannot_be_told());
            }
            State::Closing { .. } => self.end(),
            State::Answering { code, .. } => {
                self.send_close(code, "");
                self.end();
            }
            State::Ending { .. } | State::Stuck => {}
        }
        None
    }

    fn tick_open(&mut self, now: Instant) -> Option<End> {
        if self.hello_at.is_some_and(|at| now >= at) {
            self.hello();
        }
        self.send_pongs(now);
        self.tick_stream(now);
        self.tick_refreshes(now);
        let expired = self.expire();
        if expired.is_some() || self.state != State::Open {
            return expired;
        }
        if self.session_end().is_some_and(|end| now >= end) {
            self.dismiss();
            return None;
        }
        self.watch(now)
    }

    fn queue(&mut self, opcode: Opcode, payload: &[u8]) {
        let mask = self.faults.has(FaultKind::MaskedFrame).then_some(MASK);
        let pace = self.faults.duration(FaultKind::FrameDrip).filter(|_| !self.draining);
        self.link.set_pace(pace);
        self.drip_end = pace.map(|_| {
            let cap = Instant::now() + FAULT_CAP;
            self.drip_end.unwrap_or(cap)
        });
        frame::encode(&mut self.link.output, true, opcode, payload, mask);
    }
}
