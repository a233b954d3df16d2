//! What the config says of the `zombie` check.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Assertion;
use crate::checks::{Cost, Profile, SLACK, Surroundings};
use crate::dialect::{Dialect, Origin, Part, Variables};
use crate::model::Span;
use crate::session::{Companion, Manners};

/// How long the first beat is waited for where nobody says how often the gateway beats.
const UNKNOWN_BEAT: Span = Span::secs(30);
/// The least time between two words of a well-behaved client.
const LEAST_EVERY: Duration = Duration::from_millis(50);
/// How often a well-behaved client says something, where nothing else is promised.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Holds connections that go silent with TCP up, beside healthy ones, and watches when and how the gateway
/// lets go of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Zombie {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Span,
    /// The one deadline of a run; when absent, what a good run may take, and some more.
    pub timeout: Option<Span>,
    /// How hard it looks, where `zombies`, `healthy` and `modes` are not given: 1 zombie and 1 healthy
    /// connection, 2 and 3, or 25 and 50.
    pub profile: Profile,
    /// How connections go silent; `mute`, in the profile `suite` also `half_dead`, in `full` all.
    pub modes: Option<Vec<Mode>>,
    /// Mute connections held at once; of each other mode there is one.
    #[schemars(range(min = 1, max = 1000))]
    pub zombies: Option<u32>,
    /// Healthy connections held beside them; the first one is the bystander whose slowness stops the check.
    #[schemars(range(min = 1, max = 1000))]
    pub healthy: Option<u32>,
    /// When the gateway promises to let go of a silent connection; the dialect's promise when absent. Without
    /// either the check is `unsupported`, and only reports the time.
    pub window: Option<Window>,
    /// How far from the window is still inside.
    pub tolerance: Span,
    /// How long the gateway may take until its first heartbeat on a connection; the dialect's promise, or 30 s,
    /// when absent.
    pub beat_within: Option<Span>,
    /// How long after its goodbye the gateway may take to end TCP, where the dialect promises nothing else.
    pub close_timeout: Option<Span>,
    /// How long a silent connection is watched where no window is promised.
    pub watch: Span,
    /// Hold one more connection that is silent for half of the time and then answers again: it must be kept.
    /// Needs `window.earliest`.
    pub recovery: bool,
    /// How long the dial of a connection may take.
    pub connect_timeout: Span,
    /// A healthy connection's ping must be answered within this time.
    pub pong_timeout: Span,
    /// The time between two samples of the bystander.
    pub bystander_every: Span,
    /// The most that is asked for to shut the window of a connection that does not read, in bytes.
    #[schemars(range(min = 4096, max = 1048576))]
    pub stall_bytes: u32,
    /// An assertion that is left out: the tests' way to show that each is needed. No config can set it.
    #[serde(skip)]
    pub without: Option<Assertion>,
}

/// How a connection goes silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Reads, and answers nothing.
    Mute,
    /// Answers ping frames, but not the dialect's heartbeat.
    HalfDead,
    /// Stops reading, with its receive window shut.
    Stalled,
}

/// When a gateway promises to let go of a silent connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// What the time counts from: `unanswered_beat` (the gateway's oldest heartbeat that was not answered) or
    /// `last_client_data` (our last frame).
    #[serde(default = "unanswered_beat")]
    pub origin: Origin,
    /// Not before this time; when absent, an early end is no fault.
    #[serde(default)]
    pub earliest: Option<Span>,
    /// At the latest after this time.
    pub latest: Span,
}

fn unanswered_beat() -> Origin {
    Origin::UnansweredBeat
}

impl Mode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Mute, Self::HalfDead, Self::Stalled];

    /// The value of the label `mode`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::HalfDead => "half_dead",
            Self::Stalled => "stalled",
        }
    }

    pub(super) fn manners(self) -> Manners {
        match self {
            Self::HalfDead => Manners::HALF_DEAD,
            Self::Mute | Self::Stalled => Manners::MUTE,
        }
    }
}

impl Default for Zombie {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(300),
            timeout: None,
            profile: Profile::Light,
            modes: None,
            zombies: None,
            healthy: None,
            window: None,
            tolerance: Span::secs(2),
            beat_within: None,
            close_timeout: None,
            watch: Span::secs(60),
            recovery: true,
            connect_timeout: Span::secs(5),
            pong_timeout: Span::secs(5),
            bystander_every: Span::secs(1),
            stall_bytes: 65_536,
            without: None,
        }
    }
}

impl Zombie {
    /// The modes that were asked for, whether the dialect has them or not.
    pub fn modes(&self) -> Vec<Mode> {
        self.modes.clone().unwrap_or(match self.profile {
            Profile::Light => vec![Mode::Mute],
            Profile::Suite => vec![Mode::Mute, Mode::HalfDead],
            Profile::Full => Mode::ALL.to_vec(),
        })
    }

