//! The Canary and its MetricTemplate, as Flagger runs them.

use serde_json::Value;

use super::scene::{Scene, TOKEN, example, play, replaced};
use crate::support::binary::eventually;
use crate::support::program::ClosedPort;
use crate::support::prometheus::Prometheus;
use crate::support::reference::Reference;
use crate::support::{folder, write};

fn scraped(scene: &Scene) -> Prometheus {
    let prometheus = Prometheus::start(&format!(
        "scrape_configs: [{{ job_name: gateprobe, scrape_interval: 1s, static_configs: [{{ targets: ['{}'] }}] }}]\n",
        scene.agent.address
    ));
    let runs = "sum(increase(gateprobe_check_runs_total{target=\"chat-canary\",outcome=~\"pass|fail\"}[5m]))";
    eventually(runs, || prometheus.query(runs).first().filter(|series| series.1 > 1.0).map(|_| ()));
    prometheus
}

fn rollout(scene: &Scene, prometheus: &Prometheus, more: &[&str]) -> Value {
    changed_rollout(scene, prometheus, &[], more)
}

fn changed_rollout(scene: &Scene, prometheus: &Prometheus, changes: &[(&str, &str)], more: &[&str]) -> Value {
    let folder = folder();
    let text = std::fs::read_to_string(example("flagger/canary.yaml")).expect("canary.yaml");
    let canary = write(folder.path(), "canary.yaml", replaced(&text, changes));
    let (agent, token) = (format!("--agent={}", scene.agent.address), format!("--token={TOKEN}"));
    let prometheus = format!("--prometheus={}", prometheus.url());
    let arguments = [&[&*agent, &token, &prometheus, "--pace=0.1", "--intervals=120"], more].concat();
    play("flagger.py", &[canary, example("flagger/metric-template.yaml")], &arguments)
}

fn statuses(end: &Value, hook: &str) -> Vec<u64> {
    let calls = end["calls"].as_array().expect("calls").iter().filter(|call| call["hook"] == hook);
    let mut statuses: Vec<u64> = calls.map(|call| call["status"].as_u64().expect("a status")).collect();
    statuses.dedup();
    statuses
}

#[test]
fn a_good_canary_gets_traffic_once_its_verdict_is_there() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &[]);
    let prometheus = scraped(&scene);
    let end = rollout(&scene, &prometheus, &[]);
    assert_eq!(end["phase"], "Succeeded", "{end:#}");
    assert_eq!(statuses(&end, "rollback"), [412], "{end:#}");
    assert_eq!(statuses(&end, "confirm-traffic-increase"), [412, 200], "{end:#}");
    assert_eq!(end["failed_checks"], 0, "waiting is no failure: {end:#}");
    assert_eq!(scene.verifications().len(), 1, "hooks of one revision share a verification");
    // A later revision is another question; here it is asked before the promotion only.
    let later = [("type: confirm-traffic-increase", "type: confirm-promotion")];
    let end = changed_rollout(&scene, &prometheus, &later, &["--revision=2"]);
    assert_eq!(end["phase"], "Succeeded", "{end:#}");
    assert_eq!(statuses(&end, "confirm-promotion").last(), Some(&200), "{end:#}");
    assert_eq!(scene.verifications().len(), 2);
}

/// Its checks on a schedule pass, so that nothing but the verdict stands against it.
#[test]
fn a_bad_canary_is_rolled_back_before_it_gets_traffic() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &["upgrade_delay=400ms"]);
    let prometheus = scraped(&scene);
    let end = rollout(&scene, &prometheus, &[]);
    assert_eq!(end["phase"], "Failed", "{end:#}");
    assert_eq!(end["failed_checks"], 0, "{end:#}");
    assert_eq!(statuses(&end, "rollback"), [412, 200], "{end:#}");
    assert_eq!(statuses(&end, "confirm-traffic-increase"), [412], "{end:#}");
}

/// What the scheduled checks find counts as failed checks; here once the verdict was wrong to let it in.
#[test]
fn a_canary_that_fails_its_checks_later_is_rolled_back_by_the_metric() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &["upgrade_status=404"]);
    let prometheus = scraped(&scene);
    let without =
        [("type: confirm-traffic-increase", "type: post-rollout"), ("type: rollback", "type: post-rollout")];
    let end = changed_rollout(&scene, &prometheus, &without, &[]);
    assert_eq!((&end["phase"], &end["failed_checks"]), (&"Failed".into(), &3.into()), "{end:#}");
}

#[test]
fn without_a_verdict_nothing_is_promoted() {
    let nobody = ClosedPort::any();
    let scene = Scene::start(&format!("ws://{}/", nobody.address()), &[]);
    let prometheus = scraped(&scene);
    let end = rollout(&scene, &prometheus, &[]);
    assert_eq!(end["phase"], "Failed", "{end:#}");
    assert_eq!(statuses(&end, "rollback").last(), Some(&200), "{end:#}");
    // Flagger tries 5xx again and drops what they say.
    let calls = end["calls"].as_array().expect("calls");
    assert!(
        calls.iter().all(|call| [200, 412].contains(&call["status"].as_u64().expect("a status"))),
        "{end:#}"
    );
    assert!(
        calls.iter().all(|call| call["body"].as_str().expect("text").len() < 500),
        "reasons are short: {end:#}"
    );
    // Unless the hooks say so.
    let end = rollout(&scene, &prometheus, &["--revision=2", "--metadata=inconclusive=pass"]);
    assert_eq!(end["phase"], "Succeeded", "{end:#}");
}

#[test]
fn without_the_token_nothing_begins() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &[]);
    let prometheus = scraped(&scene);
    let end = rollout(&scene, &prometheus, &["--token=another", "--intervals=8"]);
    assert_eq!((&end["phase"], &end["weight"]), (&"Progressing".into(), &0.into()), "{end:#}");
    assert_eq!(statuses(&end, "confirm-traffic-increase"), [401]);
    assert_eq!(statuses(&end, "rollback"), [401], "a refusal rolls nothing back");
    assert_eq!(scene.verifications().len(), 0);
}
