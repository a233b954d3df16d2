//! What is heard after a shot, put together to one reaction. Pure: words in, a reaction out.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::acceptable::Word as Acceptable;
use super::judge::excuse;
use super::reaction::{Reaction, Seen};
use super::shot::{Burst, Then};
use super::vectors::Vector;
use crate::dialect::{Answer, CloseClass, Message};
use crate::session::{Heard, Word};
use crate::wire::{Broken, Violation};

/// Listens for one vector.
#[derive(Debug)]
pub struct Ear {
    then: Then,
    /// What an echo of ours would be.
    echoes: Vec<Bytes>,
    /// The code of our own Close, where it is not a right one: who repeats it has taken it as good.
    our_code: Option<u16>,
    /// The last of our pings.
    ping: Option<Bytes>,
    /// Whether a message of no known meaning is an answer, and not something that the gateway says by itself.
    answers: bool,
    /// Whether an error reply is right, so that a Close behind it is no worse.
    errors: bool,
    /// What the gateway did so far, with the connection kept.
    kept: Option<(Reaction, Instant)>,
    /// Its Close, where the end of TCP is awaited behind it.
    closed: Option<Closed>,
    over: Option<(Seen, Option<Instant>)>,
    /// What was heard before this answers nothing.
    began: Instant,
    /// When what it reacts to went out.
    pub sent: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    code: Option<u16>,
    class: Option<CloseClass>,
    at: Instant,
}

impl Ear {
    /// For a vector that sends these, and to which this is right.
    pub fn new(vector: &Vector, right: &[Acceptable], then: Then, bursts: &[Burst], sent: Instant) -> Self {
        let mut ear = Self {
            then,
            echoes: Vec::new(),
            our_code: None,
            ping: None,
            answers: right.contains(&Acceptable::Replied),
            errors: right.contains(&Acceptable::ErrorReply),
            kept: None,
            closed: None,
            over: None,
            began: sent,
            sent,
        };
        let mut message = BytesMut::new();
        for frame in bursts.iter().flat_map(|burst| &burst.frames) {
            match frame.opcode {
                8 => {
                    let right = |code: u16| vector.expected.contains(&Acceptable::Code(code));
                    ear.our_code = frame.close_code().filter(|code| !right(*code));
                }
                9 => ear.ping = Some(frame.payload.clone()),
                10 => {}
                _ => {
                    message.extend_from_slice(&frame.payload);
                    ear.echoes.push(frame.payload.clone());
                    if frame.fin {
                        ear.echoes.push(message.split().freeze());
                    }
                }
            }
        }
        if !vector.expected.contains(&Acceptable::Ponged) {
            ear.ping = None;
        }
        ear
    }

    /// Whether the reaction is known, so that there is nothing more to wait for.
    pub fn is_settled(&self) -> bool {
        self.over.is_some() || self.kept.is_some() && self.then == Then::Ping
    }

    /// Whether the connection is known to be over, or spoilt.
    pub fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Whether the gateway has closed, and the end of TCP is awaited.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Takes what was heard; none of it is lost on who asks later.
    pub fn take(&mut self, word: Word) {
        match word {
            Word::Over(heard, class) => self.ended(heard, class),
            Word::Pong { payload, at } if self.ping.as_ref() == Some(&payload) => {
                self.end(Reaction::Ponged, Some(at));
            }
            // Behind our Close there is nothing to be answered, not even by an error.
            Word::Error { at } if self.then == Then::Quiet => self.keep(Reaction::Accepted, at),
            Word::Error { at } => self.keep(Reaction::ErrorReply, at),
            Word::Answer { answer: Answer::Refused, at, .. } => self.keep(Reaction::ErrorReply, at),
            Word::Answer { at, .. } => self.keep(Reaction::Accepted, at),
            Word::Other { message, at } if self.is_echo(&message) => self.keep(Reaction::Accepted, at),
            // What was there before we had said anything answers nothing.
            Word::Other { at, .. } | Word::Stray { at, .. } if self.answers && at >= self.began => {
                self.keep(Reaction::Replied, at);
            }
            _ => {}
        }
    }

    /// The connection is still served: the ping after it was answered.
    pub fn served(self) -> Seen {
        let reaction = self.kept.map_or(Reaction::Ignored, |(reaction, _)| reaction);
        self.seen(reaction)
    }

