//! What alerts say when they fire: what was wrong, as far as Prometheus knows.

use std::process::Command;

use gateprobe::rules::Options;

use super::world::{Agent, End, Job, World};
use super::worlds::FAULT;
use crate::support::program::tool;
use crate::support::{folder, write};

/// An alert, its further labels, its summary and what its description ends with, after a run of `ends`.
fn says(check: &'static str, interval: u64, ends: fn(u64) -> End, at: u64, alert: &str, told: [&str; 3]) {
    let folder = folder();
    let job = Job::well(check, interval).ends(ends);
    let agents = vec![Agent::with(vec![job]).at("fra")];
    let world = World { scrape: 15, length: at + 60, agents, gaps: Vec::new() };
    let rules = write(folder.path(), "rules.yaml", super::text(&Options::default()));
    let [labels, summary, description] = told;
    let runbooks = Options::default().runbooks;
    let text = format!(
        "rule_files: ['{}']\nevaluation_interval: 1m\ntests:\n  - interval: 15s\n    input_series:\n{}    alert_rule_test:\n      \
         - eval_time: {at}s\n        alertname: {alert}\n        exp_alerts:\n          - exp_labels: {{ target: chat, check: \
         {check}, {labels} }}\n            exp_annotations:\n              summary: '{summary}'\n              \
         description: '{description}'\n              runbook_url: '{runbooks}/{alert}.md'\n              dashboard_url: \
         '/d/gateprobe-check?var-target=chat&var-check={check}'\n",
        rules.display(),
        world.input_series(),
    );
    let test = write(folder.path(), "test.yaml", text);
    let output = Command::new(tool("bin/promtool")).args(["test", "rules"]).arg(test).output();
    let output = output.expect("promtool runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_failing_check_names_its_reasons_the_most_frequent_first() {
    // Before, it had failed for another reason, and at last its certificate had been about to expire.
    let ends = |second: u64| match second {
        300..900 => End::Fail("zombie_leaked"),
        1_800..FAULT => End::Fail("tls_expires_soon"),
        FAULT..3_660 => End::Fail("false_eviction"),
        3_660.. => End::Fail("unavailable"),
        _ => End::Pass,
    };
    says(
        "handshake",
        30,
        ends,
        FAULT + 300,
        "GateprobeCheckFailing",
        [
            "severity: critical",
            "handshake of chat fails",
            "The last 11 conclusive runs of handshake against chat failed, one after the other: unavailable, false_eviction.",
        ],
    );
}

#[test]
fn a_check_that_runs_seldom_has_reasons_too() {
    let ends = |second: u64| if second >= FAULT { End::Fail("unavailable") } else { End::Pass };
    says(
        "malformed",
        3_600,
        ends,
        3 * 3_600 + 1_800,
        "GateprobeCheckFailing",
        [
            "severity: warning",
            "malformed of chat fails",
            "The last 3 conclusive runs of malformed against chat failed, one after the other: unavailable.",
        ],
    );
}

#[test]
fn a_check_that_can_not_tell_says_why() {
    let ends = |second: u64| if second >= FAULT { End::Inconclusive } else { End::Pass };
    says(
        "handshake",
        30,
        ends,
        FAULT + 1_200,
        "GateprobeCheckInconclusive",
        [
            "severity: warning",
            "handshake of chat can''t tell",
            "The last 41 runs of handshake against chat found out nothing: egress_lost. \
         Neither good nor bad is known since.",
        ],
    );
}
