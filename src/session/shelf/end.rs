//! How a held connection ended, and what became of it.

use std::time::{Duration, Instant, SystemTime};

use super::backoff::STABLE;
use crate::dialect::CloseClass;
use crate::model::{self, Cause, Failure, Outcome, Span, Verdict};
use crate::session::opened::Heard;
use crate::session::word::Word;

/// Who ended a connection, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The gateway said so, by a Close.
    Gateway,
    /// We gave it up.
    Us,
    /// There was no Close: the gateway, or a hop before it.
    Unknown,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndClass {
    /// A Close that says that the gateway goes away: 1001, 1012, or what the dialect calls drained.
    Drained,
    /// A Close that refuses our credential, while that may have ended.
    CredentialEnded,
    /// A Close by which the gateway asks for patience, in the dialect's words.
    Throttled,
    /// Another Close.
    Closed,
    /// FIN without a Close.
    Fin,
    /// RST without a Close.
    Rst,
    /// The kernel gave the connection up.
    Lost,
    /// A frame that breaks RFC 6455, or is larger than we read.
    Violation,
    /// A ping was not answered in time.
    PongLost,
}

impl By {
    /// The value of the label `by`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Us => "us",
            Self::Unknown => "unknown",
        }
    }
}

impl EndClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Drained,
        Self::CredentialEnded,
        Self::Throttled,
        Self::Closed,
        Self::Fin,
        Self::Rst,
        Self::Lost,
        Self::Violation,
        Self::PongLost,
    ];

    /// The value of the label `class`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::CredentialEnded => "credential_ended",
            Self::Throttled => "throttled",
            Self::Closed => "closed",
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Lost => "lost",
            Self::Violation => "violation",
            Self::PongLost => "pong_lost",
        }
    }

    /// Who ends a connection in this way.
    pub fn by(self) -> By {
        match self {
            Self::Drained | Self::CredentialEnded | Self::Throttled | Self::Closed => By::Gateway,
            Self::Fin | Self::Rst | Self::Lost => By::Unknown,
            Self::Violation | Self::PongLost => By::Us,
        }
    }

    /// Whether the way between us and the gateway may have done it.
    pub(super) fn may_be_the_way(self) -> bool {
        matches!(self, Self::Fin | Self::Rst | Self::Lost | Self::PongLost)
    }
}

/// The gateway's wish that we come back on a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// When it had been read.
    pub at: Instant,
    /// How long we are to stay away; zero where it does not say.
    pub delay: Duration,
}

/// How often a connection was drained in a row, without having lived for a minute in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drains {
    /// How often, this time included.
    pub times: u32,
    /// When the first time was.
    pub since: Instant,
}

/// How a held connection ended.
#[derive(Debug, Clone)]
pub struct End {
    /// Which, from 0.
    pub slot: usize,
    /// How.
    pub class: EndClass,
    /// The close code, where there was one.
    pub code: Option<u16>,
    /// What it means where no end was expected.
    pub verdict: Verdict,
    /// How long the connection had been open.
    pub age: Duration,
    /// When, taken next to the socket.
    pub at: Instant,
    /// The same by the wall clock.
    pub wall: SystemTime,
    /// How the gateway had asked us to come back, where it had.
    pub invitation: Option<Invitation>,
    /// How late the agent was in the last minute before.
    pub late: Duration,
    /// Whether the control endpoint answered right after, where it was asked.
    pub control: Option<bool>,
    /// After how long the connection was open again; none if it is not, or was not when this was read.
    pub back: Option<Duration>,
    /// Why the last try to come back failed, if one did.
    pub refusal: Option<Verdict>,
    /// How often it was drained soon, this time included; none where this end is no such one.
    pub drains: Option<Drains>,
}

impl End {
    /// What the gateway said last on a connection that was open since `opened`.
    pub(super) fn of(
        slot: usize,
        opened: Instant,
        word: Word,
        answered: bool,
        credential_ended: bool,
    ) -> Self {
        let (class, code, at) = read(&word, credential_ended);
        let verdict = match class {
            EndClass::CredentialEnded => {
                let detail = "the gateway closed a connection whose credential may have ended".to_owned();
                Verdict::new(Outcome::Inconclusive(Cause::Credential), detail)
            }
            _ => word.in_session(answered),
        };
        Self::new(slot, opened, (class, code), verdict, at)
    }

    /// The same, after the gateway had asked us to come back: whatever code it then closes with, it goes away.
    pub(super) fn after(self, invitation: Option<Invitation>) -> Self {
        let announced = invitation.is_some() && self.class == EndClass::Closed;
        let class = if announced { EndClass::Drained } else { self.class };
        Self { class, invitation, ..self }
    }

    /// The same, with when the gateway's last ping had come that was answered, at once: one that is thrown out for a
    /// silence can be looked for in the gateway's own log.
    pub(super) fn with_last_answer(mut self, asked: Option<Instant>) -> Self {
        if let (EndClass::Closed, Some(asked)) = (self.class, asked) {
            let ago = Span::from(self.at.saturating_duration_since(asked)).told();
            self.verdict.detail.push_str(&format!(", the last time {ago} before"));
        }
        self
    }

