//! What the config says of the `heartbeat` check.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Assertion;
use crate::checks::{Cost, Profile, SLACK, Surroundings};
use crate::model::Span;
use crate::session::Level;

/// The interval of a gateway that tells it only on the connection, as far as the time-out is concerned.
const TOLD_LATER: Span = Span::secs(30);

/// Pings the gateway on connections of its own, at each level that the dialect has, and watches the gateway's
/// own heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Heartbeat {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Span,
    /// The one deadline of a run; when absent, what a good run may take, and some more.
    pub timeout: Option<Span>,
    /// How hard it looks: the connections, where they are not given (1, 5 or 50), and the suite's threshold of
    /// 100 ms on average.
    pub profile: Profile,
    /// Connections held at once.
    #[schemars(range(min = 1, max = 1000))]
    pub connections: Option<u32>,
    /// Pings on each connection and level.
    #[schemars(range(min = 1, max = 1000))]
    pub pings: u32,
    /// The time between two pings of one level.
    pub every: Span,
    /// A ping that is not answered within this time is lost.
    pub pong_timeout: Span,
    /// How long the dial of a connection may take.
    pub connect_timeout: Span,
    /// Ping at these levels: `protocol` (ping frames) and `application` (the dialect's messages); when
    /// absent, at each that the dialect has.
    pub levels: Option<Vec<LevelSetting>>,
    /// The gateway's own heartbeat, where it promises one.
    pub server: ServerBeat,
    /// What is tolerated.
    pub thresholds: Thresholds,
    /// The dialect tells how often the gateway's heartbeat comes, but only on the connection.
    #[serde(skip)]
    pub(in crate::checks) told_later: bool,
    /// Leaves the gateway's own heartbeat aside: many short runs learn more from pings. No config can set it.
    #[serde(skip)]
    pub pings_only: bool,
    /// An assertion that is left out: the tests' way to show that each is needed. No config can set it.
    #[serde(skip)]
    pub without: Option<Assertion>,
}

/// A level of the heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelSetting {
    /// Ping and pong frames (RFC 6455, section 5.5).
    Protocol,
    /// Messages of the dialect.
    Application,
}

/// What the gateway's own heartbeat is held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerBeat {
    /// How often the gateway pings by ping frames; the dialect's promise when absent.
    pub pings: Option<Span>,
    /// How often the gateway sends the dialect's heartbeat; the dialect's promise when absent.
    pub beats: Option<Span>,
    /// How far an interval may be from the promised one.
    pub tolerance: Span,
    /// Beats to wait for. The interval is first seen between the first and the second.
    #[schemars(range(min = 1, max = 100))]
    pub count: u32,
}

/// What is tolerated, over all connections, for each level.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// The average round-trip time; 100 ms in the profiles `suite` and `full` when absent.
    pub mean: Option<Span>,
    /// The median.
    pub p50: Option<Span>,
    /// 95 % of the pings.
    pub p95: Option<Span>,
    /// 99 % of the pings.
    pub p99: Option<Span>,
    /// The slowest ping.
    pub max: Option<Span>,
    /// The interarrival jitter (RFC 3550, section 6.4.1) of the worst connection.
    pub jitter: Option<Span>,
    /// The share of pings that may stay unanswered, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub loss: f64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(60),
            timeout: None,
            profile: Profile::Light,
            connections: None,
            pings: 10,
            every: Span::secs(1),
            pong_timeout: Span::secs(5),
            connect_timeout: Span::secs(5),
            levels: None,
            server: ServerBeat::default(),
            thresholds: Thresholds::default(),
            told_later: false,
            pings_only: false,
            without: None,
        }
    }
}

impl Default for ServerBeat {
    fn default() -> Self {
        Self { pings: None, beats: None, tolerance: Span::secs(2), count: 2 }
    }
}

impl Heartbeat {
    /// Connections held at once.
    pub fn connections(&self) -> u32 {
        self.connections.unwrap_or(match self.profile {
            Profile::Light => 1,
            Profile::Suite => 5,
            Profile::Full => 50,
        })
    }

    /// The threshold of the average round-trip time.
    pub fn mean(&self) -> Option<Span> {
        let suite = (self.profile != Profile::Light).then_some(Span::millis(100));
        self.thresholds.mean.or(suite)
    }

    /// Whether it pings at a level, if the dialect has it.
    pub fn pings_at(&self, level: Level) -> bool {
        let wanted = match level {
            Level::Protocol => LevelSetting::Protocol,
            Level::Application => LevelSetting::Application,
        };
        self.levels.as_ref().is_none_or(|levels| levels.contains(&wanted))
    }

    /// The check with what the dialect promises, and with a time-out.
    #[must_use]
    pub fn fit(mut self, around: &Surroundings<'_>) -> Self {
        self.server.pings = self.server.pings.or(around.pings_interval());
        self.server.beats = self.server.beats.or(around.beat_interval());
        let tells = around.dialect.is_some_and(|dialect| dialect.tells_beat_interval());
        self.told_later = self.server.beats.is_none() && tells;
        if self.timeout.is_none() {
            let beats = self.server.beats.or(self.told_later.then_some(TOLD_LATER));
            let server = ServerBeat { beats, ..self.server.clone() };
            let needed = Self { server, ..self.clone() }.worst_case();
            self.timeout = Some(around.timeout(needed, self.cost().connections));
        }
        self
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span::from(self.worst_case().get() + SLACK.get()))
    }

    /// The time that a healthy gateway may take: the dial, the pings, the last pong, and its own beats.
    pub fn worst_case(&self) -> Span {
        let pings = self.every.get() * self.pings.saturating_sub(1) + self.pong_timeout.get();
        let server = &self.server;
        let beats = |interval: Option<Span>| {
            interval
                .map_or(Duration::ZERO, |interval| (interval.get() + server.tolerance.get()) * server.count)
        };
        let watched = pings.max(beats(server.pings)).max(beats(server.beats));
        Span::from(self.connect_timeout.get() + watched)
    }

    /// Its connections, with pings at both levels, and the answers to the gateway's beats.
    pub fn cost(&self) -> Cost {
        let listens = self.told_later || self.server.pings.or(self.server.beats).is_some();
        let connections = u64::from(self.connections()) + u64::from(listens);
        // Ping and application heartbeat, each with its answer to be read; Close; some beats answered.
        let messages = connections * (2 * u64::from(self.pings) + 1);
        let bytes = connections * 1_024 + messages * 150;
        Cost { connections, concurrent: connections, messages, bytes }
    }
}
