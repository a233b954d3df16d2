//! The shape of a dialect file. Doc comments here are the descriptions in its JSON Schema.

mod conversation;
mod credential;
mod message;
mod promise;
mod reaction;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use conversation::{
    BeatSpec, BeforeSpec, DeliverySpec, ExchangeSpec, HeartbeatSpec, Method, OneWaySpec, RefreshSpec,
    ResumeSpec, StepSpec,
};
pub use credential::{CookiePlace, FirstMessagePlace, HeaderPlace, QueryPlace, SubprotocolPlace, TokenPlace};
pub use message::{MessageSpec, PatternSpec};
pub use promise::{
    ClosesSpec, CodeSpec, ExpirySpec, IntervalSpec, IntervalUnit, LimitsSpec, SizeSpec, ZombieSpec,
};
pub use reaction::ReactionSpec;

const NAME: &str = "can't be a name; write a lower-case letter, then lower-case letters, digits and -";

/// Which variable is taken from where: a JSON Pointer (RFC 6901) by name.
pub type CaptureSpec = BTreeMap<String, String>;

/// What a gateway's protocol says. Every part but `dialect` and `name` may be absent: a check that needs an
/// absent part is unsupported.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The version of this language: 1.
    #[schemars(range(min = 1, max = 1))]
    pub dialect: u32,
    /// The dialect's name: lower-case letters, digits and `-`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
    #[schemars(extend("x-expects" = NAME))]
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Subprotocols to offer where the target names none, the wanted one first.
    #[serde(default)]
    pub subprotocols: Vec<String>,
    /// An HTTP request to the same host before the upgrade, such as a negotiation or a ticket.
    #[serde(default)]
    pub before: Option<BeforeSpec>,
    /// Where the token goes, where the target's `auth` has no `place`: exactly one.
    #[serde(default)]
    pub credential: Option<TokenPlace>,
    /// What is awaited and sent after the upgrade, in order.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub open: Vec<StepSpec>,
    /// Heartbeats: ours, the gateway's, and its protocol pings.
    #[serde(default)]
    pub heartbeat: HeartbeatSpec,
    /// The promised clean-up of a client that fell silent.
    #[serde(default)]
    pub zombie: Option<ZombieSpec>,
    /// A message that the gateway answers with what it holds.
    #[serde(default)]
    pub echo: Option<ExchangeSpec>,
    /// How a stream is subscribed to.
    #[serde(default)]
    pub subscribe: Option<ExchangeSpec>,
    /// How a message is published to the stream.
    #[serde(default)]
    pub publish: Option<OneWaySpec>,
    /// A message of the subscribed stream.
    #[serde(default)]
    pub delivery: Option<DeliverySpec>,
    /// How a session is taken up again on a new connection.
    #[serde(default)]
    pub resume: Option<ResumeSpec>,
    /// How the token is renewed on the open connection.
    #[serde(default)]
    pub refresh: Option<RefreshSpec>,
    /// What becomes of a session whose token expires.
    #[serde(default)]
    pub expiry: Option<ExpirySpec>,
    /// What is sent before the end, to clean up what the synthetic user made.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub teardown: Vec<MessageSpec>,
    /// An error reply.
    #[serde(default)]
    pub error: Option<PatternSpec>,
    /// What the gateway means by its close codes.
    #[serde(default)]
    pub closes: ClosesSpec,
    /// Limits that the gateway promises.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// What counts as a right reaction to malformed input, by the name of a vector or a group of them, in place of
    /// what `gateprobe vectors` lists: close codes, statuses, and words such as `error_reply`.
    #[serde(default)]
    pub reactions: BTreeMap<String, Vec<ReactionSpec>>,
}
