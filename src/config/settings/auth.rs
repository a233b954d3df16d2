//! The credential of a target.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::Mint;
use crate::dialect::TokenPlace;

/// The credential of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Where the token comes from: exactly one of `file`, `env` and `mint`.
    pub token: TokenSource,
    /// Where the token goes: exactly one. When absent, where the dialect says, or `Authorization: Bearer ...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<TokenPlace>,
}

/// Where a token comes from: a file, a variable of the environment, or gateprobe itself; never the config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("x-expects" = TOKEN))]
pub struct TokenSource {
    /// A file with the token; white space around it is dropped. Read anew for each connection.
    pub file: Option<PathBuf>,
    /// The name of a variable of the environment.
    pub env: Option<String>,
    /// A JSON Web Token that gateprobe signs itself.
    pub mint: Option<Mint>,
}

const TOKEN: &str = "a secret must not stand in the config; write {file: PATH}, {env: NAME} or {mint: {...}}";
