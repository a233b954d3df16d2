//! Prometheus rules: what is recorded, and what alerts. One static set serves every target, since the agent exports
//! each objective, interval and pause as a metric.
//!
//! Pure: metrics stand here as text, in PromQL; a test holds each name and label against the catalogue.

mod agent;
mod budget;
mod burn;
mod checks;
mod findings;
mod latency;
mod options;
mod pace;
mod why;
mod yaml;

pub use options::{Options, UnknownAlert};

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Wakes somebody.
    Critical,
    /// Waits for office hours.
    Warning,
    /// Is there to be looked up.
    Info,
}

impl Severity {
    /// The value of the label `severity`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Rules that are evaluated one after the other.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// How often it is evaluated, where that is not the server's own interval.
    interval: Option<&'static str>,
    /// The rules, in the order of their evaluation.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone)]
pub enum Rule {
    /// A series made of others.
    Record {
        /// `level:metric:operations`.
        name: String,
        /// PromQL; lengths of time stand between percent signs.
        expr: String,
    },
    /// An alert.
    Alert(Alert),
}

/// One alert.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Its name; the name of its runbook too.
    pub name: &'static str,
    /// How urgent it is.
    pub severity: Severity,
    /// PromQL; lengths of time stand between percent signs.
    expr: String,
    /// How long the expression must hold.
    hold: Option<&'static str>,
    /// How long the alert outlives it.
    keep: Option<&'static str>,
    /// A label that tells rules of one name apart.
    label: Option<(&'static str, &'static str)>,
    summary: &'static str,
    description: String,
    /// The dashboard to open, with its variables.
    dashboard: &'static str,
}

/// The dashboard of one check.
const OF_CHECK: &str = "gateprobe-check?var-target={{ $labels.target }}&var-check={{ $labels.check }}";
/// The dashboard of objectives.
const OF_SLO: &str = "gateprobe-slo?var-target={{ $labels.target }}&var-check={{ $labels.check }}";
/// The dashboard of a target's checks.
const OF_TARGET: &str = "gateprobe-overview?var-target={{ $labels.target }}";
/// The dashboard of one agent.
const OF_AGENT: &str = "gateprobe-agent?var-instance={{ $labels.instance }}";
/// The dashboard of all agents.
const OF_AGENTS: &str = "gateprobe-agent";

/// Checks that mistreat the gateway on purpose: what they find waits for office hours. Any other failing check is an outage.
const HYGIENE: &str = "zombie|flapping|malformed";

/// Nobody is to be disturbed for a target that the config pauses.
const PAUSED: &str = "(max by (target, location) (gateprobe_target_paused) == 1)";

/// Every group of rules, at full length.
pub fn groups() -> Vec<Group> {
    vec![
        checks::group(),
        burn::group(),
        burn::long_group(),
        budget::group(),
        findings::group(),
        latency::group(),
        agent::group(),
    ]
}

/// The alerts' names, each once.
pub fn alerts() -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for rule in groups().into_iter().flat_map(|group| group.rules) {
        if let Rule::Alert(alert) = rule
            && !names.contains(&alert.name)
        {
            names.push(alert.name);
        }
    }
    names
}

/// The file for Prometheus' `rule_files`.
///
/// # Errors
/// When an alert is to be left out that does not exist.
pub fn file(options: &Options) -> Result<String, UnknownAlert> {
    if let Some(unknown) = options.unknown() {
        return Err(unknown);
    }
    let mut groups = groups();
    for group in &mut groups {
        group.rules.retain(|rule| match rule {
            Rule::Alert(alert) => !options.leaves_out(alert.name),
            Rule::Record { .. } => true,
        });
    }
    groups.retain(|group| !group.rules.is_empty());
    Ok(yaml::file(&groups, options))
}

fn record(name: impl Into<String>, expr: impl AsRef<str>) -> Rule {
    Rule::Record { name: name.into(), expr: pace::unindented(expr.as_ref()) }
}

#[cfg(test)]
mod tests;
