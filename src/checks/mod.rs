//! The checks: one module a kind. The config of a check *is* the check.

mod capability;
mod failures;
mod finding;
pub mod flapping;
pub mod handshake;
pub mod heartbeat;
pub mod hold;
pub mod malformed;
pub mod network_switch;
mod profile;
pub mod token_refresh;
pub mod zombie;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use capability::capability;
pub use capability::{CAPABILITY, Capability};
pub use finding::FINDING;
use finding::{Finding, finding};
pub use flapping::Flapping;
pub use handshake::Handshake;
pub use heartbeat::Heartbeat;
pub use hold::Hold;
pub use malformed::Malformed;
pub use network_switch::NetworkSwitch;
pub use profile::Profile;
pub use token_refresh::TokenRefresh;
pub use zombie::Zombie;

use crate::dialect::{Dialect, Variables};
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Cause, Outcome, Phase, Span, Verdict};
use crate::session::{Target, Visit};

/// Of every kind.
static METRICS: &[&Descriptor] = &[&CAPABILITY, &FINDING];

/// Every metric of every check.
pub fn metrics() -> Vec<&'static Descriptor> {
    metrics_by_kind().into_iter().flat_map(|(_, metrics)| metrics).copied().collect()
}

/// The same, by the kind of check that emits them.
pub fn metrics_by_kind() -> Vec<(&'static str, &'static [&'static Descriptor])> {
    vec![
        ("each check", METRICS),
        ("check `handshake`", handshake::METRICS),
        ("check `heartbeat`", heartbeat::METRICS),
        ("check `zombie`", zombie::METRICS),
        ("check `flapping`", flapping::METRICS),
        ("check `malformed`", malformed::METRICS),
        ("check `network_switch`", network_switch::METRICS),
        ("check `token_refresh`", token_refresh::METRICS),
        ("check `hold`", hold::METRICS),
    ]
}

/// A check with all its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSpec {
    /// See [`Handshake`].
    Handshake(Handshake),
    /// See [`Heartbeat`].
    Heartbeat(Heartbeat),
    /// See [`Zombie`].
    Zombie(Zombie),
    /// See [`Flapping`].
    Flapping(Flapping),
    /// See [`Malformed`].
    Malformed(Malformed),
    /// See [`NetworkSwitch`].
    NetworkSwitch(NetworkSwitch),
    /// See [`TokenRefresh`].
    TokenRefresh(TokenRefresh),
    /// See [`Hold`].
    Hold(Hold),
}

/// The checks of a target, by kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Dials, upgrades, closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// Pings, and watches the gateway's own heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Goes silent, and watches how the gateway cleans up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zombie: Option<Zombie>,
    /// Connects, leaves and comes back, again and again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Flapping>,
    /// Sends what is malformed, and watches how the gateway takes it. Only where it is written here: a firewall may
    /// ban the address that it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<Malformed>,
    /// Loses its network in the middle of a stream, comes back, and accounts for every message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_switch: Option<NetworkSwitch>,
    /// Renews its token on the open connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_refresh: Option<TokenRefresh>,
    /// Holds connections for days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// What one run may cost a gateway, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Connections opened.
    pub connections: u64,
    /// Connections open at once.
    pub concurrent: u64,
    /// WebSocket messages and control frames sent.
    pub messages: u64,
    /// Bytes sent and received, with headers, without TLS and TCP overhead.
    pub bytes: u64,
}

/// What of a target shapes its checks.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// What the gateway speaks and promises; none where its file is broken.
    pub dialect: Option<&'a Dialect>,
    /// New connections a second that the budget allows.
    pub connections_per_second: f64,
    /// Whether the gateway tells of its sessions and memory, and nobody else uses it.
    pub exclusive: bool,
}

/// Time on top of what a good run takes, where a check's `timeout` is not given.
const SLACK: Span = Span::secs(5);

impl Surroundings<'_> {
    /// The time-out of a check that needs so much time and so many connections.
    fn timeout(&self, needed: Span, connections: u64) -> Span {
        let paced = self.pace(u32::try_from(connections).unwrap_or(u32::MAX));
        Span::from(needed.get() + paced + SLACK.get())
    }

    /// How long the budget makes so many connections wait.
    fn pace(&self, connections: u32) -> Duration {
        let seconds = f64::from(connections.saturating_sub(1)) / self.connections_per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    fn pings_interval(&self) -> Option<Span> {
        self.dialect?.pings_interval(&Variables::default()).map(Span::from)
    }

    fn beat_interval(&self) -> Option<Span> {
        self.dialect?.beat_interval(&Variables::default()).map(Span::from)
    }
}

