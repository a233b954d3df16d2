//! What the config says of the `flapping` check.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Assertion;
use crate::checks::{Cost, Profile, SLACK, Surroundings};
use crate::dialect::{Dialect, Origin, Variables};
use crate::model::Span;
use crate::session::Companion;

/// What one connection may take, where all of them are added up: few gateways are further away.
const ONE_CONNECT: Duration = Duration::from_millis(500);
/// How long a gateway gets to forget who has left, where nothing is promised.
const UNKNOWN_SETTLE: Span = Span::secs(10);
/// The least time between two words of the bystander.
const LEAST_EVERY: Duration = Duration::from_millis(50);

/// Connects, leaves and comes back again and again, in every way in which clients leave, and holds the last
/// connections against the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Flapping {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Span,
    /// The one deadline of a run; when absent, what a good run may take, and some more.
    pub timeout: Option<Span>,
    /// How hard it flaps, where the numbers are not given: 10 cycles; or 20 fast ones, and then 3 clients with 15
    /// each at once (`suite` and `full`).
    pub profile: Profile,
    /// Cycles of one client: connect, hold, leave, gap.
    #[schemars(range(min = 4, max = 200))]
    pub cycles: Option<u32>,
    /// How long each connection is held; 250 ms, in the other profiles 100 ms.
    pub hold: Option<Span>,
    /// From leaving to coming back; 750 ms, in the other profiles 50 ms.
    pub gap: Option<Span>,
    /// Clients that flap at once after that; none in the profile `light`, else 3.
    #[schemars(range(min = 0, max = 50))]
    pub clients: Option<u32>,
    /// Cycles of each of them.
    #[schemars(range(min = 1, max = 200))]
    pub client_cycles: u32,
    /// The ways of leaving, in turn.
    pub leave: Vec<Leave>,
    /// The share of the cycles that must connect.
    #[schemars(range(min = 0.8, max = 1.0))]
    pub connected: f64,
    /// How much longer the last connections may take than the first.
    pub drift: Drift,
    /// After the cycles, one more connection must answer within this time.
    pub stable_within: Span,
    /// How long the dial of a connection may take.
    pub connect_timeout: Span,
    /// The bystander's ping must be answered within this time.
    pub pong_timeout: Span,
    /// The time between two samples of the bystander.
    pub bystander_every: Span,
    /// How long the gateway may take to forget the sessions that have ended, and to give back their memory; when
    /// absent, what the dialect promises for silent clients, or 10 s. Looked at only where `observe` is `exclusive`.
    pub settle: Option<Span>,
    /// Sessions that may be left over.
    #[schemars(range(min = 0, max = 100000))]
    pub sessions_left: u32,
    /// By how many bytes the gateway's memory may grow.
    #[schemars(range(min = 1))]
    pub memory_growth: u64,
    /// The target has an `observe` that is `exclusive`, so that it is waited for what it says.
    #[serde(skip)]
    pub(crate) settles: bool,
    /// An assertion that is left out: the tests' way to show that each is needed. No config can set it.
    #[serde(skip)]
    pub without: Option<Assertion>,
}

/// A way of leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// By a Close frame, and the end of TCP when it was answered.
    Close,
    /// By FIN without a Close, as a program that ends.
    Fin,
    /// By RST.
    Rst,
}

/// How much longer the last connections may take than the first. Both bounds must be passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// The median of the last quarter's connect times, divided by that of the first.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub ratio: f64,
    /// The rise of the connect time from the first cycle to the last, by the median of all slopes between two
    /// cycles (Theil-Sen).
    pub least: Span,
}

impl Default for Flapping {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(600),
            timeout: None,
            profile: Profile::Light,
            cycles: None,
            hold: None,
            gap: None,
            clients: None,
            client_cycles: 15,
            leave: vec![Leave::Close, Leave::Fin, Leave::Rst],
            connected: 1.0,
            drift: Drift::default(),
            stable_within: Span::secs(2),
            connect_timeout: Span::secs(5),
            pong_timeout: Span::secs(5),
            bystander_every: Span::secs(1),
            settle: None,
            sessions_left: 0,
            memory_growth: 15_000_000,
            settles: false,
            without: None,
        }
    }
}

