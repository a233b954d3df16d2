//! Every panel's query is put to a real Prometheus that scrapes a real agent.

use serde_json::Value;

use super::board::{Board, Panel, Query, list};
use super::promql::legend_labels;
use super::scene::Scene;
use crate::support::binary::eventually;

/// A fault of the scene: the drill-down's panel that is meant for it, which of its queries, and the series there that
/// shows it at the target that has the fault, and not at `chat`, which has none.
type Shows = (&'static str, &'static str, (&'static str, usize), &'static [(&'static str, &'static str)]);

const SHOWS: &[Shows] = &[
    (
        "upgrade_status",
        "legacy",
        ("What the gateway did wrong", 0),
        &[("check", "handshake"), ("reason", "unavailable")],
    ),
    (
        "zombies_kept",
        "orders",
        ("What became of silent connections", 0),
        &[("mode", "mute"), ("result", "leaked")],
    ),
    ("messages_lost", "orders", ("The ledger: what became of messages", 0), &[("fate", "lost")]),
    ("malformed_hang", "orders", ("What it took badly", 0), &[("verdict", "hang")]),
    ("malformed_hang", "orders", ("Verdicts on malformed input", 0), &[("verdict", "hang")]),
    ("pong_dropped", "orders", ("What became of pings", 0), &[("result", "lost")]),
    ("refresh_refused", "renewals", ("Token refreshes", 0), &[("result", "refused")]),
    ("refresh_takes", "tenants", ("Bad tokens", 1), &[("forgery", "expired")]),
    ("session_closed_after", "presence", ("Who ended them, and how", 0), &[("by", "gateway")]),
    ("refuse_every", "presence", ("Cycles of clients that come and go", 0), &[("result", "refused")]),
];

/// One scene for all: it takes as long as the slowest check's second run.
#[test]
fn every_query_of_every_panel_is_answered_and_every_fault_shows() {
    let scene = Scene::start();
    for board in Board::all() {
        for note in board.notes() {
            ask(&scene, note, "chat", false);
        }
        for panel in board.panels() {
            panel.queries.iter().for_each(|query| answered(&scene, &board, &panel, query));
        }
        variables_offer_something(&scene, &board);
    }
    for shows in SHOWS {
        fault_shows(&scene, shows);
    }
    states_are_told_apart(&scene);
}

/// Some target has a value that is a number, in series that have the labels of the legend.
fn answered(scene: &Scene, board: &Board, panel: &Panel, query: &Query) {
    // The drill-down shows one target at a time, and no gateway has everything.
    let one = board.variable("target").is_some_and(|target| target["multi"] == false);
    let targets: &[&str] = if one { &["chat", "orders", "presence"] } else { &[".+"] };
    let series = eventually(&format!("{}: {}", panel.place, query.expr), || {
        let mut answers = targets.iter().flat_map(|target| ask(scene, &query.expr, target, query.instant));
        answers.find(|(_, value)| value.is_finite())
    });
    let missing: Vec<&str> =
        legend_labels(&query.legend).filter(|label| series.0.get(label).is_none()).collect();
    assert!(missing.is_empty(), "{}: {} has no {missing:?} for {:?}", panel.place, series.0, query.legend);
}

fn fault_shows(scene: &Scene, (fault, target, (title, number), labels): &Shows) {
    let board = Board::all().into_iter().find(|board| board.file == "check.json").expect("the drill-down");
    let panel = board.panels().into_iter().find(|panel| panel.title == *title);
    let query = &panel.unwrap_or_else(|| panic!("no panel {title:?}")).queries[*number];
    let count = |target| {
        let series = ask(scene, &query.expr, target, true).into_iter();
        let meant = series.filter(|(own, _)| labels.iter().all(|(label, value)| own[label] == *value));
        meant.map(|(_, value)| value).sum::<f64>()
    };
    eventually(&format!("{fault} shows in {title:?}"), || (count(target) > 0.0).then_some(()));
    assert_eq!(count("chat"), 0.0, "{fault} in {title:?} at a gateway without it");
}

/// Red where something is wrong, green where not, blue where nobody should look.
fn states_are_told_apart(scene: &Scene) {
    let board = Board::all().remove(0);
    let panel = board.panels().into_iter().find(|panel| panel.kind == "state-timeline").expect("a timeline");
    for (target, check, wanted) in [
        ("legacy", "handshake", 4.0),
        ("orders", "zombie", 4.0),
        ("asleep", "handshake", 5.0),
        ("chat", "network_switch", 1.0),
    ] {
        eventually(&format!("{target} {check} is {wanted}"), || {
            let all = ask(scene, &panel.queries[0].expr, target, true);
            all.into_iter().find(|(labels, value)| labels["check"] == check && *value == wanted)
        });
    }
}

fn variables_offer_something(scene: &Scene, board: &Board) {
    for variable in list(&board.json["templating"], "list").filter(|variable| variable["type"] == "query") {
        let query = variable["query"].as_str().and_then(|query| query.strip_prefix("label_values("));
        let (metric, label) =
            query.and_then(|query| query.trim_end_matches(')').rsplit_once(", ")).expect("a query");
        let offered = ask(scene, &format!("group by ({label}) ({metric})"), ".+", true);
        assert!(offered.iter().any(|(labels, _)| labels.get(label).is_some()), "{variable:#} offers nothing");
    }
}

/// Asks as Grafana would: its variables filled in, and for a line with the steps of a panel.
fn ask(scene: &Scene, expr: &str, target: &str, instant: bool) -> Vec<(Value, f64)> {
    let values = [
        ("$__rate_interval", "20s"),
        ("$__range_s", "300"),
        ("$__range", "300s"),
        ("$job", ".+"),
        ("$instance", ".+"),
        ("$target", target),
        ("$check", ".+"),
    ];
    let query = values.iter().fold(expr.to_owned(), |query, (name, value)| query.replace(name, value));
    assert!(!query.contains('$'), "a variable that no dashboard has: {query}");
    if instant { scene.prometheus.query(&query) } else { scene.prometheus.query_range(&query, 300, 5) }
}
