//! Rules for modules: what `/probe` may do for whoever can reach it.

use super::target::connection_settings;
use super::text::is_host_pattern;
use super::{Path, Report, checks};
use crate::checks::CheckSpec;
use crate::config::settings::{Allow, HeaderValue, TargetSettings};
use crate::config::words::quoted;
use crate::dialect::Dialect;

/// Checks a module; its one check if it has one.
pub fn module(
    report: &mut Report<'_>,
    path: &Path,
    allow: &Allow,
    settings: &TargetSettings,
    dialect: Option<&Dialect>,
) -> Option<CheckSpec> {
    let mut specs = checks::specs(settings, dialect);
    connection_settings(report, path, settings, dialect, None, &specs);
    hosts(report, path, allow, settings);
    if specs.len() != 1 {
        let message = format!("a module is exactly one check, and {} are on", specs.len());
        report.problem(&path.key("checks"), message);
        return None;
    }
    specs.pop()
}

fn hosts(report: &mut Report<'_>, path: &Path, allow: &Allow, settings: &TargetSettings) {
    let hosts = path.dotted("allow.hosts");
    if allow.hosts.is_empty() {
        let message =
            "allows nothing; write hosts, such as [gw.example.com, \"*.example.com\"], or \"*\" for any";
        report.problem(&hosts, message);
    }
    let has_secrets =
        settings.auth.is_some() || settings.headers.values().any(|v| matches!(v, HeaderValue::Secret(_)));
    for (index, host) in allow.hosts.iter().enumerate() {
        let path = hosts.index(index);
        if !is_host_pattern(host) {
            let message =
                format!("{} is not a host; write a name, an address, *. and a name, or *", quoted(host));
            report.problem(&path, message);
        } else if host == "*" && has_secrets {
            let message = "this module sends a credential, which any host could ask for; name the hosts";
            report.problem(&path, message);
        }
    }
}
