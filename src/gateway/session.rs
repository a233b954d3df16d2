//! A session after the 101: echo, heartbeat, Close, and the faults of that stage.
//!
//! The faults of frames and of the Close follow the switch at once, also on sessions that are open
//! already; all others are fixed when the connection is accepted.

use std::future::pending;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::ending::{End, FAULT_CAP, hold};
use super::fault::{Fault, FaultKind};
use super::frame::{self, Opcode};
use super::heartbeat::{Beat, Heartbeat};
use super::link::{Link, Turn};
use super::log::EventKind;
use super::message::{Assembler, Message};
use super::settings::MESSAGE_LIMIT;
use super::shared::Peer;

/// The longest header of a client's frame: 2 bytes, an 8-byte length and the mask.
const HEADER_MAX: usize = 14;
/// While the gateway drains, clients get this long to answer the Close.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Runs a session to its end.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<'_, S>, peer: &Peer) -> End {
    match instead_of_session(link, peer).await {
        Ok(()) => Session::new(link, peer).run().await,
        Err(end) => end,
    }
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
    assembler: Assembler,
    heartbeat: Heartbeat,
    hello_at: Option<Instant>,
    drip_end: Option<Instant>,
    draining: bool,
    state: State,
}

impl<'s, 'l, S: AsyncRead + AsyncWrite + Unpin> Session<'s, 'l, S> {
    fn new(link: &'s mut Link<'l, S>, peer: &'s Peer) -> Self {
        let settings = &peer.shared.settings;
        let now = Instant::now();
        let hello_delay = peer.faults.duration(FaultKind::HelloDelay).unwrap_or_default();
        let hello = settings.hello.is_some() && !peer.has(FaultKind::NoHello);
        Self {
            assembler: Assembler::new(MESSAGE_LIMIT),
            heartbeat: Heartbeat::new(settings.heartbeat_interval, settings.heartbeat_timeout, now),
            hello_at: hello.then(|| now + hello_delay.min(FAULT_CAP)),
            drip_end: None,
            draining: false,
            state: State::Open,
            link,
            peer,
        }
    }

    async fn run(mut self) -> End {
        self.open();
        loop {
            self.take_messages();
            match self.state {
                State::Stuck => return hold(self.link, self.peer).await,
                State::Ending { .. } if !self.link.is_sending() => {
                    if self.now_has(FaultKind::CloseKeepsTcp) {
                        return hold(self.link, self.peer).await;
                    }
                    return End::Fin;
                }
                _ => {}
            }
            let (due, drain) = (self.due(), self.peer.shared.drain.clone());
            let may_read = !matches!(self.state, State::Ending { .. });
            let read_limit = if may_read { self.assembler.room() + HEADER_MAX } else { 0 };
            tokio::select! {
                biased;
                () = async { if self.draining { pending().await } drain.cancelled().await } => self.drain(),
                () = sleep_until(due) => if let Some(end) = self.tick() { return end },
                turn = self.link.turn(read_limit) => match turn {
                    Ok(Turn::Read | Turn::Wrote) => {}
                    Ok(Turn::Eof) => return End::PeerGone { reset: false },
                    Err(error) => return error.into(),
                },
            }
        }
    }

