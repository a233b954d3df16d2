//! Whom a run visits.

use std::sync::Arc;

use super::jar::{Cookies, Jar};
use super::observe::Observe;
use crate::auth::{Credential, Source};
use crate::dialect::Dialect;
use crate::wire::Endpoint;

/// A gateway with all that is needed to be let in.
#[derive(Debug)]
pub struct Target {
    /// Its name in the config.
    pub name: Arc<str>,
    /// How it is reached.
    pub endpoint: Endpoint,
    /// What its protocol says.
    pub dialect: Arc<Dialect>,
    /// What lets us in.
    pub credential: Option<Credential>,
    /// Headers whose values are secrets, read anew for each connection.
    pub secret_headers: Vec<(String, Source)>,
    /// Whether each resolved address is probed, not only the first that answers.
    pub resolve_all: bool,
    /// Where the gateway tells of itself.
    pub observe: Option<Observe>,
    /// Whether the gateway is told of a run's trace, and how.
    pub propagate: Option<Propagate>,
    /// What happens to cookies.
    pub cookies: Cookies,
    /// The cookies that outlive a run.
    pub jar: Jar,
}

/// How a gateway is told of a run's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Propagate {
    /// With the flag that asks for the gateway's own spans to be kept.
    pub sampled: bool,
}
