//! The evidence of a run: a bounded timeline of what happened on its connections, kept outside the check,
//! so that a check that is cut off by its deadline leaves what it had.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Cause, Failure, Outcome};

/// Events kept for one run from its beginning, and again from its end; those between are counted, not kept.
const HALF: usize = 128;

/// Where a run is; when the deadline comes, this is what it died in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for the target's budget.
    Budget,
    /// Reading or fetching the credential.
    Credential,
    /// Resolving the name.
    Dns,
    /// Connecting to the first address that answers.
    Tcp,
    /// Asking the proxy for a tunnel (HTTP CONNECT).
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The dialect's HTTP request before the upgrade, up to the end of its answer.
    Before,
    /// The HTTP upgrade, up to the end of the response's header.
    Upgrade,
    /// Waiting for the first message of a gateway that speaks first.
    FirstMessage,
    /// The session itself.
    Session,
    /// From our Close frame to the end of the TCP connection.
    Close,
}

impl Phase {
    /// The value of the label `phase`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Credential => "credential",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Before => "before",
            Self::Upgrade => "upgrade",
            Self::FirstMessage => "first_message",
            Self::Session => "session",
            Self::Close => "close",
        }
    }

    /// Whether it is a part of getting in.
    pub fn is_of_the_dial(self) -> bool {
        matches!(self, Self::Dns | Self::Tcp | Self::Tls | Self::Upgrade)
    }

    /// The outcome of a run whose deadline came in this phase.
    pub fn timed_out(self) -> Outcome {
        match self {
            Self::Budget => Outcome::Inconclusive(Cause::Budget),
            Self::Credential => Outcome::Inconclusive(Cause::Credential),
            Self::Dns => Outcome::Fail(Failure::DnsTimeout),
            Self::Tcp => Outcome::Fail(Failure::ConnectTimeout),
            Self::Proxy => Outcome::Inconclusive(Cause::ProxyUnavailable),
            Self::Tls => Outcome::Fail(Failure::TlsTimeout),
            Self::Before => Outcome::Fail(Failure::BeforeTimeout),
            Self::Upgrade => Outcome::Fail(Failure::UpgradeTimeout),
            Self::FirstMessage => Outcome::Fail(Failure::FirstMessageTimeout),
            Self::Session => Outcome::Fail(Failure::SessionTimeout),
            Self::Close => Outcome::Fail(Failure::CloseUnanswered),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A frame's opcode by name (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// Opcode 0.
    Continuation,
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
    /// Opcode 8.
    Close,
    /// Opcode 9.
    Ping,
    /// Opcode 10.
    Pong,
    /// Opcodes 3-7 and 11-15.
    Reserved,
}

/// Which side did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// gateprobe.
    Us,
    /// The gateway, or a hop before it.
    Gateway,
}

/// How a TCP connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// An orderly end of the stream.
    Fin,
    /// A reset.
    Rst,
}

/// What happened; sizes and codes, never payloads, header values, or text that a gateway chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A phase began; the one before it ended.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// The name was resolved.
    Resolved {
        /// The addresses, in the order they will be tried.
        addresses: Vec<String>,
    },
    /// A TCP connect was begun.
    Connecting {
        /// Address and port.
        address: String,
    },
    /// TCP is up.
    Connected {
        /// Address and port.
        address: String,
    },
    /// One address of several failed.
    ConnectFailed {
        /// Address and port.
        address: String,
        /// The operating system's error, by kind.
        error: String,
    },
    /// TLS is up.
    TlsUp {
        /// `TLSv1.2` or `TLSv1.3`.
        version: String,
    },
    /// The status of an HTTP response.
    Http {
        /// The status code.
        status: u16,
    },
    /// A frame went out or came in.
    Frame {
        /// Who sent it.
        from: Side,
        /// Its opcode.
        kind: FrameKind,
        /// Payload bytes.
        bytes: u64,
        /// The close code as received or sent, illegal ones too.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
    /// The TCP connection ended.
    Ended {
        /// Who ended it first.
        by: Side,
        /// How.
        how: End,
    },
    /// A remark in gateprobe's own words.
    Note {
        /// The remark.
        text: String,
    },
}

/// One entry of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Event {
    /// Time since the run began, in nanoseconds.
    pub at_ns: u64,
    /// Which of the run's connections, from 0.
    pub connection: u16,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The finished timeline of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timeline {
    /// In the order of time.
    pub events: Vec<Event>,
    /// How many more there were, between the first and the last ones.
    pub dropped: u64,
}

#[derive(Debug)]
struct Inner {
    half: usize,
    phase: Phase,
    /// Since when.
    since: Instant,
    first: Vec<Event>,
    last: VecDeque<Event>,
    dropped: u64,
    connections: u16,
}

/// A handle on the evidence of one run. Clones write to the same timeline; each handle speaks for one
/// connection.
#[derive(Debug, Clone)]
pub struct Evidence {
    inner: Arc<Mutex<Inner>>,
    began: Instant,
    connection: u16,
}

