//! What is said before the upgrade, after it, and in the session.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::promise::{IntervalSpec, PingsSpec};
use super::{CaptureSpec, MessageSpec, PatternSpec};
use crate::model::Span;

/// The method of the request before the upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Method {
    /// GET.
    #[serde(rename = "GET")]
    Get,
    /// POST.
    #[serde(rename = "POST")]
    Post,
}

/// An HTTP request to the same host before the upgrade.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeforeSpec {
    /// GET or POST.
    pub method: Method,
    /// Path and query; a variable is percent-encoded.
    pub path: String,
    /// Headers by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: `text` or `json`.
    #[serde(default)]
    pub body: Option<MessageSpec>,
    /// The status that the answer must have; any other is a refusal.
    #[serde(default = "BeforeSpec::ok")]
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// What is taken out of the JSON answer.
    #[serde(default)]
    pub capture: CaptureSpec,
    /// What is added to the query of the upgrade's URL, by name.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}

/// A step after the upgrade: `await` or `send`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StepSpec {
    /// A message of the gateway's that has to come.
    pub r#await: Option<PatternSpec>,
    /// How long it may take to come.
    pub within: Option<Span>,
    /// What is taken out of it.
    pub capture: CaptureSpec,
    /// A message of ours.
    pub send: Option<MessageSpec>,
}

/// Heartbeats.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeartbeatSpec {
    /// We ask, the gateway answers.
    pub client: Option<ExchangeSpec>,
    /// The gateway asks, we answer.
    pub server: Option<BeatSpec>,
    /// Protocol pings (RFC 6455, section 5.5.2) that the gateway promises to send.
    pub pings: Option<PingsSpec>,
}

/// The gateway's heartbeat.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeatSpec {
    /// The gateway's message.
    pub beat: PatternSpec,
    /// What is taken out of it, for the reply.
    #[serde(default)]
    pub capture: CaptureSpec,
    /// Our reply, where one is owed.
    #[serde(default)]
    pub reply: Option<MessageSpec>,
    /// How often the gateway promises to send it.
    #[serde(default)]
    pub interval: Option<IntervalSpec>,
}

/// A message of ours and its answer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeSpec {
    /// Our message.
    pub send: MessageSpec,
    /// The gateway's answer.
    pub answer: PatternSpec,
    /// The gateway's answer where it refuses; looked for first.
    #[serde(default)]
    pub refused: Option<PatternSpec>,
    /// What is taken out of `answer`.
    #[serde(default)]
    pub capture: CaptureSpec,
}

/// A message of ours that may have an answer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneWaySpec {
    /// Our message.
    pub send: MessageSpec,
    /// The gateway's answer, where it gives one.
    #[serde(default)]
    pub answer: Option<PatternSpec>,
    /// The gateway's answer where it refuses; looked for first.
    #[serde(default)]
    pub refused: Option<PatternSpec>,
    /// What is taken out of `answer`.
    #[serde(default)]
    pub capture: CaptureSpec,
}

/// A message of the subscribed stream.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliverySpec {
    /// What it looks like.
    pub message: PatternSpec,
    /// What is taken out of it; `sequence` numbers the stream's messages and is kept as `last_sequence`.
    #[serde(default)]
    pub capture: CaptureSpec,
}

/// How a session is taken up again.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeSpec {
    /// Our message.
    pub send: MessageSpec,
    /// The answer where the session goes on.
    pub resumed: PatternSpec,
    /// The answer where a new session begins; looked for after `resumed`.
    pub fresh: PatternSpec,
    /// How long the gateway promises to keep a session that has lost its connection, with what is published
    /// meanwhile.
    #[serde(default)]
    pub retention: Option<IntervalSpec>,
    /// What is taken out of either answer.
    #[serde(default)]
    pub capture: CaptureSpec,
}

/// How the token is renewed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshSpec {
    /// Our message; `${token}` is the new token, `${old_token}` the one before.
    pub send: MessageSpec,
    /// The answer where the gateway takes it.
    pub accepted: PatternSpec,
    /// The answer where the gateway refuses it; looked for first.
    #[serde(default)]
    pub refused: Option<PatternSpec>,
    /// What is taken out of `accepted`.
    #[serde(default)]
    pub capture: CaptureSpec,
}

/// The gateway's wish that its clients come back on a new connection, since this one is about to end.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconnectSpec {
    /// What it looks like.
    pub message: PatternSpec,
    /// What is taken out of it, for `delay`.
    #[serde(default)]
    pub capture: CaptureSpec,
    /// How long clients are to stay away, counted from the message; at once where it is not told.
    #[serde(default)]
    pub delay: Option<IntervalSpec>,
}

impl BeforeSpec {
    fn ok() -> u16 {
        200
    }
}
