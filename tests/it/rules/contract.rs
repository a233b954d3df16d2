//! Rules, dashboards and runbooks name only metrics, labels and values that the catalogue has; and what the catalogue
//! has is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gateprobe::agent::metrics::catalogue;
use gateprobe::checks::CheckSpec;
use gateprobe::metrics::{Descriptor, Kind, METRICS};
use gateprobe::model::{Cause, Failure, Outcome};
use saphyr::{LoadableYamlNode, Yaml};

use super::promql::{Named, Selector, named};
use super::story::FILE;
use crate::support::program::project;

/// What a scrape adds to each series.
const OF_SCRAPE: [&str; 4] = ["job", "instance", "location", "namespace"];
/// What Prometheus makes itself.
const OF_PROMETHEUS: [&str; 3] = ["up", "ALERTS", "scrape_duration_seconds"];
/// Labels that rules give to alerts and their series.
const OF_ALERTS: [&str; 4] = ["alertname", "alertstate", "severity", "window"];

/// An expression, and where it stands.
pub struct Expression {
    pub place: String,
    pub text: String,
}

/// Every metric by its name.
fn metrics() -> BTreeMap<&'static str, &'static Descriptor> {
    catalogue().into_iter().chain(METRICS.iter().copied()).map(|metric| (metric.name, metric)).collect()
}

/// The metric that a name in an expression stands for, and the labels that its series have.
fn resolve(name: &str) -> Option<(&'static Descriptor, Vec<&'static str>)> {
    let all = metrics();
    let histogram = |metric: &Descriptor| matches!(metric.kind, Kind::Histogram { .. });
    for (suffix, label) in [("_bucket", Some("le")), ("_sum", None), ("_count", None), ("", None)] {
        let Some(metric) = name.strip_suffix(suffix).and_then(|name| all.get(name)) else { continue };
        if histogram(metric) != suffix.is_empty() {
            return Some((metric, metric.all_labels().chain(label).collect()));
        }
    }
    None
}

/// What is wrong with an expression.
fn faults(Expression { place, text }: &Expression, recorded: &BTreeSet<String>) -> Vec<String> {
    let Named { selectors, labels } = named(text);
    let mut faults: Vec<String> =
        selectors.iter().flat_map(|selector| faults_of(selector, recorded)).collect();
    let known = known_labels();
    faults.extend(
        labels
            .iter()
            .filter(|label| !known.contains(label.as_str()))
            .map(|label| format!("no metric has the label {label}")),
    );
    faults.into_iter().map(|fault| format!("{place}: {fault}: {text}")).collect()
}

fn faults_of(selector: &Selector, recorded: &BTreeSet<String>) -> Vec<String> {
    let name = &selector.metric;
    let of_process = name.starts_with("process_");
    if recorded.contains(name) || of_process || OF_PROMETHEUS.contains(&name.as_str()) {
        return Vec::new();
    }
    let Some((metric, labels)) = resolve(name) else {
        return vec![format!("there is no metric {name}")];
    };
    // The config's own labels of a target may be any.
    let any = metric.name == "gateprobe_target_info";
    let known = |label: &str| any || labels.contains(&label) || OF_SCRAPE.contains(&label);
    let unknown = selector.matchers.iter().filter(|(label, _)| !known(label));
    let mut faults: Vec<String> = unknown.map(|(label, _)| format!("{name} has no label {label}")).collect();
    for (label, text) in &selector.matchers {
        let Some(values) = values(metric, label) else { continue };
        let pattern = |value: &str| value.is_empty() || value.contains(['$', '.', '*', '+', '[', '(']);
        // What a runbook leaves to its reader.
        let placeholder = |value: &str| value.chars().all(|c| c.is_ascii_uppercase());
        let odd = |value: &&str| !(values.contains(value) || pattern(value) || placeholder(value));
        faults.extend(text.split('|').filter(odd).map(|value| format!("{name} has no {label} {value:?}")));
    }
    faults
}

/// The values of a label that is a closed set.
fn values(metric: &Descriptor, label: &str) -> Option<Vec<&'static str>> {
    Some(match (metric.name, label) {
        (_, "check") => CheckSpec::KINDS.to_vec(),
        (_, "outcome") => Outcome::LABELS.to_vec(),
        (_, "cause") => Cause::ALL.iter().map(|cause| cause.reason()).collect(),
        ("gateprobe_check_failures_total", "reason") => {
            Failure::ALL.iter().map(|failure| failure.reason()).collect()
        }
        _ => return None,
    })
}

fn known_labels() -> BTreeSet<&'static str> {
    let own = metrics().into_values().flat_map(Descriptor::all_labels);
    own.chain(OF_SCRAPE).chain(OF_ALERTS).chain(["le"]).collect()
}

/// The series that the rules record.
fn recorded() -> BTreeSet<String> {
    rules(&project(FILE)).into_iter().filter_map(|(name, _)| name.contains(':').then_some(name)).collect()
}

