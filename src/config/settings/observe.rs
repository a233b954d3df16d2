//! The gateway's own metrics endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MaskedUrl, SecretSource};
use crate::model::Span;

/// The gateway's own metrics endpoint, in Prometheus' text format: what it says of its sessions and its memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Observe {
    /// `http://` or `https://`, host, path, query. No user or password. Dialled directly, with the authorities of
    /// the target's `tls`, and without its credential.
    pub url: Option<MaskedUrl>,
    /// The series that counts open sessions, such as `gateway_sessions_open{pool="a"}`: a name, and labels that must
    /// have a value. All series that fit are added up.
    pub sessions: Option<String>,
    /// The series with the resident memory in bytes, such as `process_resident_memory_bytes`.
    pub memory: Option<String>,
    /// Nobody else uses the gateway, so that what grows can be held against it; else it is only reported.
    pub exclusive: bool,
    /// How long one look may take.
    pub timeout: Span,
    /// A bearer token: exactly one of `file` and `env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretSource>,
}

impl Default for Observe {
    fn default() -> Self {
        Self {
            url: None,
            sessions: None,
            memory: None,
            exclusive: false,
            timeout: Span::secs(2),
            token: None,
        }
    }
}
