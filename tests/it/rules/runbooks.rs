//! Each alert has its page, and what a page tells to type works.

use std::collections::BTreeSet;
use std::fs;

use gateprobe::gateway::FaultKind;
use gateprobe::rules::alerts;

use super::check;
use super::contract::{files, queries};
use super::story::FILE;
use crate::support::program::project;
use crate::support::{folder, write};

#[test]
fn each_alert_has_its_page_and_each_page_its_alert() {
    let pages = files("docs/runbooks", "md");
    let named = |page: &std::path::Path| page.file_stem().expect("a name").to_string_lossy().into_owned();
    let pages: BTreeSet<String> =
        pages.iter().map(|page| named(page)).filter(|name| name != "README").collect();
    assert_eq!(pages, alerts().into_iter().map(str::to_owned).collect());
}

#[test]
fn each_page_says_what_it_means_where_to_look_how_to_silence_and_how_to_drill() {
    for page in files("docs/runbooks", "md") {
        let text = fs::read_to_string(&page).expect("a page");
        let name = page.file_stem().expect("a name").to_string_lossy().into_owned();
        if name == "README" {
            assert!(
                alerts().iter().all(|alert| text.contains(&format!("({alert}.md)"))),
                "the list lacks an alert"
            );
            continue;
        }
        assert!(text.starts_with(&format!("# {name}\n")), "{name}");
        for heading in ["First looks", "Likely causes", "Silence", "Drill"] {
            assert!(text.contains(&format!("\n## {heading}\n")), "{name} has no {heading}");
        }
        assert!(queries(&page).len() >= 2, "{name} has few queries");
    }
}

/// Whoever silences `heartbeat` of a target at night must not silence its `handshake`.
#[test]
fn a_silence_names_all_that_the_alert_is_about_and_whom_to_ask() {
    let rules = fs::read_to_string(project(FILE)).expect("the rules");
    let mut commands = 0;
    for page in files("docs/runbooks", "md") {
        let name = page.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&page).expect("a page");
        let Some((_, command)) = text.split_once("`amtool silence add ") else { continue };
        let command = command.split('`').next().expect("its end");
        let (_, rule) = rules.split_once(&format!("- alert: {name}\n")).expect("a rule");
        let rule = rule.split("- alert: ").next().expect("its end");
        let labels = ["target", "check", "location", "job", "shard", "instance", "signal"];
        let (_, summary) = rule.split_once("summary: ").expect("a summary");
        let summary = summary.lines().next().expect("a line");
        let is_of = |label: &str| {
            summary.contains(&format!("$labels.{label} "))
                || rule.contains(&format!("var-{label}={{{{ $labels.{label} "))
        };
        let wanted: Vec<String> = labels
            .into_iter()
            .filter(|label| is_of(label))
            .map(|label| format!("{label}={}", label.to_uppercase()))
            .collect();
        let given: Vec<&str> =
            command.split(' ').filter(|word| word.ends_with(|c: char| c.is_ascii_uppercase())).collect();
        assert_eq!(given, wanted, "{name}: {command}");
        let begins = format!("--alertmanager.url=http://ALERTMANAGER:9093 alertname={name} ");
        assert!(command.starts_with(&begins), "{name}: {command}");
        commands += 1;
    }
    assert!(commands > 15, "{commands}");
}

#[test]
fn promtool_takes_the_queries_of_the_pages() {
    let mut text = "groups:\n  - name: pages\n    rules:\n".to_owned();
    let mut count = 0;
    for page in files("docs/runbooks", "md").into_iter().chain([project("docs/slo.md")]) {
        for query in queries(&page) {
            count += 1;
            let query = query.replace('\n', "\n          ");
            text += &format!("      - record: page:query:{count}\n        expr: |-\n          {query}\n");
        }
    }
    assert!(count > 40, "{count}");
    let folder = folder();
    check(&write(folder.path(), "pages.yaml", text));
}

#[test]
fn the_faults_of_the_pages_exist() {
    let mut faults = 0;
    for page in files("docs/runbooks", "md") {
        let text = fs::read_to_string(&page).expect("a page");
        for rest in text.split("/faults/").skip(1) {
            let line = rest.lines().next().expect("a line");
            let name = line.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().expect("a name");
            let value = line.split("-d ").nth(1).and_then(|rest| rest.split(['`', ' ', ')']).next());
            let kind: FaultKind =
                name.parse().unwrap_or_else(|_| panic!("{}: no fault {name}", page.display()));
            kind.with_value(value)
                .unwrap_or_else(|_| panic!("{}: {name} does not take {value:?}", page.display()));
            faults += 1;
        }
    }
    assert!(faults > 8, "{faults}");
}
