//! An open WebSocket: what a check hears on it, already held against RFC 6455.

use std::sync::Arc;
use std::time::{Instant as StdInstant, SystemTime};

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::budget::{Budget, Counted, Permit};
use super::target::Target;
use crate::auth::{Place, Token};
use crate::dialect::{Message, Variables};
use crate::model::{End, Evidence, Failure, FrameKind, Outcome, Phase, Verdict};
use crate::wire::{Broken, Dialed, Frame, Incoming, Inflater, OutFrame, SendError, Violation};

/// Close code 1013: come back later, there is no capacity (IANA registry of close codes).
const TRY_AGAIN_LATER: u16 = 1013;

/// The largest message that is put together from fragments, in bytes: the socket's own bound is per frame.
const MAX_MESSAGE: usize = 1 << 20;

/// How many frames are taken in one turn of the task.
const YIELD_EVERY: u8 = 32;

/// Frames that are taken after time was up, at most.
const MAX_OVERTIME: u16 = 256;

/// An open WebSocket, with its place in the budget.
#[derive(Debug)]
pub struct Opened {
    /// The connection; boxed, since futures keep what they hold several times over.
    pub dialed: Box<Dialed>,
    /// What is written down of this connection.
    pub evidence: Evidence,
    /// When the response's header was complete.
    pub upgraded_at: StdInstant,
    /// What the dialect's templates may hold: the token, what was asked for, and what the request before the
    /// upgrade told.
    pub variables: Variables,
    token: Option<Token>,
    /// What is there of a message that comes in fragments.
    fragments: Option<Fragments>,
    /// What takes compressed messages apart.
    inflater: Inflater,
    /// Frames that were taken although time was up.
    overtime: u16,
    /// What is illegal about a frame that never became whole was told: whoever listens on must hear that time is up.
    begun_told: bool,
    turns: u8,
    _counted: Counted,
    budget: Arc<Budget>,
    _permit: Permit,
}

/// The beginning of a message.
#[derive(Debug)]
struct Fragments {
    kind: FrameKind,
    /// By permessage-deflate, which nobody else may set a reserved bit for.
    compressed: bool,
    payload: BytesMut,
}

/// What came next.
#[derive(Debug)]
pub enum Heard {
    /// A whole data message, its fragments put together.
    Message {
        /// What was said.
        message: Message,
        /// When its last byte had been read.
        at: StdInstant,
    },
    /// A ping.
    Ping {
        /// Its payload.
        payload: Bytes,
        /// When it had been read.
        at: StdInstant,
    },
    /// A pong.
    Pong {
        /// Its payload.
        payload: Bytes,
        /// When it had been read.
        at: StdInstant,
    },
    /// A Close frame.
    Close {
        /// Its code, illegal ones too.
        code: Option<u16>,
        /// When it had been read.
        at: StdInstant,
    },
    /// The end of the TCP connection.
    Ended {
        /// How.
        how: End,
        /// When it was seen.
        at: StdInstant,
    },
    /// A frame that breaks RFC 6455.
    Illegal(Violation),
    /// The connection broke, other than by FIN or RST.
    Broken(Broken),
    /// A frame larger than we read.
    TooLarge {
        /// Its announced payload, in bytes.
        bytes: u64,
    },
    /// Time is up.
    Nothing {
        /// A frame had begun.
        mid_frame: bool,
    },
}

impl Heard {
    /// Whether an endpoint may put a close code into a frame (RFC 6455, section 7.4).
    pub fn may_be_sent(code: u16) -> bool {
        may_be_sent(code)
    }