/// Each rule of a file: its name and its expression.
fn rules(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).expect("a file of rules");
    let documents = Yaml::load_from_str(&text).expect("YAML");
    let mut rules = Vec::new();
    for group in documents[0]["groups"].as_sequence().expect("groups") {
        for rule in group["rules"].as_sequence().expect("rules") {
            let field =
                |name: &str| rule.as_mapping_get(name).and_then(|value| value.as_str()).map(str::to_owned);
            rules.push((
                field("record").or(field("alert")).expect("a name"),
                field("expr").expect("an expression"),
            ));
        }
    }
    rules
}

/// The expressions of rules, of dashboards, and of pages that have some between fences.
pub fn expressions(path: &Path) -> Vec<Expression> {
    let place = path.file_name().expect("a name").to_string_lossy().into_owned();
    let texts = match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml") => {
            rules(path).into_iter().map(|(name, expr)| (format!("{place}, {name}"), expr)).collect()
        }
        Some("json") => panels(path, &place),
        Some("md") => queries(path).into_iter().map(|query| (place.clone(), query)).collect(),
        other => panic!("{}: {other:?}", path.display()),
    };
    texts.into_iter().map(|(place, text)| Expression { place, text }).collect()
}

fn panels(path: &Path, place: &str) -> Vec<(String, String)> {
    fn visit(value: &serde_json::Value, place: &str, found: &mut Vec<(String, String)>) {
        if let Some(map) = value.as_object() {
            let place =
                map.get("title").and_then(|title| title.as_str()).map(|title| format!("{place}, {title}"));
            let expr = map.get("expr").and_then(|expr| expr.as_str());
            let place = place.unwrap_or_else(|| "a target".to_owned());
            found.extend(expr.map(|expr| (place.clone(), expr.to_owned())));
        }
        let inner = value.as_object().into_iter().flat_map(|map| map.values());
        inner.chain(value.as_array().into_iter().flatten()).for_each(|value| visit(value, place, found));
    }
    let text = fs::read_to_string(path).expect("a dashboard");
    let mut found = Vec::new();
    visit(&serde_json::from_str(&text).expect("JSON"), place, &mut found);
    found
}

/// What stands between fences that say promql.
pub fn queries(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).expect("a page");
    let blocks = text.split("```promql\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("its end").trim().to_owned()).collect()
}

/// The files in a folder with an extension, sorted; none where there is no folder.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(project(folder)).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|own| own == extension)).collect();
    files.sort();
    files
}

fn all_files() -> Vec<PathBuf> {
    [vec![project(FILE)], files("dashboards", "json"), files("docs/runbooks", "md")].concat()
}

#[test]
fn rules_dashboards_and_runbooks_name_what_the_catalogue_has() {
    let recorded = recorded();
    let all: Vec<Expression> = all_files().iter().flat_map(|file| expressions(file)).collect();
    assert!(all.len() > 90, "{}", all.len());
    let faults: Vec<String> = all.iter().flat_map(|expression| faults(expression, &recorded)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Rules alone can't use all: this half counts as soon as there are dashboards beside them.
#[test]
fn what_the_catalogue_has_is_used_by_a_rule_or_a_dashboard() {
    let dashboards = files("dashboards", "json");
    let mut used = BTreeSet::new();
    for file in [vec![project(FILE)], dashboards.clone()].concat() {
        for selector in expressions(&file).iter().flat_map(|expression| named(&expression.text).selectors) {
            used.extend(resolve(&selector.metric).map(|(metric, _)| metric.name));
        }
    }
    let unused: Vec<&str> = metrics().into_keys().filter(|name| !used.contains(name)).collect();
    assert!(dashboards.is_empty() || unused.is_empty(), "used nowhere: {unused:?}");
    assert!(used.len() > 15, "{used:?}");
}

#[test]
fn a_wrong_name_label_or_value_is_found() {
    let faults = |text: &str| {
        let expression = Expression { place: "here".into(), text: text.into() };
        faults(&expression, &BTreeSet::from(["a:b:c".to_owned()])).len()
    };
    for good in [
        "sum by (target) (a:b:c) > up",
        "gateprobe_check_runs_total{outcome=~\"pass|fail\",target=\"x\",job=~\"$job\"}",
        "gateprobe_check_duration_seconds_bucket{le=\"1\"}",
        "gateprobe_target_info{team=\"x\"}",
    ] {
        assert_eq!(faults(good), 0, "{good}");
    }
    for bad in [
        "gateprobe_check_run_total",
        "a:b:d",
        "gateprobe_check_runs_total{reason=\"x\"}",
        "gateprobe_check_runs_total{outcome=\"failed\"}",
        "gateprobe_check_failures_total{reason=~\"zombie_leaked|zombie_leeked\"}",
        "gateprobe_check_duration_seconds",
        "gateprobe_check_runs_total_count",
        "sum by (targets) (up)",
    ] {
        assert_eq!(faults(bad), 1, "{bad}");
    }
}