impl Default for Evidence {
    fn default() -> Self {
        Self::new()
    }
}

impl Evidence {
    /// Begins a timeline now.
    pub fn new() -> Self {
        Self::with_room(HALF)
    }

    /// The same with room for so many events from the beginning, and again from the end.
    pub fn with_room(half: usize) -> Self {
        let inner = Inner {
            half,
            phase: Phase::Budget,
            since: Instant::now(),
            first: Vec::new(),
            last: VecDeque::new(),
            dropped: 0,
            connections: 0,
        };
        Self { inner: Arc::new(Mutex::new(inner)), began: Instant::now(), connection: 0 }
    }

    /// When the run began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// A handle for the next connection of the same run; the first one gets number 0.
    pub fn connection(&self) -> Self {
        let mut inner = self.lock();
        let connection = inner.connections;
        inner.connections = inner.connections.saturating_add(1);
        drop(inner);
        Self { inner: Arc::clone(&self.inner), began: self.began, connection }
    }

    /// Enters a phase, now.
    pub fn enter(&self, phase: Phase) {
        let now = Instant::now();
        {
            let mut inner = self.lock();
            (inner.phase, inner.since) = (phase, now);
        }
        self.note_at(now, EventKind::Phase { phase });
    }

    /// Where the run is.
    pub fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// For how long the run has been there.
    pub fn in_phase(&self) -> Duration {
        self.lock().since.elapsed()
    }

    /// Writes down what happened, now.
    pub fn note(&self, kind: EventKind) {
        self.note_at(Instant::now(), kind);
    }

    /// Writes down a remark in our own words, now. Never put a payload, a header's value or a gateway's text here.
    pub fn remark(&self, text: impl Into<String>) {
        self.note(EventKind::Note { text: text.into() });
    }

    /// Writes down what happened at a time that was taken next to the socket.
    pub fn note_at(&self, at: Instant, kind: EventKind) {
        let at = at.saturating_duration_since(self.began);
        let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let mut inner = self.lock();
        let event = Event { at_ns, connection: self.connection, kind };
        if inner.first.len() < inner.half {
            inner.first.push(event);
            return;
        }
        if inner.last.len() >= inner.half {
            inner.last.pop_front();
            inner.dropped += 1;
        }
        inner.last.push_back(event);
    }

    /// The timeline as it stands.
    pub fn timeline(&self) -> Timeline {
        let inner = self.lock();
        let mut events: Vec<Event> = inner.first.iter().chain(&inner.last).cloned().collect();
        // What was read is written down with the time of its read, behind what was sent meanwhile.
        events.sort_by_key(|event| event.at_ns);
        let mut phases = HashMap::new();
        events.retain(|event| match event.kind {
            EventKind::Phase { phase } => phases.insert(event.connection, phase) != Some(phase),
            _ => true,
        });
        Timeline { events, dropped: inner.dropped }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the data whole: each change is a single push or store.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Event {
    /// Time since the run began.
    pub fn at(&self) -> Duration {
        Duration::from_nanos(self.at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_in_order_and_tells_of_no_phase_twice() {
        let evidence = Evidence::new();
        let before = Instant::now();
        for phase in [Phase::Upgrade, Phase::Session, Phase::Session] {
            evidence.enter(phase);
        }
        evidence.note_at(before, EventKind::Http { status: 101 });
        let events = evidence.timeline().events;
        assert!(events.is_sorted_by_key(|event| event.at_ns), "{events:?}");
        let phases = events.iter().filter(|event| matches!(event.kind, EventKind::Phase { .. })).count();
        assert_eq!((events.len(), phases), (3, 2), "{events:?}");
    }

    #[test]
    fn evidence_is_bounded_and_counts_what_it_drops() {
        let evidence = Evidence::new();
        for number in 0..2 * HALF + 7 {
            evidence.remark(number.to_string());
        }
        let timeline = evidence.timeline();
        assert_eq!(timeline.events.len(), 2 * HALF);
        assert_eq!(timeline.dropped, 7);
        let text = |number: usize| EventKind::Note { text: number.to_string() };
        assert_eq!(timeline.events[HALF - 1].kind, text(HALF - 1), "how it began");
        assert_eq!(timeline.events.last().expect("some").kind, text(2 * HALF + 6), "how it ended");
    }

    #[test]
    fn connections_share_the_timeline_and_the_phase() {
        let evidence = Evidence::new();
        let (first, second) = (evidence.connection(), evidence.connection());
        first.enter(Phase::Dns);
        second.enter(Phase::Upgrade);
        assert_eq!(evidence.phase(), Phase::Upgrade);
        let connections: Vec<u16> = evidence.timeline().events.iter().map(|e| e.connection).collect();
        assert_eq!(connections, [0, 1]);
    }
}
