//! Wall-clock time that never jumps: read once, then counted on by the monotonic clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A pair of clocks read at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    unix: Duration,
    at: Instant,
}

impl Clock {
    /// Reads both clocks now.
    pub fn start() -> Self {
        Self::start_at(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    /// A clock that shows `unix` (time since 1970) now.
    pub fn start_at(unix: Duration) -> Self {
        Self { unix, at: Instant::now() }
    }

    /// Time since 1970.
    pub fn now(&self) -> Duration {
        self.unix + self.at.elapsed()
    }

    /// The moment at which the clock shows `unix`; now, if that has passed.
    pub fn instant(&self, unix: Duration) -> Instant {
        self.at + unix.saturating_sub(self.unix)
    }
}
