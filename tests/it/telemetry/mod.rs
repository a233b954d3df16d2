//! From a fault in a gateway to the pager, the collector and the dashboards, with real ones of each, and back.

mod alone;
mod drill;
mod exported;
mod panels;
mod scene;
mod stories;

use std::collections::BTreeMap;
use std::thread;

use self::panels::Shows;
use self::scene::{PATIENCE, Scene};
use self::stories::{FAILING, STORIES, complete, pages_in_time};
use crate::support::binary::within;

/// An alert that must fire, by its labels that tell it from others.
type Expected = BTreeMap<&'static str, String>;

/// One scene for all, and all stories at once: together they take as long as the longest.
#[test]
fn what_should_page_pages_once_and_nothing_else_does() {
    let mut scene = Scene::start();
    all_is_green(&scene);
    // Prometheus was there before it had scraped anything, and may have said so.
    let before = scene.pager.notices().len();
    thread::scope(|threads| {
        let scene = &scene;
        for story in STORIES {
            threads.spawn(|| story.play(scene));
        }
        threads.spawn(|| one_failed_run(scene));
        threads.spawn(|| one_location(scene));
        threads.spawn(|| nothing_to_find_out(scene));
        threads.spawn(|| agent_in_trouble(scene));
        threads.spawn(|| drill::to_a_webhook(scene));
        threads.spawn(|| drill::by_the_count_of_notifications(scene));
    });
    exported::same_counts_and_traces_that_add_up(&scene);
    nobody_is_left(&mut scene);
    let mut expected = expected(&scene);
    let mut fired = BTreeMap::<_, u32>::new();
    let notices = scene.pager.notices().into_iter().skip(before);
    for notice in notices.filter(|notice| notice.status == "firing") {
        complete(&notice);
        *fired.entry((notice.labels, notice.starts_at)).or_default() += 1;
    }
    for ((labels, _), count) in fired {
        let meant = expected
            .iter()
            .position(|wanted| wanted.iter().all(|(name, value)| labels.get(*name) == Some(value)));
        let meant = meant.unwrap_or_else(|| panic!("{labels:?} should not have fired, or not again"));
        assert_eq!(count, 1, "{labels:?} was told of more than once");
        expected.remove(meant);
    }
    assert!(expected.is_empty(), "{expected:#?} should have fired");
    pages_in_time(&scene.pager.notices());
}

fn all_is_green(scene: &Scene) {
    for agent in [&scene.lab, &scene.annex] {
        let of = |metric: &str| format!("sum({metric}{{instance={:?}}})", agent.address);
        let query = format!("{} == {}", of("gateprobe_last_check_success"), of("gateprobe_agent_jobs"));
        within(PATIENCE, &query, || scene.prometheus.query(&query).pop());
    }
}

/// One failed run never pages: what fires in the end is counted.
fn one_failed_run(scene: &Scene) {
    let series =
        "gateprobe_check_runs_total{check=\"handshake\",outcome=\"fail\",target=\"blip\",location=\"lab\"}";
    assert_eq!(scene.lab.metric(series), Some(0.0));
    scene.gateway("blip").switch_on("upgrade_status=503");
    within(PATIENCE, "a failed run", || scene.lab.metric(series).filter(|failed| *failed > 0.0));
    scene.gateway("blip").heal();
    within(PATIENCE, "green again", || {
        let green = "gateprobe_last_check_success{check=\"handshake\",target=\"blip\",location=\"lab\"}";
        scene.lab.metric(green).filter(|green| *green == 1.0)
    });
    assert_eq!(scene.lab.metric(series), Some(1.0), "one");
}

/// What only one of two locations sees is no page.
fn one_location(scene: &Scene) {
    let seen = Shows { board: "check.json", title: "Seen from", series: &[("check", "handshake")], by: 0.0 };
    let failures = "count(gateprobe_check_consecutive_failures{target=\"split\"} >= 3)";
    scene.gateway("annex").switch_on("accept_close");
    let labels =
        [("alertname", "GateprobeCheckFailingInOneLocation"), ("target", "split"), ("location", "annex")];
    scene.notified("firing", &labels);
    assert_eq!(scene.prometheus.query(failures)[0].1, 1.0);
    assert!(seen.value(scene, "split") > 0.0);
    scene.gateway("annex").heal();
    scene.notified("resolved", &labels);
}

/// A credential that is gone is no fault of the gateway's, and somebody has to look all the same.
fn nothing_to_find_out(scene: &Scene) {
    let panels = [
        Shows { board: "overview.json", title: "Inconclusive now", series: &[], by: 1.0 },
        Shows {
            board: "check.json",
            title: "Why runs could not tell",
            series: &[("cause", "credential")],
            by: 1.0,
        },
    ];
    let before = panels.map(|panel| panel.before(scene, "blind"));
    let (file, away) = (scene.file("blind"), scene.file("blind.away"));
    std::fs::rename(&file, &away).expect("moved");
    let labels = [("alertname", "GateprobeCheckInconclusive"), ("target", "blind")];
    scene.notified("firing", &labels);
    for (panel, before) in panels.iter().zip(before) {
        panel.changes(scene, "blind", before);
    }
    std::fs::rename(&away, &file).expect("moved back");
    scene.notified("resolved", &labels);
}

