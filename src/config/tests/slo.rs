//! Objectives: how they flow, what is odd about them, and what they leave alone.

use proptest::prelude::*;

use super::{lines, load, plan};

fn objectives(text: &str) -> Vec<(String, Option<(f64, u64)>)> {
    let plan = plan(text);
    let days = |seconds: f64| (seconds / 86_400.0) as u64;
    let of = |job: &crate::config::Job| {
        (job.key.check.to_owned(), job.slo.map(|slo| (slo.objective, days(slo.period.as_secs_f64()))))
    };
    plan.jobs.iter().map(of).collect()
}

fn warnings(text: &str) -> Vec<String> {
    lines(load("f.yaml", text.as_bytes(), &[]).unwrap().1.iter())
}

#[test]
fn a_checks_own_word_wins_field_by_field_and_null_unsets() {
    let text = "defaults:\n  slo: {objective: 99%, period: 7d}\n  checks: {heartbeat: {slo: {objective: 98%}}}\n\
                targets:\n  a:\n    url: wss://a\n    slo: {objective: 0.995}\n    checks:\n      handshake:\n      \
                heartbeat: {slo: {period: 28d}}\n      hold: {slo: null}\n";
    let expected = [
        ("handshake".to_owned(), Some((0.995, 7))),
        ("heartbeat".to_owned(), Some((0.98, 28))),
        ("hold".to_owned(), None),
    ];
    assert_eq!(objectives(text), expected);
    let text =
        "defaults: {slo: {objective: 99%}}\ntargets: {a: {url: wss://a}, b: {url: wss://b, slo: null}}";
    let expected = [("handshake".to_owned(), Some((0.99, 30))), ("handshake".to_owned(), None)];
    assert_eq!(objectives(text), expected);
    assert_eq!(objectives("targets: {a: {url: wss://a}}"), [("handshake".to_owned(), None)]);
}

#[test]
fn variables_set_objectives_in_either_form() {
    for (value, ratio) in [("99.5%", 0.995), ("0.995", 0.995)] {
        let variables = [("GATEPROBE__DEFAULTS__SLO__OBJECTIVE", value)];
        let (plan, _) = load("f.yaml", b"targets: {a: {url: wss://a}}", &variables).unwrap();
        assert_eq!(plan.jobs[0].slo.map(|slo| slo.objective), Some(ratio));
    }
}

#[test]
fn an_objective_changes_no_job() {
    let key = |text: &str| plan(text).jobs[0].key.clone();
    let base = key("targets: {a: {url: wss://a}}");
    for text in [
        "targets: {a: {url: wss://a, slo: {objective: 99%}}}",
        "targets: {a: {url: wss://a, checks: {handshake: {slo: {objective: 99%}}}}}",
    ] {
        assert_eq!(base, key(text), "{text}");
    }
}

#[test]
fn a_budget_that_one_accident_spends_is_odd_and_both_ways_out_are_named() {
    let text = "defaults:\n  slo: {objective: 99.9%}\ntargets:\n  a: {url: wss://a, checks: {handshake: {interval: 1h}}}\n  \
                b: {url: wss://b, checks: {handshake: {interval: 1h}}}\n";
    let expected = "f.yaml:2:20: defaults.slo.objective: 99.9% over 30d leaves handshake 0.7 failed runs at its interval \
                    of 1h, fewer than 3: one accident would spend it; lower the objective to 99.583%, or run it every \
                    14m24s";
    assert_eq!(warnings(text), [expected], "once for both targets");
    assert_eq!(warnings(&text.replace("99.9%", "99.583%")), [""; 0]);
    assert_eq!(warnings(&text.replace("1h", "14m24s")), [""; 0]);
}

#[test]
fn an_objective_below_the_reach_of_the_quickest_alert_is_odd() {
    let text = |objective: &str| format!("targets: {{a: {{url: wss://a, slo: {{objective: {objective}}}}}}}");
    assert!(warnings(&text("93%"))[0].contains("93% is so low that not even an outage"));
    assert_eq!(warnings(&text("93.1%")), [""; 0]);
}

proptest! {
    // Each case loads up to three configs.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn who_follows_the_advice_is_not_warned_again(
        objective in 9_400_u32..9_999, days in 1_u64..90, minutes in 1_u64..1_440,
    ) {
        let text = |objective: &str, interval: &str| {
            format!(
                "targets: {{a: {{url: wss://a, slo: {{objective: {objective}, period: {days}d}}, checks: {{handshake: \
                 {{interval: {interval}, timeout: 1s, close_timeout: 500ms}}}}}}}}"
            )
        };
        let objective = format!("{}%", f64::from(objective) / 100.0);
        let interval = format!("{minutes}m");
        let small = |told: &[String]| told.iter().any(|line| line.contains("fewer than 3"));
        let told = warnings(&text(&objective, &interval));
        if small(&told) {
            let after = |mark: &str| told[0].split(mark).nth(1).map(|rest| rest.split(',').next().unwrap().to_owned());
            if let Some(lower) = after("lower the objective to ") {
                prop_assert!(!small(&warnings(&text(&lower, &interval))), "{told:?}");
            }
            let every = after("run it every ").unwrap();
            if !every.contains("ms") && every != "0s" {
                prop_assert!(!small(&warnings(&text(&objective, &every))), "{told:?}");
            }
        }
    }
}
