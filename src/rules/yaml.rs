//! The rules as YAML.

use std::fmt::Write;

use super::pace;
use super::{Alert, Group, Options, Rule};

/// The whole file.
pub(super) fn file(groups: &[Group], options: &Options) -> String {
    let mut text = String::from(
        "# Made by `gateprobe rules`; change nothing here, it would be lost. Leave alerts out by --without ALERT.\n",
    );
    if options.speed != 1 {
        let _ = writeln!(text, "# For drills only: all goes {} times as fast.", options.speed);
    }
    text.push_str("groups:\n");
    for group in groups {
        let _ = writeln!(text, "  - name: {}", group.name);
        if let Some(interval) = group.interval {
            let _ = writeln!(text, "    interval: {}", pace::span(interval, options.speed));
        }
        text.push_str("    rules:\n");
        for rule in &group.rules {
            match rule {
                Rule::Record { name, expr } => {
                    let _ = writeln!(text, "      - record: {name}");
                    expression(&mut text, expr, options);
                }
                Rule::Alert(of) => alert(&mut text, of, options),
            }
        }
    }
    text
}

fn alert(text: &mut String, alert: &Alert, options: &Options) {
    let _ = writeln!(text, "      - alert: {}", alert.name);
    expression(text, &alert.expr, options);
    for (field, span) in [("for", alert.hold), ("keep_firing_for", alert.keep)] {
        if let Some(span) = span {
            let _ = writeln!(text, "        {field}: {}", pace::span(span, options.speed));
        }
    }
    text.push_str("        labels:\n");
    field(text, "severity", alert.severity.label());
    if let Some((name, value)) = alert.label {
        field(text, name, value);
    }
    options.labels.iter().for_each(|(name, value)| field(text, name, value));
    text.push_str("        annotations:\n");
    field(text, "summary", alert.summary);
    field(text, "description", &pace::description(&alert.description, options.speed));
    let runbooks = options.runbooks.trim_end_matches('/');
    field(text, "runbook_url", &format!("{runbooks}/{}.md", alert.name));
    let dashboards = options.dashboards.trim_end_matches('/');
    field(text, "dashboard_url", &format!("{dashboards}/d/{}", alert.dashboard));
}

fn expression(text: &mut String, expr: &str, options: &Options) {
    let expr = pace::expression(expr, options.speed);
    if !expr.contains('\n') {
        let _ = writeln!(text, "        expr: {}", quoted(&expr));
        return;
    }
    text.push_str("        expr: |-\n");
    for line in expr.lines() {
        let _ = writeln!(text, "          {line}");
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "          {name}: {}", quoted(value));
}

/// In single quotes, so that what is quoted inside stays readable.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