    /// The verdict where nothing of the kind should have come; `when` completes the sentence.
    pub fn unexpected(self, when: &str) -> Verdict {
        let (failure, what) = match self {
            Self::Close { code: Some(TRY_AGAIN_LATER), .. } => {
                (Failure::Unavailable, "closed with code 1013".into())
            }
            Self::Close { code: Some(code), .. } if !may_be_sent(code) => {
                (Failure::ProtocolViolation, format!("closed with code {code}, which must not be sent,"))
            }
            Self::Close { code: Some(code), .. } => {
                (Failure::ClosedEarly, format!("closed with code {code}"))
            }
            Self::Close { code: None, .. } => (Failure::ClosedEarly, "closed without a code".into()),
            Self::Ended { how: End::Fin, .. } => (Failure::ConnectionCut, "ended TCP without a Close".into()),
            Self::Ended { how: End::Rst, .. } => {
                (Failure::ConnectionReset, "reset TCP without a Close".into())
            }
            Self::Illegal(violation) => (Failure::ProtocolViolation, format!("broke RFC 6455 ({violation})")),
            Self::Broken(Broken::Lost(kind)) => (Failure::SessionTimeout, format!("was lost ({kind})")),
            Self::Broken(Broken::Deflate) => {
                (Failure::ProtocolViolation, "sent what does not inflate (RFC 7692)".into())
            }
            Self::Broken(broken) => (Failure::ProtocolViolation, format!("broke TLS ({broken})")),
            Self::TooLarge { bytes } => {
                (Failure::MessageTooLarge, format!("announced a frame of {bytes} bytes"))
            }
            Self::Nothing { .. } => (Failure::SessionTimeout, "said nothing".into()),
            Self::Message { .. } => (Failure::ProtocolViolation, "sent a message".into()),
            Self::Ping { .. } | Self::Pong { .. } => {
                (Failure::ProtocolViolation, "sent a control frame".into())
            }
        };
        Verdict::new(Outcome::Fail(failure), format!("the gateway {what} {when}"))
    }
}

impl Opened {
    pub(super) fn new(
        dialed: Dialed,
        evidence: Evidence,
        token: Option<Token>,
        variables: Variables,
        budget: Arc<Budget>,
        permit: Permit,
    ) -> Self {
        Self {
            dialed: Box::new(dialed),
            evidence,
            upgraded_at: StdInstant::now(),
            variables,
            token,
            fragments: None,
            inflater: Inflater::default(),
            overtime: 0,
            begun_told: false,
            turns: 0,
            _counted: budget.count_session(),
            budget,
            _permit: permit,
        }
    }

    /// Shows the token in the first message, where that is its place.
    ///
    /// # Errors
    /// When the gateway has ended the connection before.
    pub async fn authenticate(&mut self, target: &Target) -> Result<(), Verdict> {
        let place = target.credential.as_ref().map(|credential| &credential.place);
        let (Some(Place::FirstMessage { template }), Some(token)) = (place, &self.token) else {
            return Ok(());
        };
        let text = fill(template, token.expose());
        self.afford(text.len()).await;
        self.evidence.enter(Phase::Session);
        let sent = self.dialed.socket.send(&OutFrame::text(text)).await;
        let heard = |error| match error {
            SendError::Ended(how) => Heard::Ended { how, at: StdInstant::now() },
            SendError::Broken(broken) => Heard::Broken(broken),
        };
        sent.map(|_| ()).map_err(|error| heard(error).unexpected("before our first message"))
    }

    /// Whether the credential that let us in may have ended by now: it says so, or it does not say when.
    pub fn credential_may_have_ended(&self) -> bool {
        let ended = |token: &Token| token.expires_at().is_none_or(|at| at <= SystemTime::now());
        self.token.as_ref().is_some_and(ended)
    }

    /// What comes next, or nothing by `until`.
    ///
    /// What lies there already when time is up is still taken, since the lateness may be ours; but not for
    /// ever, or a gateway that floods us would never be late.
    pub async fn hear(&mut self, until: Instant) -> Heard {
        loop {
            // Frames that came in one read are taken without waiting: a flood of them must not keep the
            // run's other parts, its deadline and its watch on lateness, from their turn.
            self.turns = self.turns.wrapping_add(1);
            if self.turns.is_multiple_of(YIELD_EVERY) {
                tokio::task::yield_now().await;
            }
            let received = timeout_at(until, self.dialed.socket.recv()).await;
            self.overtime = if Instant::now() > until { self.overtime.saturating_add(1) } else { 0 };
            let (Ok(received), ..=MAX_OVERTIME) = (received, self.overtime) else {
                if !self.begun_told
                    && let Some(violation) = self.dialed.socket.begun_illegally()
                {
                    self.begun_told = true;
                    return Heard::Illegal(violation);
                }
                let mid_frame = self.dialed.socket.mid_frame() || self.fragments.is_some();
                return Heard::Nothing { mid_frame };
            };
            match received.what {
                Incoming::Frame(frame) => {
                    if let Some(heard) = self.understand(&frame, received.at) {
                        return heard;
                    }
                }
                // An illegal close code is a Close all the same, and more telling as one.
                Incoming::Violation(Violation::CloseCode(code), _) => {
                    return Heard::Close { code: Some(code), at: received.at };
                }
                Incoming::Violation(violation, _) => return Heard::Illegal(violation),
                Incoming::TooLarge(oversized) => return Heard::TooLarge { bytes: oversized.length },
                Incoming::End(how) => return Heard::Ended { how, at: received.at },
                Incoming::Broken(broken) => return Heard::Broken(broken),
            }
        }
    }

