//! What the config says of the `network_switch` check.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Assertion;
use crate::checks::{Cost, Profile, SLACK, Surroundings};
use crate::dialect::{Dialect, Part, Variables};
use crate::model::{End, Span};
use crate::wire::{self, Path};

/// How long each connection of the rapid switches lives: more than one switch a second.
pub(super) const RAPID_LEG: Duration = Duration::from_millis(300);

/// Leaves the stream that it has joined without a word, comes back by another way, takes the session up again, and
/// accounts for every message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSwitch {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Span,
    /// The one deadline of a run; when absent, what a good run may take, and some more.
    pub timeout: Option<Span>,
    /// How hard it looks, where `switches` and `rapid` are not given: 1 switch; or 3, and then 5 rapid ones.
    pub profile: Profile,
    /// The ways that it takes, by turns, beginning with the first; what publishes takes the target's own. When
    /// empty: the target's own, each time from a new source port.
    pub paths: Vec<Way>,
    /// Whether the old connection is left before the new one is there.
    pub mode: Mode,
    /// How the old connection is left.
    pub leave: Leave,
    /// Switches, each with messages before and after it.
    #[schemars(range(min = 1, max = 100))]
    pub switches: Option<u32>,
    /// Switches after those, more than one a second.
    #[schemars(range(min = 0, max = 100))]
    pub rapid: Option<u32>,
    /// Messages that are published between two switches.
    #[schemars(range(min = 1, max = 10000))]
    pub messages: u32,
    /// The time between two messages.
    pub every: Span,
    /// What each message carries, in bytes.
    #[schemars(range(min = 0, max = 65536))]
    pub payload: u32,
    /// How long it stays away in the mode `break_before_make`, while messages go on.
    pub away: Span,
    /// How long the gateway promises to keep a session that has lost its connection; the dialect's promise when
    /// absent.
    pub retention: Option<Span>,
    /// At the end, stay away for longer than `retention`: that must end in a fresh session, or a whole one. When
    /// absent: in the profile `full`, where 30 s or less are promised.
    pub beyond_retention: Option<bool>,
    /// How long after the last message all of them may take to be delivered.
    pub settle: Span,
    /// How long the dial of a connection may take, and each answer of the gateway.
    pub connect_timeout: Span,
    /// What is tolerated.
    pub thresholds: Thresholds,
    /// The channel that is used; one of its own for each run when absent. Take one that nobody else uses.
    pub channel: Option<String>,
    /// The synthetic user's name, where the dialect sends one.
    pub user: Option<String>,
    /// An assertion that is left out: the tests' way to show that each is needed. No config can set it.
    #[serde(skip)]
    pub without: Option<Assertion>,
}

/// A way to the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Way {
    /// The name of the network interface (`SO_BINDTODEVICE`, which needs `CAP_NET_RAW` on older kernels).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Our own address on the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The family of the gateway's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<WayFamily>,
    /// To another of the addresses that the gateway's name resolves to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub other_address: bool,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WayFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The old connection is left, and then the new one is made: a network that is lost.
    #[default]
    BreakBeforeMake,
    /// The new connection is made, and then the old one is left: a client that roams.
    MakeBeforeBreak,
}

/// How a connection is left, without a word in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// TCP ends (FIN), without a Close frame.
    #[default]
    Fin,
    /// TCP is reset (RST).
    Rst,
    /// No packet comes through any more, in either direction.
    Blackhole,
}

/// What is tolerated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// From the begin of the new dial to the gateway's answer that the session goes on; 1 s in the profiles `suite`
    /// and `full` when absent.
    pub resume: Option<Span>,
}

impl Leave {
    /// How TCP ends; none where it does not.
    pub(super) fn end(self) -> Option<End> {
        match self {
            Self::Fin => Some(End::Fin),
            Self::Rst => Some(End::Rst),
            Self::Blackhole => None,
        }
    }
}

impl Way {
    /// As the dial takes it, on top of the target's own way.
    pub(super) fn path(&self, own: &Path, peer: Option<IpAddr>) -> Path {
        let family = self.family.map_or(own.family, |family| match family {
            WayFamily::V4 => wire::Family::V4,
            WayFamily::V6 => wire::Family::V6,
        });
        Path {
            interface: self.interface.clone().or_else(|| own.interface.clone()),
            source: self.source.or(own.source),
            family,
            peer,
            ..own.clone()
        }
    }