impl Default for Drift {
    fn default() -> Self {
        Self { ratio: 2.0, least: Span::millis(50) }
    }
}

impl Flapping {
    fn light(&self) -> bool {
        self.profile == Profile::Light
    }

    /// Cycles of the client that flaps alone.
    pub fn cycles(&self) -> u32 {
        self.cycles.unwrap_or(if self.light() { 10 } else { 20 })
    }

    /// How long each connection is held.
    pub fn hold(&self) -> Duration {
        self.hold.unwrap_or(Span::millis(if self.light() { 250 } else { 100 })).get()
    }

    /// From leaving to coming back.
    pub fn gap(&self) -> Duration {
        self.gap.unwrap_or(Span::millis(if self.light() { 750 } else { 50 })).get()
    }

    /// Clients that flap at once.
    pub fn clients(&self) -> u32 {
        self.clients.unwrap_or(if self.light() { 0 } else { 3 })
    }

    /// The cycles of all clients.
    pub fn all_cycles(&self) -> u32 {
        self.cycles() + self.clients() * self.client_cycles
    }

    /// Cycles that may fail.
    pub(super) fn may_fail(&self) -> u32 {
        // A share such as 0.9 has no exact form; a thousandth of a cycle does not count.
        (f64::from(self.all_cycles()) * (1.0 - self.connected) + 1e-3).floor() as u32
    }

    /// How long the gateway may take to forget who has left.
    pub fn settle(&self) -> Duration {
        self.settle.unwrap_or(UNKNOWN_SETTLE).get()
    }

    /// The time between two samples of the bystander.
    pub(super) fn bystander_every(&self) -> Duration {
        self.bystander_every.get().max(LEAST_EVERY)
    }

    /// The check with what the dialect promises, and with a time-out.
    #[must_use]
    pub fn fit(mut self, around: &Surroundings<'_>) -> Self {
        self.settle = self.settle.or_else(|| forgets(around.dialect?).map(Span::from));
        self.settles = around.exclusive;
        if self.timeout.is_none() {
            self.timeout = Some(around.timeout(self.worst_case(), self.cost().connections));
        }
        self
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span::from(self.worst_case().get() + SLACK.get()))
    }

    /// The time that a healthy gateway may take: the bystander's baseline, the cycles, the connection after them, and
    /// what it needs to forget them, and to tell of the bystander before.
    pub fn worst_case(&self) -> Span {
        let (samples, every) = Companion::BASELINE;
        let one = ONE_CONNECT + self.hold() + self.gap();
        let storm = if self.clients() > 0 { one * self.client_cycles } else { Duration::ZERO };
        let settle = if self.settles { self.settle() } else { Duration::ZERO };
        let before = self.connect_timeout.get() + every * samples + settle;
        let after = self.connect_timeout.get() + self.stable_within.get() + settle + self.pong_timeout.get();
        Span::from(before + one * self.cycles() + storm + after)
    }

    /// Its connections, each with a goodbye, and the words of the bystander.
    pub fn cost(&self) -> Cost {
        // And the bystander, and the one after the cycles.
        let connections = u64::from(self.all_cycles()) + 2;
        let seconds = self.worst_case().as_secs_f64();
        let bystander = (seconds / self.bystander_every().as_secs_f64()).ceil() as u64;
        let messages = connections + u64::from(Companion::BASELINE.0) + bystander + 2;
        Cost {
            connections,
            concurrent: 1 + u64::from(self.clients().max(1)),
            messages,
            bytes: connections * 1_024 + messages * 50,
        }
    }
}

/// How long the gateway may hold on to a client that has left without a word, where that stands in the dialect.
fn forgets(dialect: &Dialect) -> Option<Duration> {
    let promise = dialect.zombie(&Variables::default())?;
    let beat = match promise.origin {
        Origin::LastClientData => None,
        Origin::UnansweredBeat => {
            let variables = Variables::default();
            dialect.beat_interval(&variables).or(dialect.pings_interval(&variables))
        }
    };
    Some(promise.latest + beat.unwrap_or_default() + promise.release.unwrap_or_default())
}
