//! What of the rules a site may choose.

use super::alerts;

/// What of the rules a site may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Every window, wait and interval is divided by this: 60 makes of an hour a minute, for drills.
    pub speed: u32,
    /// What the address of a runbook begins with; the alert's name and `.md` follow.
    pub runbooks: String,
    /// The address of the Grafana that has the dashboards.
    pub dashboards: String,
    /// Alerts that are left out.
    pub without: Vec<String>,
    /// Further labels of each alert, for routing.
    pub labels: Vec<(String, String)>,
}

/// There is no such alert.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no alert {name:?}; there are: {}", alerts().join(", "))]
pub struct UnknownAlert {
    name: String,
}

impl Default for Options {
    fn default() -> Self {
        let repository = env!("CARGO_PKG_REPOSITORY");
        let root = if repository.is_empty() { String::new() } else { format!("{repository}/blob/main/") };
        Self {
            speed: 1,
            runbooks: format!("{root}docs/runbooks"),
            dashboards: String::new(),
            without: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl Options {
    /// The first alert to be left out that does not exist.
    pub(super) fn unknown(&self) -> Option<UnknownAlert> {
        let known = alerts();
        let unknown = self.without.iter().find(|name| !known.contains(&name.as_str()));
        unknown.map(|name| UnknownAlert { name: name.clone() })
    }

    pub(super) fn leaves_out(&self, alert: &str) -> bool {
        self.without.iter().any(|name| name == alert)
    }
}
