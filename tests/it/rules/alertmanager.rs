//! The example for Alertmanager: amtool takes it, it routes by severity, and what it mutes exists.

use std::process::Command;

use gateprobe::rules::alerts;

use super::promql::named;
use crate::support::program::{project, tool};

const EXAMPLE: &str = "deploy/prometheus/alertmanager.example.yaml";

fn amtool(arguments: &[&str]) -> String {
    let output = Command::new(tool("bin/amtool")).args(arguments).output().expect("amtool runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn amtool_takes_the_example() {
    let example = project(EXAMPLE).display().to_string();
    assert!(amtool(&["check-config", &example]).contains("6 inhibit rules"));
    for (severity, receiver) in [("critical", "pager"), ("warning", "tickets"), ("info", "nobody")] {
        let severity = format!("severity={severity}");
        let route = ["config", "routes", "test", "--config.file", &example];
        assert_eq!(amtool(&[&route[..], &[&severity]].concat()).trim(), receiver);
    }
}

/// Each alternative of each pattern stands for an alert, so that a renamed alert is not left unmuted.
#[test]
fn what_is_muted_exists() {
    let text = std::fs::read_to_string(project(EXAMPLE)).expect("the example");
    let mut names = 0;
    for line in text.lines().filter(|line| line.contains("alertname")) {
        let matchers = line.split('\'').filter(|part| part.starts_with("alertname"));
        for matcher in matchers {
            // A matcher is one of PromQL.
            let selectors = named(&format!("x{{{matcher}}}")).selectors;
            let pattern = &selectors[0].matchers[0].1;
            for name in alternatives(pattern) {
                let any = alerts().into_iter().any(|alert| match name.strip_suffix('*') {
                    Some(start) => alert.starts_with(start),
                    None => alert == name,
                });
                assert!(any, "{name} in {line}");
                names += 1;
            }
        }
    }
    assert!(names > 15, "{names}");
}

/// `A(b|c).*` as `Ab*` and `Ac*`; the example needs no more of the syntax.
fn alternatives(pattern: &str) -> Vec<String> {
    let pattern = pattern.replace(".*", "*").replace(".+", "*");
    let Some((before, rest)) = pattern.split_once('(') else {
        return pattern.split('|').map(str::to_owned).collect();
    };
    let (inside, after) = rest.split_once(')').expect("its end");
    inside.split('|').map(|part| format!("{before}{part}{after}")).collect()
}
