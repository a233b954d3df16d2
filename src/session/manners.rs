//! How we behave, and of which heartbeat we speak.

/// What we answer by ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Pings of the protocol, by pongs.
    pub pongs: bool,
    /// Heartbeats of the dialect, by its reply.
    pub beats: bool,
}

impl Manners {
    /// Answers everything.
    pub const ATTENTIVE: Self = Self { pongs: true, beats: true };
    /// Answers pings of the protocol, as a library does, while the application behind it is dead.
    pub const HALF_DEAD: Self = Self { pongs: true, beats: false };
    /// Answers nothing.
    pub const MUTE: Self = Self { pongs: false, beats: false };
}

/// Of which heartbeat we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Ping and pong frames (RFC 6455, section 5.5).
    Protocol,
    /// Messages of the dialect.
    Application,
}

impl Level {
    /// The value of the label `level`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Application => "application",
        }
    }
}
