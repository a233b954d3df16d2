//! A world, and which alerts must fire in it, by when, how often, and which must not.

use std::fmt::Write;
use std::process::Command;

use super::world::World;
use crate::support::folder;
use crate::support::program::{project, tool};
use crate::support::write;

/// The rules that are shipped.
pub const FILE: &str = "deploy/prometheus/gateprobe.rules.yaml";

/// How often promtool evaluates the rules: as seldom as Prometheus does by default.
const EVALUATION: u64 = 60;

/// A world, and what the rules must make of it.
pub struct Story {
    pub name: String,
    pub world: World,
    /// Alerts that fire: which, with what labels (as PromQL matchers), and from which second on at the latest. Each
    /// fires as often as it stands here, no more.
    pub fire: Vec<(&'static str, &'static str, u64)>,
    /// Alerts that may fire beside them.
    pub may: Vec<&'static str>,
    /// Until then, nothing fires.
    pub quiet_until: u64,
    /// From then on, nothing fires any more.
    pub quiet_from: Option<u64>,
}

impl Story {
    fn tests(&self) -> String {
        let end = self.world.length;
        let mut text = String::new();
        let mut expect = |at: u64, expr: String, samples: &[(String, f64)]| {
            let _ = writeln!(text, "      - eval_time: {at}s\n        expr: >-\n          {expr}");
            if samples.is_empty() {
                text.push_str("        exp_samples: []\n");
                return;
            }
            text.push_str("        exp_samples:\n");
            for (labels, value) in samples {
                let _ = writeln!(text, "          - labels: '{labels}'\n            value: {value}");
            }
        };
        for (alert, labels, by) in &self.fire {
            let same = self.fire.iter().filter(|other| (other.0, other.1) == (*alert, *labels)).count();
            let expr = format!("count(ALERTS{{alertstate=\"firing\",alertname=\"{alert}\",{labels}}})");
            expect(*by, expr, &[("{}".to_owned(), same as f64)]);
        }
        let known: Vec<&str> =
            self.fire.iter().map(|(alert, ..)| *alert).chain(self.may.iter().copied()).collect();
        let unknown = format!(
            "count by (alertname) (count_over_time(ALERTS{{alertstate=\"firing\",alertname!~\"{}\"}}[{end}s]))",
            known.join("|")
        );
        expect(end, unknown, &[]);
        // What may not fire twice, did not at any time.
        for (alert, labels, _) in &self.fire {
            let same = self.fire.iter().filter(|other| (other.0, other.1) == (*alert, *labels)).count();
            let expr = format!(
                "count(count_over_time(ALERTS{{alertstate=\"firing\",alertname=\"{alert}\",{labels}}}[{end}s])) > {same}"
            );
            expect(end, expr, &[]);
        }
        if self.quiet_until > 0 {
            let expr =
                format!("count(count_over_time(ALERTS{{alertstate=\"firing\"}}[{}s]))", self.quiet_until);
            expect(self.quiet_until, expr, &[]);
        }
        if let Some(from) = self.quiet_from {
            let expr = format!("count(count_over_time(ALERTS{{alertstate=\"firing\"}}[{}s]))", end - from);
            expect(end, expr, &[]);
        }
        text
    }

    fn group(&self) -> String {
        format!(
            "  - name: '{}'\n    interval: {}s\n    input_series:\n{}    promql_expr_test:\n{}",
            self.name,
            self.world.scrape,
            self.world.input_series(),
            self.tests()
        )
    }
}

/// Has promtool try the rules on each story.
pub fn hold(stories: &[Story]) {
    let rules = project(FILE).display().to_string();
    hold_with(&rules, stories);
}

/// The same with another file of rules.
pub fn hold_with(rules: &str, stories: &[Story]) {
    assert!(!stories.is_empty());
    let folder = folder();
    let groups: String = stories.iter().map(Story::group).collect();
    let text = format!("rule_files: ['{rules}']\nevaluation_interval: {EVALUATION}s\ntests:\n{groups}");
    let file = write(folder.path(), "stories.yaml", text);
    let output = Command::new(tool("bin/promtool")).args(["test", "rules"]).arg(&file).output();
    let output = output.expect("promtool runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
