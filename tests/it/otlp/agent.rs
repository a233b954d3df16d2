//! The agent under test.

use crate::support::binary::Agent;
use crate::support::write;

/// Targets by name and URL, with what is said of them.
pub type Targets<'a> = &'a [(&'a str, &'a str, &'a str)];

/// A config with these settings of `otlp`, or none.
pub fn config(otlp: &str, targets: Targets<'_>) -> String {
    let target = |(name, url, more): &(&str, &str, &str)| {
        format!(
            "  {name}: {{ url: '{url}', {more} checks: {{ handshake: {{ interval: 2s, timeout: 2s, close_timeout: 500ms }} }} }}\n"
        )
    };
    let targets: String = targets.iter().map(target).collect();
    format!("http: {{ listen: '127.0.0.1:0' }}\nlog: {{ format: json }}\n{otlp}\ntargets:\n{targets}")
}

/// Writes it where the agent looks.
pub fn write_config(folder: &tempfile::TempDir, otlp: &str, targets: Targets<'_>) -> std::path::PathBuf {
    write(folder.path(), "gateprobe.yaml", config(otlp, targets))
}

/// Runs of a target's handshake by outcome, as /metrics tells.
pub fn runs(agent: &Agent, target: &str, outcome: &str) -> f64 {
    let labels = format!("check=\"handshake\",outcome=\"{outcome}\",target=\"{target}\"");
    agent.metric(&format!("gateprobe_check_runs_total{{{labels}}}")).unwrap_or_default()
}

/// Exports by signal and result, as /metrics tells.
pub fn exports(agent: &Agent, signal: &str, result: &str) -> f64 {
    let labels = format!("result=\"{result}\",signal=\"{signal}\"");
    agent.metric(&format!("gateprobe_agent_exports_total{{{labels}}}")).unwrap_or_default()
}
