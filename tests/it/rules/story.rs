//! A world, and which alerts must fire in it, by when, how often, and which must not.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use super::world::World;
use crate::support::program::{project, tool};
use crate::support::{folder, write};

/// The rules that are shipped.
pub const FILE: &str = "deploy/prometheus/gateprobe.rules.yaml";

/// A world, and what the rules must make of it.
pub struct Story {
    pub name: String,
    pub world: World,
    /// Alerts that fire: which, with what labels (as PromQL matchers), and at which second at the latest. Each
    /// fires as often as it stands here, no more.
    pub fire: Vec<Fire>,
    /// Alerts that may fire beside them.
    pub may: Vec<&'static str>,
    /// Until then, nothing fires.
    pub quiet_until: u64,
    /// Alerts that do not fire any more from a second on.
    pub ended: Vec<Fire>,
    /// From then on, nothing fires any more.
    pub quiet_from: Option<u64>,
    /// Seconds between two evaluations: as seldom as Prometheus does by default.
    pub evaluation: u64,
}

/// An alert, its labels as PromQL matchers, and the second at which it must have begun to fire.
pub type Fire = (&'static str, &'static str, u64);

impl Story {
    fn tests(&self) -> String {
        let end = self.world.length;
        let mut tests = Tests::default();
        for (alert, labels, by) in &self.fire {
            let same = self.fire.iter().filter(|other| (other.0, other.1) == (*alert, *labels)).count();
            let firing = format!("ALERTS{{alertstate=\"firing\",alertname=\"{alert}\",{labels}}}");
            tests.expect(*by, &format!("count({firing})"), Some(same));
            // Not at any other time, either.
            tests.expect(end, &format!("count(count_over_time({firing}[{end}s])) > {same}"), None);
        }
        let known: Vec<&str> =
            self.fire.iter().map(|(alert, ..)| *alert).chain(self.may.iter().copied()).collect();
        let others = format!("ALERTS{{alertstate=\"firing\",alertname!~\"{}\"}}", known.join("|"));
        tests.expect(end, &format!("count by (alertname) (count_over_time({others}[{end}s]))"), None);
        let any =
            |seconds: u64| format!("count(count_over_time(ALERTS{{alertstate=\"firing\"}}[{seconds}s]))");
        if self.quiet_until > 0 {
            tests.expect(self.quiet_until, &any(self.quiet_until), None);
        }
        for (alert, labels, from) in &self.ended {
            let firing = format!("ALERTS{{alertstate=\"firing\",alertname=\"{alert}\",{labels}}}");
            tests.expect(end, &format!("count(count_over_time({firing}[{}s]))", end - from), None);
        }
        if let Some(from) = self.quiet_from {
            tests.expect(end, &any(end - from), None);
        }
        tests.0
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

#[derive(Default)]
struct Tests(String);

impl Tests {
    fn expect(&mut self, at: u64, expr: &str, value: Option<usize>) {
        let samples = match value {
            Some(value) => format!("\n          - labels: '{{}}'\n            value: {value}"),
            None => " []".to_owned(),
        };
        let _ = writeln!(
            self.0,
            "      - eval_time: {at}s\n        expr: >-\n          {expr}\n        exp_samples:{samples}"
        );
    }
}

/// Has promtool try the rules on each story.
pub fn hold(stories: &[Story]) {
    assert!(!stories.is_empty());
    let folder = folder();
    for (index, story) in stories.iter().enumerate() {
        let rules = write(folder.path(), &format!("{index}.rules.yaml"), rules_for(&story.world));
        let text = format!(
            "rule_files: ['{}']\nevaluation_interval: {}s\ntests:\n{}",
            rules.display(),
            story.evaluation,
            story.group()
        );
        write(folder.path(), &format!("{index}.test.yaml"), text);
    }
    let tests = (0..stories.len()).map(|index| folder.path().join(format!("{index}.test.yaml")));
    let output = Command::new(tool("bin/promtool")).args(["test", "rules"]).args(tests).output();
    let output = output.expect("promtool runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The rules as they are shipped, but for groups that have nothing to read in this world: without an objective no
/// budget can burn, and without pings none can be slow. They are most of what promtool has to work for.
fn rules_for(world: &World) -> String {
    let text = fs::read_to_string(project(FILE)).expect("the rules");
    let idle = [("gateprobe.slo", !world.has_objectives()), ("gateprobe.latency", !world.has_pings())];
    let mut groups = text.split("  - name: ");
    let head = groups.next().expect("what is before the first group");
    let kept = groups.filter(|group| !idle.iter().any(|(name, idle)| *idle && group.starts_with(name)));
    kept.fold(head.to_owned(), |text, group| text + "  - name: " + group)
}
