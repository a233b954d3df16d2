//! What the dashboards ask for is what the agent exports, and the other way round.

use std::collections::{BTreeMap, BTreeSet};

use gateprobe::agent::metrics::catalogue;
use gateprobe::metrics::{Descriptor, Kind, METRICS};

use super::board::{Board, list};
use super::promql::{groupings, selectors};

/// What Prometheus adds to every series, and the agent where its config says where it is.
const ADDED: [&str; 3] = ["job", "instance", "location"];

/// Metrics that nobody needs to see.
const UNUSED: [&str; 0] = [];

fn metrics() -> BTreeMap<&'static str, &'static Descriptor> {
    catalogue().into_iter().chain(METRICS.iter().copied()).map(|metric| (metric.name, metric)).collect()
}

/// The labels that a series of that name has; `None` for a name that no agent exports.
fn labels(name: &str) -> Option<BTreeSet<&'static str>> {
    let process =
        ["cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds"];
    let process = process.into_iter().chain(["start_time_seconds", "threads"]);
    if name.strip_prefix("process_").is_some_and(|rest| process.into_iter().any(|known| known == rest)) {
        return Some(ADDED.into());
    }
    let all = metrics();
    let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
        let metric = all.get(name.strip_suffix(suffix)?)?;
        matches!(metric.kind, Kind::Histogram { .. }).then_some(*metric)
    });
    let plain = all.get(name).copied().filter(|metric| !matches!(metric.kind, Kind::Histogram { .. }));
    let metric = of_histogram.or(plain)?;
    let le = name.ends_with("_bucket").then_some("le");
    Some(metric.all_labels().chain(ADDED).chain(le).collect())
}

/// All that a dashboard asks Prometheus, with where it does.
fn asked(board: &Board) -> Vec<(String, String)> {
    let place = |panel: &str, expr: &str| (panel.to_owned(), expr.to_owned());
    let panels = board.panels();
    let queries =
        panels.iter().flat_map(|panel| panel.queries.iter().map(|query| place(&panel.place, &query.expr)));
    let notes = board.notes().into_iter().map(|expr| place(board.file, expr));
    let variables = list(&board.json["templating"], "list").filter_map(|variable| {
        let query = variable["query"].as_str()?.strip_prefix("label_values(")?;
        Some(place(&format!("{}: variable", board.file), query.trim_end_matches(')')))
    });
    queries.chain(notes).chain(variables).collect()
}

#[test]
fn every_metric_and_label_in_a_panel_exists() {
    let mut wrong = Vec::new();
    for (place, expr) in Board::all().iter().flat_map(asked) {
        let mut known = BTreeSet::new();
        for selector in selectors(&expr) {
            let Some(labels) = labels(&selector.name) else {
                wrong.push(format!("{place} asks for {}, which no agent exports", selector.name));
                continue;
            };
            let strange = selector.labels().filter(|label| !labels.contains(label));
            wrong.extend(strange.map(|label| format!("{place}: {} has no label {label}", selector.name)));
            known.extend(labels);
        }
        let strange = groupings(&expr).into_iter().filter(|label| !known.contains(label));
        // The build's version and revision are in the catalogue as well.
        wrong.extend(strange.map(|label| format!("{place}: no metric there has a label {label}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_metric_of_the_catalogue_is_drawn_somewhere() {
    let asked: String = Board::all().iter().flat_map(asked).map(|(_, expr)| expr + "\n").collect();
    let used: BTreeSet<String> = selectors(&asked).into_iter().map(|selector| selector.name).collect();
    let drawn = |metric: &Descriptor| {
        let suffixes = ["", "_bucket", "_sum", "_count"];
        suffixes.iter().any(|suffix| used.contains(&format!("{}{suffix}", metric.name)))
    };
    let idle: Vec<_> =
        metrics().into_values().filter(|metric| !drawn(metric)).map(|metric| metric.name).collect();
    assert_eq!(idle, UNUSED, "nobody would ever see these");
}
