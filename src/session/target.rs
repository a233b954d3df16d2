//! Whom a run visits.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::jar::{Cookies, Jar};
use crate::auth::Credential;
use crate::wire::Endpoint;

/// A gateway with all that is needed to be let in.
#[derive(Debug)]
pub struct Target {
    /// Its name in the config.
    pub name: Arc<str>,
    /// The config's own labels, for routing alerts.
    pub labels: BTreeMap<String, String>,
    /// How it is reached.
    pub endpoint: Endpoint,
    /// What lets us in.
    pub credential: Option<Credential>,
    /// Whether each resolved address is probed, not only the first that answers.
    pub resolve_all: bool,
    /// What happens to cookies.
    pub cookies: Cookies,
    /// The cookies that outlive a run.
    pub jar: Jar,
}
