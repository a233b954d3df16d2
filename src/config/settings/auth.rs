//! The credential of a target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretSource;
use crate::dialect::TokenPlace;

/// The credential of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Where the token comes from: exactly one of `file` and `env`.
    pub token: SecretSource,
    /// Where the token goes: exactly one. When absent, where the dialect says, or `Authorization: Bearer ...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<TokenPlace>,
}