    /// Time is up, and no ping could tell more.
    pub fn late(self) -> Seen {
        match (self.closed, self.kept, self.then) {
            // Whoever answers our Close may leave it to us to end TCP, unless that is what is asked.
            (_, Some((Reaction::Accepted, _)), Then::Quiet) => self.seen(Reaction::Accepted),
            (Some(closed), _, Then::Quiet) => self.seen_close(closed),
            _ => self.seen(Reaction::Hang),
        }
    }

    /// The reaction, where it ended the connection.
    pub fn outcome(&self) -> Option<Seen> {
        let (seen, at) = self.over?;
        Some(match at {
            Some(at) => seen.after(at.saturating_duration_since(self.sent)),
            None => seen,
        })
    }

    fn seen(&self, reaction: Reaction) -> Seen {
        let seen = Seen::plain(reaction);
        match self.kept {
            Some((_, at)) => seen.after(at.saturating_duration_since(self.sent)),
            None => seen,
        }
    }

    fn seen_close(&self, Closed { code, class, at }: Closed) -> Seen {
        let reaction =
            if code.is_some() && code == self.our_code { Reaction::Accepted } else { Reaction::Close(code) };
        Seen { class, ..Seen::plain(reaction) }.after(at.saturating_duration_since(self.sent))
    }

    /// The first counts; but an error says more than what means nothing, and who sends an echo beside its error has
    /// taken it as good.
    fn keep(&mut self, reaction: Reaction, at: Instant) {
        let weight = |reaction| match reaction {
            Reaction::Accepted => 2,
            Reaction::ErrorReply => 1,
            _ => 0,
        };
        if self.kept.is_none_or(|(kept, _)| weight(reaction) > weight(kept)) {
            self.kept = Some((reaction, at));
        }
    }

    /// A Close behind an error reply that is right ends what was refused already; unless it says that the gateway
    /// failed, or speaks of the gateway itself.
    fn is_refused_already(&self, close: &Seen) -> bool {
        let Reaction::Close(code) = close.reaction else { return false };
        let fails = code == Some(1011) || code.is_some_and(|code| !Heard::may_be_sent(code));
        let refused = matches!(self.kept, Some((Reaction::ErrorReply, _)));
        self.errors && refused && !fails && excuse(close).is_none()
    }

    fn end(&mut self, reaction: Reaction, at: Option<Instant>) {
        self.over.get_or_insert((Seen::plain(reaction), at));
    }

    fn ended(&mut self, heard: Heard, class: Option<CloseClass>) {
        match heard {
            Heard::Close { code, at } => {
                let closed = Closed { code, class, at };
                match self.then {
                    Then::Quiet | Then::Release => {
                        self.closed.get_or_insert(closed);
                    }
                    Then::Ping | Then::End => {
                        let seen = self.seen_close(closed);
                        let (seen, at) = match self.kept {
                            Some((reaction, at)) if self.is_refused_already(&seen) => {
                                (Seen::plain(reaction), at)
                            }
                            _ => (seen, at),
                        };
                        self.over.get_or_insert((seen, Some(at)));
                    }
                }
            }
            Heard::Ended { at, .. } => match (self.closed, self.kept) {
                (_, Some((Reaction::Accepted, at))) if self.then == Then::Quiet => {
                    self.end(Reaction::Accepted, Some(at));
                }
                (Some(closed), _) => {
                    let seen = self.seen_close(closed);
                    self.over.get_or_insert((seen, Some(closed.at)));
                }
                (None, _) => self.end(Reaction::Unclean, Some(at)),
            },
            // What is not UTF-8 comes back from whoever did not look at it, and so does what came after a Close.
            Heard::Illegal(Violation::NotUtf8) if !self.echoes.is_empty() => {
                self.end(Reaction::Accepted, None);
            }
            Heard::Illegal(Violation::AfterClose) if self.then == Then::Quiet => {
                self.end(Reaction::Accepted, None);
            }
            Heard::Broken(Broken::Lost(_)) => self.end(Reaction::Hang, None),
            Heard::Broken(Broken::TlsAlert(_) | Broken::Tls) => self.end(Reaction::Unclean, None),
            Heard::Illegal(_) | Heard::TooLarge { .. } | Heard::Broken(Broken::Deflate) => {
                self.end(Reaction::Nonsense, None);
            }
            Heard::Message { .. } | Heard::Ping { .. } | Heard::Pong { .. } | Heard::Nothing { .. } => {}
        }
    }

    fn is_echo(&self, message: &Message) -> bool {
        let bytes = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        };
        self.echoes.iter().any(|echo| echo == bytes)
    }
}
