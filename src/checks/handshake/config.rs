//! What the config says of the `handshake` check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Cost;
use crate::model::Span;

/// Dials the gateway, times each phase, and holds the answer against RFC 6455 and the target's promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Handshake {
    /// Whether the check runs.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Span,
    /// The one deadline of a run, from its start to the end of its last connection.
    pub timeout: Span,
    /// Upper bounds of each phase; a run that is right but slower fails as `too_slow`.
    pub thresholds: Thresholds,
    /// Fail as `tls_expires_soon` when the gateway's certificate is valid for less than this.
    pub certificate_min_validity: Option<Span>,
    /// The gateway must select one of the target's subprotocols.
    pub require_subprotocol: bool,
    /// The gateway speaks first: wait for its first message.
    pub first_message: Option<FirstMessage>,
    /// How long the gateway may take to answer our Close frame and end the TCP connection.
    pub close_timeout: Span,
    /// Further expectations; each is a probe on a connection of its own.
    pub expect: Expect,
}

/// Upper bounds of the phases of a dial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// From the start of name resolution to the end of the last phase.
    pub total: Option<Span>,
    /// Name resolution.
    pub dns: Option<Span>,
    /// TCP connect, with all attempts.
    pub tcp: Option<Span>,
    /// TLS handshake.
    pub tls: Option<Span>,
    /// From the upgrade request to the end of the response's header.
    pub upgrade: Option<Span>,
    /// From the end of the upgrade to the first message.
    pub first_message: Option<Span>,
}

/// The first message of a gateway that speaks first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FirstMessage {
    /// How long it may take; the run's deadline when absent.
    pub within: Option<Span>,
    /// `text` or `binary`; any when absent.
    pub kind: Option<MessageKind>,
    /// A text that it must contain.
    pub contains: Option<String>,
}

/// Kind of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
}

/// Further expectations of the handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Without a credential the gateway refuses: by 401 or 403, by Close 1008, or as `refusal_statuses` and
    /// `refusal_codes` say. Needs the target's `auth`.
    pub no_token_refused: bool,
    /// HTTP statuses beside 401 and 403 by which the gateway refuses.
    #[schemars(inner(range(min = 400, max = 499)))]
    pub refusal_statuses: Vec<u16>,
    /// Close codes beside 1008 by which the gateway refuses after the upgrade.
    pub refusal_codes: Vec<u16>,
    /// How long an upgraded connection that should have been refused is watched for its Close.
    pub refusal_timeout: Span,
    /// A foreign `Origin` is refused, or only reported as a finding.
    pub foreign_origin: Option<Expectation>,
    /// A plain HTTP GET is answered by anything but 101.
    pub plain_get_refused: bool,
}

/// What to do when an expectation is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// The run fails.
    Refused,
    /// The run passes; the finding is exported and shown.
    Report,
}

impl Expect {
    /// Whether this status refuses somebody who should not get in.
    pub fn is_refusal_status(&self, status: u16) -> bool {
        matches!(status, 401 | 403) || self.refusal_statuses.contains(&status)
    }

    /// Whether this close code does; 1008 is the policy violation of RFC 6455, section 7.4.1.
    pub fn is_refusal_code(&self, code: u16) -> bool {
        code == 1008 || self.refusal_codes.contains(&code)
    }
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            no_token_refused: false,
            refusal_statuses: Vec::new(),
            refusal_codes: Vec::new(),
            refusal_timeout: Span::secs(1),
            foreign_origin: None,
            plain_get_refused: false,
        }
    }
}

impl Default for Handshake {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::secs(30),
            timeout: Span::secs(10),
            thresholds: Thresholds::default(),
            certificate_min_validity: None,
            require_subprotocol: false,
            first_message: None,
            close_timeout: Span::secs(2),
            expect: Expect::default(),
        }
    }
}

impl Handshake {
    /// Run time that a healthy gateway may use up: all that waits for a threshold or a close time-out.
    pub fn worst_case(&self) -> Span {
        let dial = self.thresholds.total.unwrap_or_default().get();
        let first = self.first_message.as_ref().and_then(|f| f.within).unwrap_or_default().get();
        let expect = &self.expect;
        let watched = [expect.no_token_refused, expect.foreign_origin.is_some(), expect.plain_get_refused];
        let watched = watched.into_iter().filter(|on| *on).count() as u32;
        Span::from(dial + first + self.close_timeout.get() + self.expect.refusal_timeout.get() * watched)
    }

    /// One connection, and one more for each further expectation.
    pub fn cost(&self) -> Cost {
        let expect = &self.expect;
        let probes = [expect.no_token_refused, expect.foreign_origin.is_some(), expect.plain_get_refused];
        let connections = 1 + probes.into_iter().filter(|on| *on).count() as u64;
        // One at a time: a light check never holds two connections. About 1 KiB a request and its answer.
        Cost { connections, concurrent: 1, messages: connections, bytes: connections * 1_024 }
    }
}
