//! The closing handshake (RFC 6455, section 7), step by step.

use std::time::Instant;

use super::socket::{Broken, Incoming, Received, Socket};
use super::validate::Violation;
use super::writer::OutFrame;
use crate::model::{End, Failure, Phase};

/// How far a polite close came. It lives with the caller, so that a deadline leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closing {
    /// When our Close was about to be written.
    pub sent: Option<Instant>,
    /// When the gateway's Close came.
    pub answered: Option<Instant>,
    /// The code in it, illegal ones too.
    pub code: Option<u16>,
    /// When and how TCP ended.
    pub ended: Option<(Instant, End)>,
    /// Data and control frames that came before the gateway's Close.
    pub skipped: u64,
    /// The first rule that the gateway broke while closing.
    pub violation: Option<Violation>,
    /// How the connection broke, if it did.
    pub broken: Option<Broken>,
}

impl Closing {
    /// What was wrong, as far as it came: unanswered, TCP not ended, or a violation.
    pub fn failure(&self) -> Option<Failure> {
        match (self.violation, self.answered, self.ended) {
            (Some(_), ..) => Some(Failure::ProtocolViolation),
            (None, Some(_), Some(_)) => None,
            (None, Some(_), None) => Some(Failure::TcpNotEnded),
            (None, None, Some((_, End::Fin))) => Some(Failure::ConnectionCut),
            (None, None, Some((_, End::Rst))) => Some(Failure::ConnectionReset),
            (None, None, None) => Some(Failure::CloseUnanswered),
        }
    }
}

impl Socket {
    /// Closes politely (RFC 6455, section 7.1.2): sends a Close, reads until the gateway's, then until the end of
    /// TCP, which is the gateway's to begin. Enters [`Phase::Close`]. The caller owns the deadline; `closing`
    /// tells how far it came.
    pub async fn close(&mut self, code: u16, reason: &str, closing: &mut Closing) {
        self.evidence.enter(Phase::Close);
        closing.sent = Some(Instant::now());
        // Where the write fails, what is received tells why.
        let _ = self.send(&OutFrame::close(code, reason)).await;
        self.drain(closing).await;
    }

    /// Answers the gateway's Close with its own code and reads until the end of TCP. Enters [`Phase::Close`].
    pub async fn close_back(&mut self, received: &Received, closing: &mut Closing) {
        self.evidence.enter(Phase::Close);
        let Some(frame) = received.what.frame() else { return };
        closing.answered = Some(received.at);
        closing.code = frame.close_code();
        closing.sent = Some(Instant::now());
        let payload = frame.payload.slice(..frame.payload.len().min(2));
        // Where the write fails, what is received tells why.
        let _ = self.send(&OutFrame::raw(8, payload)).await;
        self.drain(closing).await;
    }

    async fn drain(&mut self, closing: &mut Closing) {
        loop {
            let Received { at, what } = self.recv().await;
            if let Incoming::Violation(violation, _) = &what {
                // Frames that were on their way when we closed are legal; those behind the gateway's Close are not.
                closing.violation.get_or_insert(*violation);
            }
            match what {
                Incoming::Frame(frame) | Incoming::Violation(_, frame) => {
                    if frame.opcode == 8 && closing.answered.is_none() {
                        closing.answered = Some(at);
                        closing.code = frame.close_code();
                    } else if closing.answered.is_none() {
                        closing.skipped += 1;
                    }
                }
                Incoming::End(how) => {
                    closing.ended = Some((at, how));
                    return;
                }
                Incoming::Broken(broken) => {
                    closing.broken = Some(broken);
                    return;
                }
                Incoming::TooLarge(_) => return,
            }
        }
    }
}
