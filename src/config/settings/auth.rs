//! The credential of a target.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::{MaskedUrl, SecretSource};
use crate::auth::Mint;
use crate::dialect::TokenPlace;
use crate::model::Span;

/// The credential of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Where the token comes from: exactly one of `file`, `env`, `mint` and `oauth2`.
    pub token: TokenSource,
    /// Where the token goes: exactly one. When absent, where the dialect says, or `Authorization: Bearer ...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<TokenPlace>,
}

/// Where a token comes from: a file, a variable of the environment, gateprobe itself, or an authorization server; never
/// the config.
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
    /// A token that an authorization server issues.
    pub oauth2: Option<OAuth2>,
}

const TOKEN: &str = "a secret must not stand in the config; write {file: PATH}, {env: NAME}, {mint: {...}} or {oauth2: {...}}";

/// OAuth2's client credentials grant (RFC 6749, section 4.4). A token is asked for once for all targets with the same
/// settings, and used for all their connections until shortly before it expires. Goes by the target's `proxy` and
/// trusts what its `tls` trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// The token endpoint: https, or http to this machine.
    pub token_url: MaskedUrl,
    /// Who we are to it. A client for gateprobe alone, of a test tenant.
    pub client_id: String,
    /// What proves it; read anew for each request.
    pub client_secret: SecretSource,
    /// What the token is to be good for, with blanks between several. When absent, what the server says.
    #[serde(default)]
    pub scope: Option<String>,
    /// Whom the token is for, where the server wants to be told so.
    #[serde(default)]
    pub audience: Option<String>,
    /// How id and secret are shown.
    #[serde(default)]
    pub auth_method: AuthMethod,
    /// How long one request may take.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
}

/// How a client shows its id and its secret (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// By HTTP Basic authentication, which every server knows.
    #[default]
    Basic,
    /// In the request's body.
    Post,
}

fn default_timeout() -> Span {
    Span::secs(5)
}
