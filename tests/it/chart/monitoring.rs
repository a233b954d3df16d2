//! Rules and dashboards on their way into the cluster.

use serde_json::json;

use super::helm::{all, chart, helm, one, render_chart, with};
use crate::support::{folder, write};

/// With rules and a dashboard of the test's own, so that it holds whatever those of the project are.
#[test]
fn alerts_can_be_left_out_and_changed_and_dashboards_stay_as_they_are() {
    let copy = folder();
    let status = std::process::Command::new("cp").arg("-r").arg(chart()).arg(copy.path()).status();
    assert!(status.expect("cp runs").success());
    let chart = copy.path().join("gateprobe");
    for folder in ["files/rules", "files/dashboards"] {
        let _ = std::fs::remove_dir_all(chart.join(folder));
        std::fs::create_dir_all(chart.join(folder)).expect("made");
    }
    let rules = "groups:\n  - name: g\n    interval: 1m\n    rules:\n      - { record: a:b:c, expr: 'sum(x)' }\n      \
                 - { alert: One, expr: 'x > 1', for: 5m, labels: { severity: critical, kind: a }, annotations: { summary: '{{ $labels.target }} {{ $value }}', runbook_url: docs/runbooks/One.md, dashboard_url: '/d/x?a=b' } }\n      \
                 - { alert: Two, expr: 'x > 2', labels: { severity: warning } }\n";
    write(&chart, "files/rules/x.rules.yaml", rules);
    let dashboard = "{\n  \"title\": \"{{instance}} {{ .Values }} $__rate_interval\"\n}\n";
    write(&chart, "files/dashboards/check_drill-down.json", dashboard);
    let values = with(
        "prometheusRule: { enabled: true, disabled: [Two], alertLabels: { team: chat }, \
         runbooks: 'https://wiki/runbooks/', grafana: 'https://grafana', \
         overrides: { One: { severity: info, for: 1h, annotations: { more: text } } }, \
         additionalGroups: [{ name: mine, rules: [] }] }\ndashboards: { enabled: true, grafanaOperator: { enabled: true } }",
    );
    let objects = render_chart(&chart, &values).expect("rendered");
    let groups = &one(&objects, "PrometheusRule")["spec"]["groups"];
    let one_changed = json!({
        "alert": "One", "expr": "x > 1", "for": "1h",
        "labels": { "severity": "info", "kind": "a", "team": "chat" },
        "annotations": {
            "summary": "{{ $labels.target }} {{ $value }}", "more": "text",
            "runbook_url": "https://wiki/runbooks/One.md", "dashboard_url": "https://grafana/d/x?a=b",
        },
    });
    let recorded = json!({ "record": "a:b:c", "expr": "sum(x)" });
    assert_eq!(groups[0], json!({ "name": "g", "interval": "1m", "rules": [recorded, one_changed] }));
    assert_eq!(groups[1]["name"], "mine");
    let map = all(&objects, "ConfigMap")
        .into_iter()
        .find(|map| map["metadata"]["labels"]["grafana_dashboard"] == "1");
    let map = map.expect("a dashboard");
    assert_eq!(map["metadata"]["name"], "probe-gateprobe-dashboard-check-drill-down");
    assert_eq!(map["data"]["check_drill-down.json"], dashboard);
    let reference = &one(&objects, "GrafanaDashboard")["spec"]["configMapRef"];
    assert_eq!(*reference, json!({ "name": map["metadata"]["name"], "key": "check_drill-down.json" }));
}

#[test]
fn whoever_installs_rules_is_told_that_their_links_lead_nowhere() {
    let folder = folder();
    let notes = |values: &str| {
        let file = write(folder.path(), "values.yaml", with(values));
        let chart = chart();
        let args = ["install", "probe", chart.to_str().expect("UTF-8"), "--dry-run=client"];
        let text = helm(&args, &[&file]).unwrap_or_else(|error| panic!("{error}"));
        let (_, notes) = text.split_once("\nNOTES:\n").expect("notes");
        ["prometheusRule.runbooks", "prometheusRule.grafana"].map(|value| notes.contains(value))
    };
    assert_eq!(notes("prometheusRule: { enabled: true }"), [true, true]);
    assert_eq!(notes("prometheusRule: { enabled: true, grafana: 'https://grafana' }"), [true, false]);
    assert_eq!(
        notes("prometheusRule: { enabled: true, grafana: 'https://grafana', runbooks: 'https://wiki' }"),
        [false, false]
    );
    assert_eq!(notes("prometheusRule: { enabled: false }"), [false, false]);
}
