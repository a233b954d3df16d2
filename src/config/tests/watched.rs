//! What is watched, and yet would never be told.

use super::{lines, load};
use crate::config::{for_url, load_with};

fn warnings(text: &str) -> Vec<String> {
    warnings_with(text, &[])
}

fn warnings_with(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    lines(load("f.yaml", text.as_bytes(), variables).unwrap().1.iter())
}

fn of_checks(checks: &str) -> Vec<String> {
    warnings(&format!("targets:\n  a:\n    url: wss://a\n    dialect: json\n    checks: {checks}\n"))
}

#[test]
fn a_target_that_never_turns_red_while_nobody_gets_in_is_told() {
    let expected = "f.yaml:5:13: targets.a.checks: no check here fails while nobody gets in: each of them is inconclusive \
                    then; add handshake";
    for checks in [
        "{heartbeat: {}}",
        "{zombie: {window: {latest: 20s}}}",
        "{network_switch: {}}",
        "{hold: {}}",
        "{flapping: {}, malformed: {}, handshake: {enabled: false}}",
    ] {
        assert_eq!(of_checks(checks), [expected], "{checks}");
    }
    for checks in ["{handshake: {}, heartbeat: {}}", "{handshake: , hold: {}}", "{}"] {
        assert_eq!(of_checks(checks), [""; 0], "{checks}");
    }
    let of_all = "defaults: {checks: {heartbeat: {}}}\ntargets: {a: {url: wss://a}, b: {url: wss://b}}\n";
    let told = warnings(of_all);
    assert!(
        told.len() == 1 && told[0].starts_with("f.yaml:1:20: defaults.checks: no check here"),
        "{told:?}"
    );
    assert_eq!(warnings(&of_all.replace("heartbeat", "handshake: {}, heartbeat")), [""; 0]);
}

#[test]
fn a_zombie_check_of_which_nothing_is_promised_is_told() {
    let text = |dialect: &str, zombie: &str| {
        format!(
            "targets:\n  a:\n    url: wss://a\n    dialect: {dialect}\n    checks: {{handshake: , zombie: {zombie}}}\n"
        )
    };
    let expected = "f.yaml:5:35: targets.a.checks.zombie: no clean-up of silent connections is promised: zombie watches for \
                    90s, and judges nothing; say what the gateway promises, such as window: {latest: 20s}";
    assert_eq!(warnings(&text("websocket", "{watch: 90s}")), [expected.replace("90s", "1m30s")]);
    assert_eq!(warnings(&text("websocket", "{window: {latest: 20s}}")), [""; 0]);
    // What is promised on the connection only is promised, too.
    let dialect = concat!(env!("CARGO_MANIFEST_DIR"), "/config/dialects/full.yaml");
    let with_token = text(dialect, "{}").replace("    url", "    auth: {token: {env: T}}\n    url");
    assert_eq!(warnings_with(&with_token, &[("T", "s3cr3t")]), [""; 0]);
}

/// Whoever types a URL asks for one run of just these checks.
#[test]
fn what_is_typed_is_not_watched() {
    let checks = serde_json::json!({ "checks": { "zombie": { "interval": "30d" } } });
    let settings = checks.as_object().unwrap().clone();
    let (_, told) = for_url("wss://a", settings.clone(), []).unwrap();
    assert_eq!(lines(told.iter()), [""; 0]);
    let mut target = settings;
    target.insert("url".into(), "wss://a".into());
    let (_, told) = load_with(&[], serde_json::json!({ "targets": { "a": target } }), []).unwrap();
    assert_eq!(lines(told.iter()), [""; 0]);
}

/// Nobody reads what stays on this machine.
#[test]
fn a_token_in_clear_text_is_told_where_it_leaves_this_machine() {
    let told = |host: &str| {
        let text = format!(
            "targets:\n  a:\n    url: 'ws://{host}/'\n    auth: {{token: {{env: T}}}}\n    \
             observe: {{url: 'http://{host}/metrics', sessions: s, token: {{env: T}}}}\n\
             otlp: {{endpoint: 'http://{host}:4318', headers: {{X: {{env: T}}}}, protocol: http/protobuf}}\n"
        );
        warnings_with(&text, &[("T", "s3cr3t")]).iter().filter(|told| told.contains("clear text")).count()
    };
    for (host, count) in [
        ("127.0.0.1", 0),
        ("127.8.9.1", 0),
        ("[::1]", 0),
        ("[::ffff:127.0.0.1]", 0),
        ("localhost", 0),
        ("10.0.0.1", 3),
        ("gw.example.com", 3),
        ("localhost.example.com", 3),
    ] {
        assert_eq!(told(host), count, "{host}");
    }
}

/// What goes by a proxy leaves it first.
#[test]
fn a_token_to_this_machine_by_a_proxy_is_told() {
    let text = "targets: {a: {url: 'ws://127.0.0.1/', auth: {token: {env: T}}, proxy: {url: 'http://proxy:3128'}}}\n";
    let told = warnings_with(text, &[("T", "s3cr3t")]);
    assert!(told.iter().any(|told| told.contains("clear text")), "{told:?}");
}
