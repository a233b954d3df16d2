//! Where the token goes; the target's `auth.place` has the same shape.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the token goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenPlace {
    /// Into a header of the upgrade request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderPlace>,
    /// Into the query of the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryPlace>,
    /// Into `Sec-WebSocket-Protocol`, as browsers must.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<SubprotocolPlace>,
    /// Into a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<CookiePlace>,
    /// Into the first message after the upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_message: Option<FirstMessagePlace>,
}

/// A header of the upgrade request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderPlace {
    /// The header's name.
    pub name: String,
    /// What stands before the token.
    pub prefix: String,
}

/// A parameter of the URL's query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueryPlace {
    /// The parameter's name.
    pub name: String,
}

/// A subprotocol that carries the token; it is offered after the target's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SubprotocolPlace {
    /// What stands before the token, such as `base64url.bearer.authorization.`.
    pub prefix: String,
}

/// A cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CookiePlace {
    /// The cookie's name.
    pub name: String,
}

/// The first message after the upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstMessagePlace {
    /// The text message, in which `${token}` stands for the token (inside JSON strings it is escaped).
    pub template: String,
}

impl Default for HeaderPlace {
    fn default() -> Self {
        Self { name: "Authorization".into(), prefix: "Bearer ".into() }
    }
}

impl Default for QueryPlace {
    fn default() -> Self {
        Self { name: "access_token".into() }
    }
}

impl TokenPlace {
    /// The places that there are, by their names, and whether each is given.
    pub fn places(&self) -> [(&'static str, bool); 5] {
        [
            ("header", self.header.is_some()),
            ("query", self.query.is_some()),
            ("subprotocol", self.subprotocol.is_some()),
            ("cookie", self.cookie.is_some()),
            ("first_message", self.first_message.is_some()),
        ]
    }
}
