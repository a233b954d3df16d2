//! The rules of grafana/dashboard-linter, each by its name there, and some of our own. It is a Go program and none of
//! the test tools; what each rule wants was read off its source.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::board::{ALL, Board, Panel, list};
use super::promql::{Selector, selectors};

type Rule = fn(&Board) -> Vec<String>;

const RULES: [(&str, Rule); 20] = [
    ("template-datasource-rule", template_datasource),
    ("template-job-rule", |board| template(board, "job")),
    ("template-instance-rule", |board| template(board, "instance")),
    ("template-label-promql-rule", template_label_promql),
    ("template-on-time-change-reload-rule", template_reload),
    ("panel-datasource-rule", panel_datasource),
    ("panel-title-description-rule", panel_title_description),
    ("panel-units-rule", panel_units),
    ("panel-no-targets-rule", panel_no_targets),
    ("target-job-rule", |board| target_matcher(board, r#"job=~"$job""#)),
    ("target-instance-rule", |board| target_matcher(board, r#"instance=~"$instance""#)),
    ("target-rate-interval-rule", target_rate_interval),
    ("target-counter-agg-rule", target_counter_agg),
    ("uneditable-dashboard", uneditable),
    ("schema", schema),
    ("identity", identity),
    ("links", links),
    ("no-made-up-zero", no_made_up_zero),
    ("grid", grid),
    ("ids", ids),
];

/// A counter that has no series before its first event must be read raw to see that one: nothing increased.
const READ_RAW: &[&str] =
    &["gateprobe_malformed_vectors_total", "gateprobe_canary_runs_total", "gateprobe_canary_failures_total"];

/// Identifiers of Grafana's units that are in use here.
const UNITS: [&str; 7] = ["none", "short", "s", "ops", "reqps", "bytes", "percentunit"];

#[test]
fn every_dashboard_keeps_every_rule() {
    let mut broken = Vec::new();
    for (name, rule) in RULES {
        for board in Board::all() {
            broken.extend(rule(&board).into_iter().map(|what| format!("{name}: {}: {what}", board.file)));
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

/// A budget that only the dashboards see spent makes liars of both.
#[test]
fn the_error_budget_is_spent_by_what_the_alerts_count() {
    let panels: Vec<Panel> = Board::all().iter().flat_map(Board::panels).collect();
    let queries =
        panels.iter().flat_map(|panel| panel.queries.iter().map(|query| (&panel.place, &query.expr)));
    // What is held against an objective by division is a burn rate.
    let burns = queries.filter(|(_, expr)| {
        expr.contains("(1 - max")
            && expr.contains("gateprobe_slo_objective_ratio")
            && expr.contains("gateprobe_check_runs_total")
    });
    let mut count = 0;
    for (place, expr) in burns {
        assert!(expr.contains("gateprobe_check_acute_failures_total"), "{place}: {expr}");
        assert!(!expr.contains("outcome=~\"fail\""), "{place}: {expr}");
        count += 1;
    }
    assert!(count >= 3, "{count}");
}

/// A rule that never complains is no rule.
#[test]
fn every_rule_bites() {
    let first = Board::all().remove(0);
    let panel = "/panels/0";
    let breaks: [(&str, String, Value); 20] = [
        ("template-datasource-rule", "/templating/list/0/label".into(), json!("Prometheus")),
        ("template-job-rule", "/templating/list/1/multi".into(), json!(false)),
        ("template-instance-rule", "/templating/list/2/allValue".into(), json!(".*")),
        ("template-label-promql-rule", "/templating/list/2/query".into(), json!("up")),
        ("template-on-time-change-reload-rule", "/templating/list/3/refresh".into(), json!(1)),
        ("panel-datasource-rule", format!("{panel}/datasource/uid"), json!("my-prometheus")),
        ("panel-title-description-rule", format!("{panel}/description"), json!("")),
        ("panel-units-rule", format!("{panel}/fieldConfig/defaults/unit"), json!("seconds")),
        ("panel-no-targets-rule", format!("{panel}/targets"), json!([])),
        ("target-job-rule", expr(panel), json!(r#"x{instance=~"$instance"}"#)),
        ("target-instance-rule", expr(panel), json!(r#"x{job=~"$job"}"#)),
        ("target-rate-interval-rule", expr(panel), json!("rate(x_total{}[5m])")),
        ("target-counter-agg-rule", expr(panel), json!("sum(x_total{})")),
        ("uneditable-dashboard", "/editable".into(), json!(true)),
        ("schema", "/schemaVersion".into(), json!(36)),
        ("identity", "/uid".into(), json!("random")),
        ("links", "/links/0/tags".into(), json!([])),
        ("no-made-up-zero", expr(panel), json!("sum(x{}) or vector(0)")),
        ("grid", format!("{panel}/gridPos/w"), json!(20)),
        ("ids", format!("{panel}/id"), json!(2)),
    ];
    for ((name, rule), (broken, place, value)) in RULES.into_iter().zip(breaks) {
        assert_eq!(name, broken);
        let mut board = first.clone();
        *board.json.pointer_mut(&place).unwrap_or_else(|| panic!("no {place}")) = value;
        assert!(!rule(&board).is_empty(), "{name} does not mind {place}");
    }
}

fn expr(panel: &str) -> String {
    format!("{panel}/targets/0/expr")
}

fn template_datasource(board: &Board) -> Vec<String> {
    let of_type = board.variables().into_iter().filter(|variable| variable["type"] == "datasource");
    match of_type.collect::<Vec<_>>()[..] {
        [one]
            if one["name"] == "datasource"
                && one["label"] == "Data source"
                && one["query"] == "prometheus" =>
        {
            vec![]
        }
        ref others => {
            vec![format!("not one data source, `datasource`, labelled \"Data source\": {others:?}")]
        }
    }
}

fn template(board: &Board, name: &str) -> Vec<String> {
    let Some(variable) = board.variable(name) else { return vec![format!("no variable {name}")] };
    let wanted = [
        ("/type", json!("query")),
        ("/label", json!(name)),
        ("/datasource/uid", json!("${datasource}")),
        ("/multi", json!(true)),
        ("/allValue", json!(".+")),
    ];
    let wrong = wanted.into_iter().filter(|(place, value)| variable.pointer(place) != Some(value));
    wrong.map(|(place, value)| format!("{name}: {place} is not {value}")).collect()
}

fn queries(board: &Board) -> impl Iterator<Item = &Value> {
    board.variables().into_iter().filter(|variable| variable["type"] == "query")
}

fn template_label_promql(board: &Board) -> Vec<String> {
    let text = |variable: &Value| variable["query"].as_str().unwrap_or_default().to_owned();
    let wrong = queries(board).map(text).filter(|query| {
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        inside.and_then(|inside| inside.rsplit_once(", ")).is_none()
    });
    wrong.map(|query| format!("no label_values(metric, label): {query}")).collect()
}

fn template_reload(board: &Board) -> Vec<String> {
    let stale = queries(board).filter(|variable| variable["refresh"] != 2);
    stale.map(|variable| format!("{} stays as it was when the range changes", variable["name"])).collect()
}

fn complain(board: &Board, wrong: impl Fn(&Panel) -> Option<String>) -> Vec<String> {
    let tell = |panel: &Panel| Some(format!("{:?}: {}", panel.title, wrong(panel)?));
    board.panels().iter().filter_map(tell).collect()
}

fn panel_datasource(board: &Board) -> Vec<String> {
    complain(board, |panel| {
        let ours = |json: &Value| json["datasource"]["uid"] == "${datasource}";
        let all = ours(&panel.json) && list(&panel.json, "targets").all(ours);
        (!all).then(|| "does not use ${datasource}".to_owned())
    })
}

fn panel_title_description(board: &Board) -> Vec<String> {
    complain(board, |panel| {
        let description = panel.json["description"].as_str().unwrap_or_default();
        (panel.title.is_empty() || description.len() < 20).then(|| "no title, or no description".to_owned())
    })
}

fn panel_units(board: &Board) -> Vec<String> {
    complain(board, |panel| {
        let fields = &panel.json["fieldConfig"];
        let own = list(fields, "overrides").flat_map(|field| list(field, "properties"));
        let own = own.filter(|property| property["id"] == "unit").map(|property| &property["value"]);
        let mut units = own.chain([&fields["defaults"]["unit"]]);
        let strange = units.find(|unit| !UNITS.iter().any(|known| *unit == known))?;
        Some(format!("no known unit: {strange}"))
    })
}

fn panel_no_targets(board: &Board) -> Vec<String> {
    complain(board, |panel| {
        let asks = !panel.queries.is_empty() && panel.queries.iter().all(|query| !query.expr.is_empty());
        (!asks).then(|| "asks for nothing".to_owned())
    })
}

/// All selectors of all queries, with their panels.
fn read(board: &Board, wrong: impl Fn(&Selector) -> Option<String>) -> Vec<String> {
    let panels = board.panels();
    let queries =
        panels.iter().flat_map(|panel| panel.queries.iter().map(move |query| (&panel.title, &query.expr)));
    let all =
        queries.flat_map(|(title, expr)| selectors(expr).into_iter().map(move |selector| (title, selector)));
    all.filter_map(|(title, selector)| Some(format!("{title:?}: {}", wrong(&selector)?))).collect()
}

fn target_matcher(board: &Board, matcher: &str) -> Vec<String> {
    read(board, |selector| {
        let there = selector.matchers.iter().any(|own| own == matcher);
        (!there).then(|| format!("{} without {matcher}", selector.name))
    })
}

fn target_rate_interval(board: &Board) -> Vec<String> {
    read(board, |selector| {
        let rate = matches!(selector.inside.as_deref(), Some("rate" | "irate"));
        (rate && selector.range.as_deref() != Some("$__rate_interval"))
            .then(|| format!("{} in rate() over {:?}", selector.name, selector.range))
    })
}

fn target_counter_agg(board: &Board) -> Vec<String> {
    read(board, |selector| {
        let bare = !matches!(selector.inside.as_deref(), Some("rate" | "irate" | "increase"));
        let counter = selector.name.ends_with("_total") && !READ_RAW.contains(&selector.name.as_str());
        (counter && bare).then(|| format!("the counter {} is read raw", selector.name))
    })
}

fn uneditable(board: &Board) -> Vec<String> {
    if board.json["editable"] == false { vec![] } else { vec!["can be edited in place".into()] }
}

fn schema(board: &Board) -> Vec<String> {
    match board.json["schemaVersion"].as_u64() {
        Some(39..=41) => vec![],
        version => vec![format!("schema {version:?}")],
    }
}

fn identity(board: &Board) -> Vec<String> {
    let known = ALL.iter().any(|(file, uid)| *file == board.file && board.json["uid"] == *uid);
    let titled = board.json["title"].as_str().is_some_and(|title| title.starts_with("gateprobe / "));
    if known && titled && board.json["tags"] == json!(["gateprobe"]) {
        vec![]
    } else {
        vec!["uid, title or tags".into()]
    }
}

/// From each dashboard to all others, and data links only to dashboards and variables that there are.
fn links(board: &Board) -> Vec<String> {
    let to_all = list(&board.json, "links")
        .any(|link| link["tags"] == json!(["gateprobe"]) && link["keepTime"] == true);
    let mut wrong = if to_all { vec![] } else { vec!["no link to the others".to_owned()] };
    let text = board.json.to_string();
    for url in text.split("\"/d/").skip(1).filter_map(|rest| rest.split('"').next()) {
        let (uid, query) = url.split_once('?').expect("variables");
        let Some(other) = Board::all().into_iter().find(|other| other.json["uid"] == uid) else {
            wrong.push(format!("a link to {uid}"));
            continue;
        };
        let names = query.split('&').filter_map(|part| part.strip_prefix("var-")?.split('=').next());
        wrong.extend(
            names.filter(|name| other.variable(name).is_none()).map(|name| format!("a link sets {name}")),
        );
    }
    wrong
}

/// `or vector(0)` draws a green zero where nobody looked.
fn no_made_up_zero(board: &Board) -> Vec<String> {
    if board.json.to_string().contains("vector(") { vec!["makes a number up".into()] } else { vec![] }
}

fn grid(board: &Board) -> Vec<String> {
    let place = |panel: &Value| {
        let side = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_default();
        (side("x"), side("y"), side("w"), side("h"))
    };
    let mut wrong = Vec::new();
    let folded = list(&board.json, "panels")
        .filter(|row| row["collapsed"] == true)
        .map(|row| list(row, "panels").collect());
    let open: Vec<&Value> = list(&board.json, "panels").collect();
    for panels in folded.chain([open]).collect::<Vec<Vec<&Value>>>() {
        for (index, one) in panels.iter().enumerate() {
            let (x, y, w, h) = place(one);
            if w == 0 || h == 0 || x + w > 24 {
                wrong.push(format!("{} does not fit", one["title"]));
            }
            let overlaps = |other: &&&Value| {
                let (x2, y2, w2, h2) = place(other);
                x < x2 + w2 && x2 < x + w && y < y2 + h2 && y2 < y + h
            };
            let hidden = panels[index + 1..].iter().filter(overlaps);
            wrong.extend(hidden.map(|other| format!("{} lies on {}", one["title"], other["title"])));
        }
    }
    wrong
}

fn ids(board: &Board) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let twice = board.elements().into_iter().filter(|panel| !seen.insert(panel["id"].as_u64()));
    twice.map(|panel| format!("the id of {} is another's, or none", panel["title"])).collect()
}