    /// Connections that go silent in a mode.
    pub fn zombies(&self, mode: Mode) -> u32 {
        let mute = self.zombies.unwrap_or(match self.profile {
            Profile::Light => 1,
            Profile::Suite => 2,
            Profile::Full => 25,
        });
        match mode {
            _ if !self.modes().contains(&mode) => 0,
            Mode::Mute => mute,
            Mode::HalfDead | Mode::Stalled => 1,
        }
    }

    /// Healthy connections beside them.
    pub fn healthy(&self) -> u32 {
        self.healthy.unwrap_or(match self.profile {
            Profile::Light => 1,
            Profile::Suite => 3,
            Profile::Full => 50,
        })
    }

    /// How long after its goodbye the gateway may take to end TCP.
    pub fn close_timeout(&self) -> Duration {
        // The most patient of the common libraries (npm ws) gives the other side 30 s to answer its Close.
        self.close_timeout.unwrap_or(Span::secs(35)).get()
    }

    pub(super) fn beat_within(&self) -> Duration {
        self.beat_within.unwrap_or(UNKNOWN_BEAT).get()
    }

    /// How often a well-behaved client says something of itself: often enough never to look silent.
    pub(super) fn keep_alive(&self) -> Duration {
        match &self.window {
            Some(window) if window.origin == Origin::LastClientData => {
                let silent = window.earliest.unwrap_or(window.latest).get();
                KEEP_ALIVE.min(silent / 3).max(LEAST_EVERY)
            }
            _ => KEEP_ALIVE,
        }
    }

    /// The time between two samples of the bystander, which must not look silent either.
    pub(super) fn bystander_every(&self) -> Duration {
        self.bystander_every.get().min(self.keep_alive()).max(LEAST_EVERY)
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
        let interval = match dialect.beats() {
            true => dialect.beat_interval(captured),
            false => dialect.pings_interval(captured),
        };
        self.beat_within = self.beat_within.or(interval.map(Span::from));
        if let Some(promise) = dialect.zombie(captured) {
            self.close_timeout = self.close_timeout.or(promise.release.map(Span::from));
            self.window.get_or_insert(Window {
                origin: promise.origin,
                earliest: Some(Span::from(promise.earliest)),
                latest: Span::from(promise.latest),
            });
        }
        self
    }

    /// Whether the dialect has what a mode needs.
    pub fn has(dialect: &Dialect, mode: Mode) -> bool {
        match mode {
            Mode::Mute | Mode::Stalled => true,
            Mode::HalfDead => dialect.beats() || dialect.has(Part::Heartbeat),
        }
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span::from(self.worst_case().get() + SLACK.get()))
    }

    /// How long a silence may last until it is known to be a leak.
    pub(super) fn longest_silence(&self) -> Duration {
        match &self.window {
            None => self.watch.get(),
            Some(window) => {
                let beat = match window.origin {
                    Origin::UnansweredBeat => self.beat_within(),
                    Origin::LastClientData => Duration::ZERO,
                };
                beat + window.latest.get() + self.tolerance.get()
            }
        }
    }

    /// The time that a healthy gateway may take: the dial, the bystander's baseline, the silence, its goodbye, and a
    /// last word of the healthy connections.
    pub fn worst_case(&self) -> Span {
        let (pings, every) = Companion::BASELINE;
        let before = self.connect_timeout.get() + every * pings;
        Span::from(before + self.longest_silence() + self.close_timeout() + self.pong_timeout.get())
    }

    /// Its connections with the few messages of the healthy ones, and what shuts the window of a stalled one.
    pub fn cost(&self) -> Cost {
        let silent: u32 = Mode::ALL.iter().map(|mode| self.zombies(*mode)).sum();
        let connections = u64::from(silent + self.healthy() + u32::from(self.recovery));
        let seconds = self.worst_case().as_secs_f64();
        let rounds = |every: Duration| (seconds / every.as_secs_f64()).ceil() as u64;
        let bystander = u64::from(Companion::BASELINE.0) + rounds(self.bystander_every());
        let kept = u64::from(self.healthy()) * (rounds(self.keep_alive()) + 2);
        let (stalled, stall) = match self.zombies(Mode::Stalled) {
            0 => (0, 0),
            // Asked for and sent back, in pings of 125 bytes where the dialect has no echo.
            _ => (u64::from(self.stall_bytes) / 125, 2 * u64::from(self.stall_bytes)),
        };
        let messages = bystander + kept + connections + stalled;
        Cost {
            connections,
            concurrent: connections,
            messages,
            bytes: connections * 1_024 + messages * 50 + stall,
        }
    }
}