/// What concerns the agent itself; and, since one config has both, the error budget of a target of its own.
fn agent_in_trouble(scene: &Scene) {
    let budget = [
        Shows { board: "slo.json", title: "Lowest budget left", series: &[], by: -0.5 },
        Shows { board: "slo.json", title: "Fastest burn over an hour", series: &[], by: 14.4 },
        Shows { board: "slo.json", title: "Failed runs in an hour", series: &[], by: 3.0 },
    ];
    let before = budget.map(|panel| panel.before(scene, "flaky"));
    // Good and bad by turns, so that it never fails three times in a row.
    scene.gateway("flaky").switch_on("refuse_every=2");

    let exports =
        Shows { board: "agent.json", title: "Exports by OTLP", series: &[("result", "failure")], by: 1.0 };
    let none = exports.before(scene, ".+");
    scene.receiver.answer(503);
    exports.changes(scene, ".+", none);
    let failing = [("alertname", "GateprobeExportFailing"), ("instance", scene.annex.address.as_str())];
    scene.notified("firing", &failing);
    scene.receiver.answer(200);

    let old = Shows { board: "agent.json", title: "On an old config", series: &[], by: 1.0 };
    let new = old.before(scene, ".+");
    scene.break_annex();
    let refused = [("alertname", "GateprobeConfigReloadFailed"), ("instance", scene.annex.address.as_str())];
    scene.notified("firing", &refused);
    old.changes(scene, ".+", new);
    scene.mend_annex();
    scene.notified("resolved", &refused);
    scene.notified("resolved", &failing);

    let of_flaky = |name: &'static str, window: &'static str| {
        let labels = vec![("alertname", name), ("target", "flaky"), ("window", window)];
        labels.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()
    };
    let alerts = flaky().map(|(name, window)| of_flaky(name, window));
    alerts.iter().for_each(|labels| _ = scene.notified("firing", labels));
    for (panel, before) in budget.iter().zip(before) {
        panel.changes(scene, "flaky", before);
    }
    // Its burn would reach the longest window too, which is promtool's to prove: a pause ends that, and is proven.
    scene.pause_flaky();
    alerts.iter().for_each(|labels| _ = scene.notified("resolved", labels));
}

/// The alerts of a target that fails every other second: name and window.
fn flaky() -> [(&'static str, &'static str); 5] {
    [
        ("GateprobeCheckUnstable", ""),
        ("GateprobeErrorBudgetBurn", "1h"),
        ("GateprobeErrorBudgetBurn", "6h"),
        ("GateprobeErrorBudgetBurn", "1d"),
        ("GateprobeErrorBudgetNearlySpent", ""),
    ]
}

/// Both agents end: who watches the watchers is the last to be told.
fn nobody_is_left(scene: &mut Scene) {
    for agent in [&mut scene.lab, &mut scene.annex] {
        agent.signal("TERM");
        assert_eq!(agent.wait(), Some(0));
    }
    scene.notified("firing", &[("alertname", "GateprobeDown")]);
    for agent in [&scene.lab, &scene.annex] {
        scene.notified("firing", &[("alertname", "GateprobeReplicaDown"), ("instance", &agent.address)]);
    }
}

/// Every alert that must have fired.
fn expected(scene: &Scene) -> Vec<Expected> {
    let labels = |labels: &[(&'static str, &str)]| {
        labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Expected>()
    };
    let of_stories = STORIES.iter().flat_map(|story| {
        let alerts = story.alerts.iter();
        alerts.map(|(name, severity)| {
            labels(&[("alertname", name), ("severity", severity), ("target", story.target)])
        })
    });
    let mut all: Vec<Expected> = of_stories.collect();
    for target in ["drill", "counted"] {
        all.push(labels(&[("alertname", FAILING.0), ("severity", FAILING.1), ("target", target)]));
    }
    for (name, window) in flaky() {
        let mut one = labels(&[("alertname", name), ("target", "flaky")]);
        if !window.is_empty() {
            one.insert("window", window.to_owned());
        }
        all.push(one);
    }
    all.push(labels(&[("alertname", "GateprobeCheckFailingInOneLocation"), ("target", "split")]));
    all.push(labels(&[("alertname", "GateprobeCheckInconclusive"), ("target", "blind")]));
    let annex = scene.annex.address.as_str();
    all.push(labels(&[("alertname", "GateprobeExportFailing"), ("instance", annex), ("signal", "metrics")]));
    all.push(labels(&[("alertname", "GateprobeConfigReloadFailed"), ("instance", annex)]));
    all.push(labels(&[("alertname", "GateprobeDown")]));
    for agent in [&scene.lab, &scene.annex] {
        all.push(labels(&[("alertname", "GateprobeReplicaDown"), ("instance", &agent.address)]));
    }
    all
}
