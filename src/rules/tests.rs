use super::*;

fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    for rule in groups().into_iter().flat_map(|group| group.rules) {
        match rule {
            Rule::Record { expr, .. } => texts.push(expr),
            Rule::Alert(alert) => texts.push(alert.expr),
        }
    }
    texts
}

fn descriptions() -> impl Iterator<Item = String> {
    groups().into_iter().flat_map(|group| group.rules).filter_map(|rule| match rule {
        Rule::Alert(alert) => Some(alert.description),
        Rule::Record { .. } => None,
    })
}

#[test]
fn every_length_of_time_is_one() {
    for text in texts() {
        let parts: Vec<&str> = text.split('%').collect();
        assert_eq!(parts.len() % 2, 1, "{text}");
        for span in parts.iter().skip(1).step_by(2) {
            assert!(*span == "/speed" || span.parse::<crate::model::Span>().is_ok(), "{span} in {text}");
        }
        // What is not between signs would not go faster.
        for (at, _) in text.match_indices('[') {
            assert!(text[at..].starts_with("[%"), "{text}");
        }
    }
    for text in descriptions() {
        assert_eq!(text.matches('@').count() % 2, 0, "{text}");
        // `%[1]q` is a value of a template.
        let windows = text.matches('[').count() - text.matches("%[").count();
        assert_eq!(windows, text.matches("[@").count(), "{text}");
    }
    for group in groups() {
        assert!(group.interval.is_none_or(|span| span.parse::<crate::model::Span>().is_ok()));
    }
}

#[test]
fn speed_divides_each_window() {
    assert_eq!(pace::expression("x[%1h%] + z%/speed% + y[%30d%:%1h%]", 60), "x[1m] + z / 60 + y[12h:1m]");
    assert_eq!(pace::expression("x[%1h%] + z%/speed%", 1), "x[1h] + z");
    assert_eq!(
        pace::description("printf \"x[@15m@] %[1]q\" within @6h@", 60),
        "printf \"x[15s] %[1]q\" within 6m"
    );
    assert_eq!(pace::span("5m", 7), "42857ms");
}

#[test]
fn every_rule_has_a_name_of_its_own_kind() {
    for rule in groups().into_iter().flat_map(|group| group.rules) {
        match rule {
            Rule::Record { name, .. } => {
                let parts: Vec<&str> = name.split(':').collect();
                let [level, metric, operations] = parts[..] else { panic!("{name}") };
                assert!(level.starts_with("target") && metric.starts_with("gateprobe_"), "{name}");
                assert!(!operations.is_empty(), "{name}");
            }
            Rule::Alert(alert) => {
                assert!(alert.name.starts_with("Gateprobe"), "{}", alert.name);
                assert!(alert.description.ends_with('.') && !alert.summary.ends_with('.'), "{}", alert.name);
                assert!(!alert.description.contains("  "), "{}", alert.description);
            }
        }
    }
}

#[test]
fn an_alert_is_left_out_by_its_name() {
    let without = |name: &str| file(&Options { without: vec![name.to_owned()], ..Options::default() });
    assert!(!without("GateprobeDown").expect("known").contains("alert: GateprobeDown\n"));
    assert!(file(&Options::default()).expect("nothing is unknown").contains("alert: GateprobeDown\n"));
    let error = without("Down").expect_err("unknown").to_string();
    assert!(error.contains("\"Down\"") && error.contains("GateprobeDown"), "{error}");
}

#[test]
fn further_labels_and_addresses_are_those_of_the_site() {
    let (runbooks, dashboards) = ("https://wiki/rb/".into(), "https://grafana".into());
    let labels = vec![("team".into(), "o'ps".into())];
    let text =
        file(&Options { runbooks, dashboards, labels, ..Options::default() }).expect("nothing is unknown");
    assert!(text.contains("          team: 'o''ps'\n"), "{text}");
    assert!(text.contains("runbook_url: 'https://wiki/rb/GateprobeDown.md'\n"), "{text}");
    assert!(text.contains("dashboard_url: 'https://grafana/d/gateprobe-agent'\n"), "{text}");
}

#[test]
fn what_the_rules_leave_out_is_what_is_not_acute() {
    use crate::model::Failure;
    let not_acute: Vec<&str> =
        Failure::ALL.iter().filter(|failure| !failure.is_acute()).map(|failure| failure.reason()).collect();
    assert_eq!(not_acute, ["tls_expires_soon"], "why.rs, burn.rs and dashboards/source/query.py name it");
}