    /// The first frame: a Close by fault, or the hello where it is due at once.
    fn open(&mut self) {
        if let Some(Fault::CloseAfterUpgrade(code)) = self.peer.faults.get(FaultKind::CloseAfterUpgrade) {
            return self.close(*code);
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

    fn take_messages(&mut self) {
        while matches!(self.state, State::Open | State::Closing { .. }) {
            let frame = frame::decode(&mut self.link.input, self.assembler.room());
            let message = match frame {
                Ok(None) => return,
                Ok(Some(frame)) => self.assembler.push(frame),
                Err(violation) => Err(violation),
            };
            match message {
                Ok(Some(message)) => self.take(message),
                Ok(None) => {}
                Err(violation) => {
                    let what = violation.to_string();
                    self.peer.log(EventKind::Violation { what });
                    // Nothing that follows can be trusted: Close, and do not wait for the answer.
                    if self.state == State::Open {
                        self.close(violation.close_code());
                    }
                    self.end();
                }
            }
        }
        self.link.input.clear();
    }

    fn take(&mut self, message: Message) {
        if let Message::Close(code) = message {
            self.peer.log(EventKind::CloseReceived { code });
            return self.answer_close(code);
        }
        if self.state != State::Open {
            return;
        }
        match message {
            Message::Text(text) => match application_pong(&text) {
                Some(pong) => self.queue(Opcode::Text, pong.as_bytes()),
                None => self.queue(Opcode::Text, text.as_bytes()),
            },
            Message::Binary(data) => self.queue(Opcode::Binary, &data),
            Message::Ping(payload) => self.queue(Opcode::Pong, &payload),
            Message::Pong(payload) => {
                if let Some(number) = self.heartbeat.pong(&payload) {
                    self.peer.log(EventKind::PongReceived { number });
                }
            }
            Message::Close(_) => {}
        }
    }

    fn answer_close(&mut self, code: Option<u16>) {
        if self.state != State::Open {
            return self.end();
        }
        let faults = self.peer.shared.faults();
        if faults.has(FaultKind::CloseUnanswered) {
            self.state = State::Stuck;
        } else if let Some(delay) = faults.duration(FaultKind::CloseDelay) {
            let at = Instant::now() + delay.min(FAULT_CAP);
            self.state = State::Answering { at, code };
        } else {
            self.send_close(code);
            self.end();
        }
    }

    fn due(&self) -> Instant {
        let due = match self.state {
            State::Open => {
                self.hello_at.map_or_else(|| self.heartbeat.due(), |hello| hello.min(self.heartbeat.due()))
            }
            State::Closing { until } | State::Ending { until } => until,
            State::Answering { at, .. } => at,
            State::Stuck => Instant::now(),
        };
        self.drip_end.map_or(due, |end| end.min(due))
    }

    fn tick(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.drip_end.is_some_and(|end| now >= end) {
            return Some(End::Reset);
        }
        match self.state {
            State::Open if self.hello_at.is_some_and(|at| now >= at) => self.hello(),
            State::Open => self.beat(now),
            // A client that does not read can't be told; only a RST gets past a closed window.
            State::Closing { .. } | State::Ending { .. } if self.link.is_sending() => {
                return Some(End::Reset);
            }
            State::Closing { .. } => self.end(),
            State::Answering { code, .. } => {
                self.send_close(code);
                self.end();
            }
            State::Ending { .. } | State::Stuck => {}
        }
        None
    }

    fn beat(&mut self, now: Instant) {
        match self.heartbeat.tick(now) {
            Some(Beat::Ping(number)) => {
                self.queue(Opcode::Ping, &Heartbeat::payload(number));
                self.link.mark(EventKind::PingSent { number });
            }
            Some(Beat::Missed(number)) => {
                self.peer.log(EventKind::HeartbeatMissed { number });
                self.close(1011);
                // It is taken for dead, so its answer is not waited for.
                self.end();
            }
            None => {}
        }
    }

    fn drain(&mut self) {
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
    fn close(&mut self, code: u16) {
        self.send_close(Some(code));
        let until = self.close_deadline();
        self.state = State::Closing { until };
    }

    fn end(&mut self) {
        let until = self.close_deadline();
        self.state = State::Ending { until };
    }

    /// When a Close must have gone out and be answered; a dripped one takes as long as it takes.
    fn close_deadline(&self) -> Instant {
        let timeout = self.peer.shared.settings.close_timeout;
        self.drip_end.unwrap_or_else(|| Instant::now() + timeout)
    }

    fn send_close(&mut self, code: Option<u16>) {
        let body = code.map(u16::to_be_bytes);
        self.queue(Opcode::Close, body.as_ref().map_or(&[], |body| &body[..]));
        self.link.mark(EventKind::CloseSent { code });
    }

    fn queue(&mut self, opcode: Opcode, payload: &[u8]) {
        let faults = self.peer.shared.faults();
        let mask = faults.has(FaultKind::MaskedFrame).then_some(MASK);
        let pace = faults.duration(FaultKind::FrameDrip).filter(|_| !self.draining);
        self.link.set_pace(pace);
        self.drip_end = pace.map(|_| {
            let cap = Instant::now() + FAULT_CAP;
            self.drip_end.unwrap_or(cap)
        });
        frame::encode(&mut self.link.output, true, opcode, payload, mask);
    }

    fn now_has(&self, kind: FaultKind) -> bool {
        self.peer.shared.faults().has(kind)
    }
}

/// The answer to `{"type":"ping",...}`: the same object as a pong.
fn application_pong(text: &str) -> Option<String> {
    let mut object: Map<String, Value> = serde_json::from_str(text).ok()?;
    let kind = object.get_mut("type").filter(|kind| *kind == "ping")?;
    *kind = Value::from("pong");
    serde_json::to_string(&object).ok()
}
