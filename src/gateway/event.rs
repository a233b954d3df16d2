//! What the gateway writes down: one small event for each thing that it does or sees.

use std::fmt;
use std::net::SocketAddr;

use serde::{Serialize, Serializer};

use super::jwt::TokenRefusal;
use super::offence::Offence;

/// Something the gateway did or saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Counts events from 0 without a gap; a gap at a reader means that events were dropped.
    pub seq: u64,
    /// Nanoseconds of `CLOCK_MONOTONIC`. For what came, when it had been read; for what was sent,
    /// when the kernel had taken it. The events of different connections are in the order in which
    /// they were written down, which can differ from that of their stamps by the time between.
    pub monotonic_ns: u64,
    /// Counts connections from 1; absent for what concerns the whole gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// What it was.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What an event is. What is "sent" has been handed to the kernel in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The kernel handed over a new connection.
    Accepted,
    /// No connection could be accepted, for instance for want of file descriptors.
    AcceptFailed {
        /// The operating system's error kind.
        error: String,
    },
    /// The TLS handshake is complete.
    TlsDone,
    /// The TLS handshake failed or took too long.
    TlsFailed,
    /// The client has joined a channel.
    Subscribed,
    /// A session was taken up again, or a new one begun instead.
    SessionResumed {
        /// It goes on, or so the gateway says.
        recovered: bool,
        /// How many messages it had missed.
        missed: usize,
    },
    /// The client has shown a good new token, to which the session belongs from now on.
    TokenRefreshed,
    /// The client has shown a new token that is not taken.
    TokenRefused {
        /// Why not.
        why: TokenRefusal,
    },
    /// The session has outlived its token.
    SessionExpired,
    /// A whole upgrade request was read.
    RequestRead,
    /// A 101 was sent.
    Upgraded,
    /// The upgrade was refused, and the answer sent.
    Rejected {
        /// The HTTP status.
        status: u16,
    },
    /// The hello, or the first message after the 101, was sent.
    FirstMessageSent,
    /// A ping was sent.
    PingSent {
        /// Counts the pings of this connection from 1; also its payload, as 8 bytes big-endian.
        number: u64,
    },
    /// A pong that answers one of the pings came.
    PongReceived {
        /// The ping that it answers.
        number: u64,
    },
    /// A ping of the client came.
    PingReceived {
        /// Its payload.
        payload: Payload,
    },
    /// A pong was sent.
    PongSent {
        /// Its payload.
        payload: Payload,
    },
    /// An application ping was sent.
    ApplicationPingSent {
        /// Counts the application pings of this connection from 1; also its `id`.
        number: u64,
    },
    /// An application pong that answers one of the application pings came.
    ApplicationPongReceived {
        /// The application ping that it answers.
        number: u64,
    },
    /// An application ping of the client came.
    ApplicationPingReceived {
        /// Its `id` as JSON, where it has one; cut after 32 bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Box<str>>,
    },
    /// An application pong was sent.
    ApplicationPongSent {
        /// Its `id` as JSON, where it has one; cut after 32 bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Box<str>>,
    },
    /// A ping stayed unanswered for too long.
    HeartbeatMissed {
        /// Of which heartbeat.
        level: Level,
        /// The oldest unanswered ping.
        number: u64,
    },
    /// No data message came for too long.
    Idle,
    /// The client did something wrong.
    Offence {
        /// What that was.
        offence: Offence,
    },
    /// The gateway crashed, by a fault: all connections are reset.
    Crashed,
    /// A Close was sent.
    CloseSent {
        /// Its code, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
    /// A Close came.
    CloseReceived {
        /// Its code, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
    /// The client ended its side (FIN) or reset the connection.
    PeerGone {
        /// A reset rather than a FIN.
        reset: bool,
    },
    /// The gateway ended its side (FIN).
    FinSent,
    /// The gateway let go of the connection.
    TcpClosed {
        /// It did so by a reset.
        reset: bool,
    },
    /// A fault was switched on, or given another value.
    FaultSet {
        /// `name` or `name=value`.
        fault: String,
    },
    /// A fault was switched off.
    FaultCleared {
        /// Its name.
        fault: &'static str,
    },
    /// The gateway began to shut down.
    Draining,
}

impl EventKind {
    /// The ping that was sent, if it is about one.
    pub(super) fn ping_sent(&self) -> Option<(Level, u64)> {
        match self {
            Self::PingSent { number } => Some((Level::Protocol, *number)),
            Self::ApplicationPingSent { number } => Some((Level::Application, *number)),
            _ => None,
        }
    }
}

/// One of the gateway's two heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Ping and pong frames (RFC 6455 section 5.5).
    Protocol,
    /// Text messages.
    Application,
}

/// The beginning of a ping's payload, at most 16 bytes; shown as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    size: u8,
    bytes: [u8; 16],
}

impl Payload {
    /// The first 16 bytes of `payload`.
    pub fn new(payload: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let size = payload.len().min(bytes.len());
        bytes[..size].copy_from_slice(&payload[..size]);
        // At most 16, so that it fits.
        Self { size: size as u8, bytes }
    }

    /// The bytes that are kept.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.size)]
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<EventKind>() <= 32, "{}", size_of::<EventKind>());
        assert!(size_of::<Event>() <= 96, "{}", size_of::<Event>());
    }

    #[test]
    fn a_payload_is_the_hex_of_its_first_16_bytes() {
        let shown = |payload: &[u8]| serde_json::to_string(&Payload::new(payload)).unwrap();
        assert_eq!(shown(b""), r#""""#);
        assert_eq!(shown(b"\x00\xAB"), r#""00ab""#);
        assert_eq!(shown(&[0x11; 125]), format!("\"{}\"", "11".repeat(16)));
    }
}
