//! The places in which gateways look for a token.

/// Where the token goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A request header: `prefix` and the token.
    Header {
        /// The header's name, `Authorization` mostly.
        name: String,
        /// What stands before the token, `Bearer ` mostly.
        prefix: String,
    },
    /// A query parameter of the URL. Balancers log it: prefer a header.
    Query {
        /// The parameter's name.
        name: String,
    },
    /// A further offered subprotocol: `prefix` and the token, as browsers must do it.
    Subprotocol {
        /// What stands before the token.
        prefix: String,
    },
    /// A cookie.
    Cookie {
        /// The cookie's name.
        name: String,
    },
    /// The first message after the upgrade.
    FirstMessage {
        /// The message, with `${token}` where the token goes.
        template: String,
    },
    /// Nowhere of its own: the dialect's requests and messages carry it.
    Dialect,
}

impl Place {
    /// The placeholder in a template.
    pub const PLACEHOLDER: &'static str = "${token}";
}