    /// A legal frame; nothing yet where it is a fragment and not the last one.
    fn understand(&mut self, frame: &Frame, at: StdInstant) -> Option<Heard> {
        match frame.kind() {
            FrameKind::Close => return Some(Heard::Close { code: frame.close_code(), at }),
            FrameKind::Ping => return Some(Heard::Ping { payload: frame.payload.clone(), at }),
            FrameKind::Pong => return Some(Heard::Pong { payload: frame.payload.clone(), at }),
            _ => {}
        }
        let mut whole = self.fragments.take().unwrap_or_else(|| Fragments {
            kind: frame.kind(),
            compressed: frame.rsv != 0,
            payload: BytesMut::new(),
        });
        whole.payload.extend_from_slice(&frame.payload);
        if whole.payload.len() > MAX_MESSAGE {
            return Some(Heard::TooLarge { bytes: whole.payload.len() as u64 });
        }
        if !frame.fin {
            self.fragments = Some(whole);
            return None;
        }
        let payload = match whole.compressed {
            false => whole.payload.freeze(),
            true => match self.inflater.inflate(&whole.payload, MAX_MESSAGE) {
                Some(payload) => payload.into(),
                None => return Some(Heard::Broken(Broken::Deflate)),
            },
        };
        let message = match whole.kind {
            FrameKind::Text => Message::Text(String::from_utf8_lossy(&payload).into_owned()),
            _ => Message::Binary(payload),
        };
        Some(Heard::Message { message, at })
    }

    /// Sends a Close frame.
    ///
    /// # Errors
    /// What was heard instead, when the connection takes no more.
    pub async fn say_close(&mut self, code: u16, until: Instant) -> Result<(), Heard> {
        match timeout_at(until, self.dialed.socket.send(&OutFrame::close(code, ""))).await {
            Ok(Ok(_)) => Ok(()),
            // What the gateway said before it hung up may still be there to be read, and says more.
            Ok(Err(_)) => Err(self.hear(until).await),
            Err(_) => Err(Heard::Nothing { mid_frame: false }),
        }
    }

    /// Books a message of so many payload bytes; tells until when it must wait, none where it may go at once.
    pub(super) fn book(&self, bytes: usize) -> Option<Instant> {
        self.budget.book(bytes)
    }

    /// Waits until one more control frame is within the budget; to wait is no fault of the gateway's.
    pub async fn afford_control(&self) {
        self.afford(2).await;
    }

    /// Waits until a message of so many payload bytes is within the budget.
    pub async fn afford(&self, bytes: usize) {
        if let Some(at) = self.book(bytes) {
            let phase = self.evidence.phase();
            self.evidence.enter(Phase::Budget);
            sleep_until(at).await;
            self.evidence.enter(phase);
        }
    }
}

/// Close codes that an endpoint may put into a frame (RFC 6455, section 7.4).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Puts the token into the template; escaped where the template is JSON, so that a quote can't break it.
fn fill(template: &str, token: &str) -> String {
    let json = serde_json::from_str::<serde::de::IgnoredAny>(template).is_ok();
    if !json {
        return template.replace(Place::PLACEHOLDER, token);
    }
    let quoted = serde_json::Value::from(token).to_string();
    template.replace(Place::PLACEHOLDER, &quoted[1..quoted.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_can_not_break_out_of_a_json_template() {
        let filled = fill(r#"{"type":"auth","token":"${token}"}"#, r#"a"b\c"#);
        let value: serde_json::Value = serde_json::from_str(&filled).expect("still JSON");
        assert_eq!(value["token"], r#"a"b\c"#);
        assert_eq!(fill("AUTH ${token}", "x\"y"), "AUTH x\"y");
    }
}