impl Checks {
    /// The enabled checks.
    pub fn into_specs(self) -> Vec<CheckSpec> {
        let handshake = self.handshake.filter(|check| check.enabled).map(CheckSpec::Handshake);
        let heartbeat = self.heartbeat.filter(|check| check.enabled).map(CheckSpec::Heartbeat);
        let zombie = self.zombie.filter(|check| check.enabled).map(CheckSpec::Zombie);
        let switch = self.network_switch.filter(|check| check.enabled).map(CheckSpec::NetworkSwitch);
        let refresh = self.token_refresh.filter(|check| check.enabled).map(CheckSpec::TokenRefresh);
        let flapping = self.flapping.filter(|check| check.enabled).map(CheckSpec::Flapping);
        let malformed = self.malformed.filter(|check| check.enabled).map(CheckSpec::Malformed);
        let hold = self.hold.filter(|check| check.enabled).map(CheckSpec::Hold);
        [handshake, heartbeat, zombie, flapping, malformed, switch, refresh, hold]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl CheckSpec {
    /// Every kind, in the order in which they are told.
    pub const KINDS: &'static [&'static str] = &[
        "handshake",
        "heartbeat",
        "zombie",
        "flapping",
        "malformed",
        "network_switch",
        "token_refresh",
        "hold",
    ];

    /// The kind: the word in the config, the file name and the metric prefix.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Handshake(_) => "handshake",
            Self::Heartbeat(_) => "heartbeat",
            Self::Zombie(_) => "zombie",
            Self::Flapping(_) => "flapping",
            Self::Malformed(_) => "malformed",
            Self::NetworkSwitch(_) => "network_switch",
            Self::TokenRefresh(_) => "token_refresh",
            Self::Hold(_) => "hold",
        }
    }

    /// The same check, with what it needs to know of its target: what the config leaves open comes from the
    /// dialect's promises.
    #[must_use]
    pub fn fit(self, around: &Surroundings<'_>) -> Self {
        match self {
            Self::Handshake(check) => Self::Handshake(check),
            Self::Heartbeat(check) => Self::Heartbeat(check.fit(around)),
            Self::Zombie(check) => Self::Zombie(check.fit(around)),
            Self::Flapping(check) => Self::Flapping(check.fit(around)),
            Self::Malformed(check) => Self::Malformed(check.fit(around)),
            Self::NetworkSwitch(check) => Self::NetworkSwitch(check.fit(around)),
            Self::TokenRefresh(check) => Self::TokenRefresh(check.fit(around)),
            Self::Hold(check) => Self::Hold(check.fit(around)),
        }
    }

    /// The same check, looking as hard as the profile says.
    #[must_use]
    pub fn with_profile(self, profile: Profile) -> Self {
        match self {
            Self::Handshake(check) => Self::Handshake(check),
            Self::Heartbeat(check) => Self::Heartbeat(Heartbeat { profile, ..check }),
            Self::Zombie(check) => Self::Zombie(Zombie { profile, ..check }),
            Self::Flapping(check) => Self::Flapping(Flapping { profile, ..check }),
            Self::Malformed(check) => Self::Malformed(Malformed { profile, ..check }),
            Self::NetworkSwitch(check) => Self::NetworkSwitch(NetworkSwitch { profile, ..check }),
            Self::TokenRefresh(check) => Self::TokenRefresh(TokenRefresh { profile, ..check }),
            Self::Hold(check) => Self::Hold(Hold { profile, ..check }),
        }
    }

    /// Runs once. Has no deadline of its own: whoever calls puts one over it.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self {
            Self::Handshake(check) => check.run(visit).await,
            Self::Heartbeat(check) => check.run(visit).await,
            Self::Zombie(check) => check.run(visit).await,
            Self::Flapping(check) => check.run(visit).await,
            Self::Malformed(check) => check.run(visit).await,
            Self::NetworkSwitch(check) => check.run(visit).await,
            Self::TokenRefresh(check) => check.run(visit).await,
            Self::Hold(check) => check.run(visit).await,
        }
    }

    /// Whether each run fails that can't get in. `hold` fails but once, for who was in before; all others could not begin.
    pub fn counts_who_is_kept_out(&self) -> bool {
        matches!(self, Self::Handshake(_))
    }

    /// The outcome of a run whose deadline came in a phase. What keeps us from getting in is counted by
    /// `handshake` alone.
    pub fn timed_out(&self, phase: Phase) -> Outcome {
        match (self, phase.timed_out()) {
            (Self::Handshake(_), outcome) => outcome,
            (_, Outcome::Fail(_)) if phase.is_of_the_dial() => Outcome::Inconclusive(Cause::Precondition),
            (_, outcome) => outcome,
        }
    }

    /// How often it runs.
    pub fn interval(&self) -> Span {
        match self {
            Self::Handshake(check) => check.interval,
            Self::Heartbeat(check) => check.interval,
            Self::Zombie(check) => check.interval,
            Self::Flapping(check) => check.interval,
            Self::Malformed(check) => check.interval,
            Self::NetworkSwitch(check) => check.interval,
            Self::TokenRefresh(check) => check.interval,
            Self::Hold(check) => check.interval,
        }
    }

    /// The one deadline of a run.
    pub fn timeout(&self) -> Span {
        match self {
            Self::Handshake(check) => check.timeout,
            Self::Heartbeat(check) => check.timeout(),
            Self::Zombie(check) => check.timeout(),
            Self::Flapping(check) => check.timeout(),
            Self::Malformed(check) => check.timeout(),
            Self::NetworkSwitch(check) => check.timeout(),
            Self::TokenRefresh(check) => check.timeout(),
            Self::Hold(check) => check.timeout(),
        }
    }

    /// The same check with another deadline.
    #[must_use]
    pub fn with_timeout(self, timeout: Span) -> Self {
        match self {
            Self::Handshake(check) => Self::Handshake(Handshake { timeout, ..check }),
            Self::Heartbeat(check) => Self::Heartbeat(Heartbeat { timeout: Some(timeout), ..check }),
            Self::Zombie(check) => Self::Zombie(Zombie { timeout: Some(timeout), ..check }),
            Self::Flapping(check) => Self::Flapping(Flapping { timeout: Some(timeout), ..check }),
            Self::Malformed(check) => Self::Malformed(Malformed { timeout: Some(timeout), ..check }),
            Self::NetworkSwitch(check) => {
                Self::NetworkSwitch(NetworkSwitch { timeout: Some(timeout), ..check })
            }
            Self::TokenRefresh(check) => Self::TokenRefresh(TokenRefresh { timeout: Some(timeout), ..check }),
            Self::Hold(check) => Self::Hold(Hold { timeout: Some(timeout), ..check }),
        }
    }

    /// The series of the check's own metrics that exist at 0 before the first run of a target.
    pub fn series_at_zero(&self, target: &Target) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        match self {
            Self::Handshake(check) => check.series_at_zero(target),
            Self::Heartbeat(check) => check.series_at_zero(target),
            Self::Zombie(check) => check.series_at_zero(target),
            Self::Flapping(check) => check.series_at_zero(),
            Self::Malformed(check) => check.series_at_zero(target),
            Self::NetworkSwitch(check) => check.series_at_zero(),
            Self::TokenRefresh(check) => check.series_at_zero(),
            Self::Hold(check) => check.series_at_zero(),
        }
    }

    /// Whether it mistreats the gateway, and so leaves it alone for a while where that asks for patience or suffers.
    pub fn is_intrusive(&self) -> bool {
        match self {
            Self::Handshake(_) | Self::Heartbeat(_) | Self::Hold(_) => false,
            Self::Zombie(_) | Self::Flapping(_) | Self::Malformed(_) => true,
            Self::NetworkSwitch(_) | Self::TokenRefresh(_) => true,
        }
    }

    /// The shortest time-out with which a run can still find out what it is for.
    pub fn worst_case(&self) -> Span {
        match self {
            Self::Handshake(check) => check.worst_case(),
            Self::Heartbeat(check) => check.worst_case(),
            Self::Zombie(check) => check.worst_case(),
            Self::Flapping(check) => check.worst_case(),
            Self::Malformed(check) => check.worst_case(),
            Self::NetworkSwitch(check) => check.worst_case(),
            Self::TokenRefresh(check) => check.worst_case(),
            Self::Hold(check) => check.worst_case(),
        }
    }

    /// What one run costs the gateway, at most.
    pub fn cost(&self) -> Cost {
        match self {
            Self::Handshake(check) => check.cost(),
            Self::Heartbeat(check) => check.cost(),
            Self::Zombie(check) => check.cost(),
            Self::Flapping(check) => check.cost(),
            Self::Malformed(check) => check.cost(),
            Self::NetworkSwitch(check) => check.cost(),
            Self::TokenRefresh(check) => check.cost(),
            Self::Hold(check) => check.cost(),
        }
    }

    /// What one day costs the gateway, at most, where that is not the sum of its runs.
    pub fn cost_of_a_day(&self) -> Option<Cost> {
        match self {
            Self::Hold(check) => Some(check.cost_of_a_day()),
            _ => None,
        }
    }

    /// Connections that stay open between its runs.
    pub fn held(&self) -> u32 {
        match self {
            Self::Hold(check) => check.connections(),
            _ => 0,
        }
    }

    /// For how long it wants the gateway's certificate to be valid, at least.
    pub fn certificate_min_validity(&self) -> Option<Span> {
        match self {
            Self::Handshake(check) => check.certificate_min_validity,
            _ => None,
        }
    }

    /// Whether its runs tell what was before them, so that they say nothing of the moment.
    pub fn looks_back(&self) -> bool {
        matches!(self, Self::Hold(_))
    }
}
