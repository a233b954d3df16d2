//! What the config says of the `hold` check.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Assertion;
use crate::checks::{Cost, Profile, SLACK, Surroundings};
use crate::model::Span;
use crate::session::Terms;

const DAY: f64 = 86_400.0;

/// Holds a few connections between its runs, for days, and tells how they ended: who closed them, and what a deploy
/// does to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hold {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often a run reads how the connections fared.
    pub interval: Span,
    /// The one deadline of a run; when absent, what a good run may take, and some more.
    pub timeout: Option<Span>,
    /// How hard it looks: the connections, where they are not given (2, 5 or 10).
    pub profile: Profile,
    /// Connections held. They count in the target's `budget.connections` all the time.
    #[schemars(range(min = 1, max = 100))]
    pub connections: Option<u32>,
    /// The time between two pings of a connection, at each level that the dialect has.
    pub every: Span,
    /// A ping that is not answered within this time is lost, and its connection given up.
    pub pong_timeout: Span,
    /// How long the dial of a connection may take.
    pub connect_timeout: Span,
    /// How long a run watches, at least.
    pub watch: Span,
    /// A connection that has ended must be let in again within this time.
    pub back_within: Span,
    /// How long the gateway lets a connection live: one that ends at this age, or later, has ended rightly.
    pub lifetime: Option<Span>,
    /// An assertion that is left out: the tests' way to show that each is needed. No config can set it.
    #[serde(skip)]
    pub without: Option<Assertion>,
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(60),
            timeout: None,
            profile: Profile::Light,
            connections: None,
            every: Span::secs(20),
            pong_timeout: Span::secs(5),
            connect_timeout: Span::secs(5),
            watch: Span::secs(5),
            back_within: Span::secs(30),
            lifetime: None,
            without: None,
        }
    }
}

impl Hold {
    /// Connections held.
    pub fn connections(&self) -> u32 {
        self.connections.unwrap_or(match self.profile {
            Profile::Light => 2,
            Profile::Suite => 5,
            Profile::Full => 10,
        })
    }

    /// How the connections are held.
    pub fn terms(&self) -> Terms {
        Terms {
            connections: self.connections() as usize,
            every: self.every.get(),
            pong_timeout: self.pong_timeout.get(),
            connect_timeout: self.connect_timeout.get(),
            forgotten_after: 3 * self.interval.get(),
        }
    }

    /// The check with a time-out.
    #[must_use]
    pub fn fit(mut self, around: &Surroundings<'_>) -> Self {
        if self.timeout.is_none() {
            self.timeout = Some(around.timeout(self.worst_case(), self.connections().into()));
        }
        self
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span::from(self.worst_case().get() + SLACK.get()))
    }

    /// The dial, the first pong, and then either the watch or the time in which a connection must be back.
    pub fn worst_case(&self) -> Span {
        let opening = self.connect_timeout.get() + self.pong_timeout.get();
        Span::from(opening + self.watch.get().max(self.back_within.get()))
    }

    /// Of one run: the connections are opened, each level pings at once, and then from time to time.
    pub fn cost(&self) -> Cost {
        let connections = u64::from(self.connections());
        let pings = 2 + 2 * self.pings_within(self.timeout().get());
        // A goodbye, or the answer to one.
        let messages = connections * (pings + 1);
        Cost { connections, concurrent: connections, messages, bytes: connections * 1_024 + messages * 150 }
    }

    /// Of one day on which the gateway ends no connection, however many runs there are.
    pub fn cost_of_a_day(&self) -> Cost {
        let connections = u64::from(self.connections());
        let messages = connections * (2 * self.pings_within(Duration::from_secs_f64(DAY)) + 1);
        Cost { connections, concurrent: connections, messages, bytes: connections * 1_024 + messages * 150 }
    }

    fn pings_within(&self, time: Duration) -> u64 {
        (time.as_secs_f64() / self.every.as_secs_f64().max(0.001)).ceil() as u64
    }
}