    /// How long after the end the gateway wanted us to stay away.
    pub fn asked_away(&self) -> Duration {
        let until = self.invitation.and_then(|invitation| invitation.at.checked_add(invitation.delay));
        until.map(|until| until.saturating_duration_since(self.at)).unwrap_or_default()
    }

    /// A ping was not answered within a time.
    pub(super) fn pong_lost(slot: usize, opened: Instant, detail: String) -> Self {
        let verdict = Verdict::new(Outcome::Fail(Failure::PongLost), detail);
        Self::new(slot, opened, (EndClass::PongLost, None), verdict, Instant::now())
    }

    fn new(
        slot: usize,
        opened: Instant,
        (class, code): (EndClass, Option<u16>),
        verdict: Verdict,
        at: Instant,
    ) -> Self {
        let wall = SystemTime::now();
        Self {
            slot,
            class,
            code,
            verdict,
            age: at.saturating_duration_since(opened),
            at,
            wall: wall.checked_sub(at.elapsed()).unwrap_or(wall),
            invitation: None,
            late: Duration::ZERO,
            control: None,
            back: None,
            refusal: None,
            drains: None,
        }
    }

    /// The same, with how often the connection was drained in a row; `before` is that of the end before.
    pub(super) fn behind(self, before: Option<Drains>) -> Self {
        let soon = self.class == EndClass::Drained && self.age < STABLE;
        let drains = soon.then(|| {
            let first = Drains { times: 0, since: self.at };
            let Drains { times, since } = before.unwrap_or(first);
            Drains { times: times.saturating_add(1), since }
        });
        Self { drains, ..self }
    }
}

fn read(word: &Word, credential_ended: bool) -> (EndClass, Option<u16>, Instant) {
    let now = Instant::now();
    let Word::Over(heard, class) = word else { return (EndClass::Violation, None, now) };
    match heard {
        Heard::Close { code, at } => {
            let class = match (class, code) {
                (Some(CloseClass::Drained), _) | (None, Some(1001 | 1012)) => EndClass::Drained,
                (Some(CloseClass::Refused), _) | (None, Some(1008)) if credential_ended => {
                    EndClass::CredentialEnded
                }
                (Some(CloseClass::Throttled), _) => EndClass::Throttled,
                _ => EndClass::Closed,
            };
            (class, *code, *at)
        }
        Heard::Ended { how: model::End::Fin, at } => (EndClass::Fin, None, *at),
        Heard::Ended { how: model::End::Rst, at } => (EndClass::Rst, None, *at),
        Heard::Broken(crate::wire::Broken::Lost(_)) => (EndClass::Lost, None, now),
        _ => (EndClass::Violation, None, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(code: u16, class: Option<CloseClass>, credential_ended: bool) -> End {
        let at = Instant::now();
        let word = Word::Over(Heard::Close { code: Some(code), at }, class);
        End::of(0, at - Duration::from_secs(5), word, true, credential_ended)
    }

    #[test]
    fn who_says_that_it_goes_away_is_told_from_who_throws_out() {
        assert_eq!(close(1001, None, false).class, EndClass::Drained);
        assert_eq!(close(4100, Some(CloseClass::Drained), false).class, EndClass::Drained);
        let thrown_out = close(1011, None, false);
        assert_eq!((thrown_out.class, thrown_out.age), (EndClass::Closed, Duration::from_secs(5)));
        assert_eq!(thrown_out.verdict.outcome, Outcome::Fail(Failure::SessionClosed));
        assert_eq!(close(1013, None, false).verdict.outcome, Outcome::Fail(Failure::Unavailable));
    }

    #[test]
    fn a_close_that_was_announced_is_no_throwing_out() {
        let invitation = |end: &End| {
            Some(Invitation { at: end.at - Duration::from_secs(1), delay: Duration::from_secs(5) })
        };
        let end = close(1000, None, false);
        let asked = invitation(&end);
        let end = end.after(asked);
        assert_eq!((end.class, end.asked_away()), (EndClass::Drained, Duration::from_secs(4)));
        let end = close(1000, None, false).after(None);
        assert_eq!((end.class, end.asked_away()), (EndClass::Closed, Duration::ZERO));
    }

    #[test]
    fn who_is_thrown_out_tells_when_it_had_last_answered() {
        let end = close(1011, None, false);
        let asked = end.at - Duration::from_millis(1_300);
        let detail = end.with_last_answer(Some(asked)).verdict.detail;
        assert!(detail.ends_with("although it had been answered, the last time 1.3s before"), "{detail}");
    }

    #[test]
    fn a_credential_that_may_have_ended_is_our_own() {
        let ended = close(1008, None, true);
        assert_eq!(ended.verdict.outcome, Outcome::Inconclusive(Cause::Credential));
        assert_eq!(close(4401, Some(CloseClass::Refused), true).class, EndClass::CredentialEnded);
        assert_eq!(close(1008, None, false).verdict.outcome, Outcome::Fail(Failure::SessionClosed));
        assert_eq!(close(1011, None, true).class, EndClass::Closed);
    }

    #[test]
    fn labels_are_unique() {
        let labels: std::collections::HashSet<_> = EndClass::ALL.iter().map(|class| class.label()).collect();
        assert_eq!(labels.len(), EndClass::ALL.len());
    }
}
