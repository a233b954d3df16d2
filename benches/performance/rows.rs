//! What is measured, against what, and what is wanted. A test holds `docs/performance.md` against this list.

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// The unit of both figures.
    pub unit: &'static str,
    /// Digits behind the point.
    pub digits: usize,
    /// What was measured.
    pub ours: &'static str,
    /// The limit that was measured in the same run: what nobody can be better than on this machine.
    pub limit: &'static str,
    /// What is wanted.
    pub goal: Goal,
}

/// What is wanted, in the row's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// At most so much above the limit, and never below it.
    Above(u32),
    /// At most so much.
    AtMost(u32),
}

/// The time from a ping to its pong, as the `heartbeat` check reports it.
pub const ROUND_TRIP: Row = Row {
    name: "Round trip of a ping, median",
    unit: "µs",
    digits: 1,
    ours: "what `heartbeat` reports for a ping frame on a ws connection",
    limit: "the same bytes written to and read from a blocking TCP socket, turn by turn with the pings",
    goal: Goal::Above(3),
};

/// Memory of an idle ws connection.
pub const MEMORY_WS: Row = Row {
    name: "Memory of a held ws connection",
    unit: "KiB",
    digits: 2,
    ours: "private memory that each connection of `heartbeat` adds while it is idle after its first ping",
    limit: "the same for bare tokio tasks, each with its TCP stream",
    goal: Goal::AtMost(8),
};

/// Memory of an idle wss connection.
pub const MEMORY_WSS: Row = Row {
    name: "Memory of a held wss connection",
    unit: "KiB",
    digits: 2,
    ours: "as above, by TLS 1.3",
    limit: "the same for bare tokio tasks, each with its rustls stream",
    goal: Goal::AtMost(16),
};

/// CPU time of one heartbeat.
pub const CPU: Row = Row {
    name: "CPU time of a heartbeat",
    unit: "µs",
    digits: 1,
    ours: "user and system time of the process a ping of `heartbeat`, with 5,000 connections that ping once a second",
    limit: "the same for bare tokio tasks that write and read the same bytes at the same pace",
    goal: Goal::AtMost(25),
};

/// Every row, in the order of the table.
pub const ROWS: [Row; 4] = [ROUND_TRIP, MEMORY_WS, MEMORY_WSS, CPU];

impl Goal {
    /// Whether a figure is as wanted; both as they are shown.
    pub fn is_met(self, ours: f64, limit: f64) -> bool {
        match self {
            // The difference of two decimals is not exact.
            Self::Above(most) => (-1e-6..=f64::from(most) + 1e-6).contains(&(ours - limit)),
            Self::AtMost(most) => ours <= f64::from(most),
        }
    }
}