    /// The address to go to, where the run's connections go to `peer`, and there are such others; none where this
    /// way leads to an address of its own choice.
    pub(super) fn peer(&self, peer: Option<IpAddr>, others: &[IpAddr]) -> Option<IpAddr> {
        match self {
            Self { other_address: true, .. } => others.first().copied().or(peer),
            Self { family: None, source: None, .. } => peer,
            _ => None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.interface.as_ref().map(|name| format!("interface {name}"));
        let source = self.source.map(|source| format!("source {source}"));
        let family = self.family.map(|family| match family {
            WayFamily::V4 => "IPv4".to_owned(),
            WayFamily::V6 => "IPv6".to_owned(),
        });
        let other = self.other_address.then(|| "another address".to_owned());
        let parts: Vec<String> = [interface, source, family, other].into_iter().flatten().collect();
        match parts.is_empty() {
            true => f.write_str("a new source port"),
            false => f.write_str(&parts.join(", ")),
        }
    }
}

impl Default for NetworkSwitch {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(300),
            timeout: None,
            profile: Profile::Light,
            paths: Vec::new(),
            mode: Mode::default(),
            leave: Leave::default(),
            switches: None,
            rapid: None,
            messages: 20,
            every: Span::millis(50),
            payload: 32,
            away: Span::millis(200),
            retention: None,
            beyond_retention: None,
            settle: Span::secs(2),
            connect_timeout: Span::secs(5),
            thresholds: Thresholds::default(),
            channel: None,
            user: None,
            without: None,
        }
    }
}

impl NetworkSwitch {
    /// Switches with messages before and after.
    pub fn switches(&self) -> u32 {
        self.switches.unwrap_or(match self.profile {
            Profile::Light => 1,
            Profile::Suite | Profile::Full => 3,
        })
    }

    /// Rapid switches.
    pub fn rapid(&self) -> u32 {
        self.rapid.unwrap_or(match self.profile {
            Profile::Light => 0,
            Profile::Suite | Profile::Full => 5,
        })
    }

    /// The way of a connection, counted from 0.
    pub(super) fn way(&self, number: u32) -> Way {
        let index = (number as usize).checked_rem(self.paths.len());
        index.and_then(|index| self.paths.get(index)).cloned().unwrap_or_default()
    }

    /// What a switch may take.
    pub(super) fn longest_resume(&self) -> Option<Span> {
        let suite = (self.profile != Profile::Light).then_some(Span::secs(1));
        self.thresholds.resume.or(suite)
    }

    /// How long it stays away at the end, to see a session end; none where that is not looked at.
    pub(super) fn long_absence(&self) -> Option<Duration> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let retention = self.retention?.get();
        let by_itself = self.profile == Profile::Full && retention <= PATIENCE;
        // A gateway looks for sessions that are over from time to time.
        let absence = retention + (retention / 5).max(Duration::from_millis(500));
        self.beyond_retention.unwrap_or(by_itself).then_some(absence)
    }

    /// Whether the dialect has what the check can't do without.
    pub fn has(dialect: &Dialect) -> bool {
        dialect.has(Part::Subscribe) && dialect.numbers_stream()
    }

    /// The check with what the dialect promises, and with a time-out.
    #[must_use]
    pub fn fit(mut self, around: &Surroundings<'_>) -> Self {
        if let Some(dialect) = around.dialect {
            self = self.promised(dialect, &Variables::default());
        }
        if self.timeout.is_none() {
            self.timeout = Some(around.timeout(self.worst_case(), self.cost().connections));
        }
        self
    }

    /// The check with what the dialect promises, in its text or by what it captured on a connection.
    #[must_use]
    pub(super) fn promised(mut self, dialect: &Dialect, captured: &Variables) -> Self {
        self.retention = self.retention.or_else(|| dialect.retention(captured).map(Span::from));
        self
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span::from(self.worst_case().get() + SLACK.get()))
    }

    /// How long messages are published.
    pub fn stream(&self) -> Duration {
        let leg = self.every.get() * self.messages;
        let switches = leg * (self.switches() + 1) + self.away.get() * self.switches();
        let absence = self.long_absence().map_or(Duration::ZERO, |absence| absence + leg);
        switches + RAPID_LEG * self.rapid() + absence
    }

    /// The time that a healthy gateway may take: each dial, the stream, and what comes last.
    pub fn worst_case(&self) -> Span {
        let dials = self.connect_timeout.get() * self.dials();
        Span::from(dials + self.stream() + self.settle.get())
    }

    /// Its connections, what is published, and what is delivered of it.
    pub fn cost(&self) -> Cost {
        let connections = u64::from(self.dials());
        // While a switch takes its time, messages go on.
        let longest = self.stream() + self.settle.get() + Duration::from_secs(1) * self.dials();
        let published = (longest.as_secs_f64() / self.every.as_secs_f64()).ceil() as u64;
        // Subscribe, resume and teardown, Close, and answers to heartbeats.
        let messages = published + connections * 8;
        let size = u64::from(self.payload) + 200;
        let concurrent = match self.leave {
            Leave::Blackhole => connections,
            _ => 3,
        };
        Cost { connections, concurrent, messages, bytes: connections * 2_048 + 3 * messages * size }
    }

    /// The publisher's connection, the subscriber's first one, and one for each switch.
    fn dials(&self) -> u32 {
        2 + self.switches() + self.rapid() + u32::from(self.long_absence().is_some())
    }
}
