//! The Canary and its MetricTemplate, as Flagger runs them.

use serde_json::Value;

use super::scene::{Scene, TOKEN, example, play};
use crate::support::binary::eventually;
use crate::support::program::ClosedPort;
use crate::support::prometheus::Prometheus;
use crate::support::reference::Reference;

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
    let manifests = [example("flagger/canary.yaml"), example("flagger/metric-template.yaml")];
    let (agent, token) = (format!("--agent={}", scene.agent.address), format!("--token={TOKEN}"));
    let prometheus = format!("--prometheus={}", prometheus.url());
    let arguments = [&[&*agent, &token, &prometheus, "--pace=0.1"], more].concat();
    play("flagger.py", &manifests, &arguments)
}

fn statuses(end: &Value, hook: &str) -> Vec<u64> {
    let calls = end["calls"].as_array().expect("calls").iter().filter(|call| call["hook"] == hook);
    let mut statuses: Vec<u64> = calls.map(|call| call["status"].as_u64().expect("a status")).collect();
    statuses.dedup();
    statuses
}

#[test]
fn a_good_canary_is_promoted_once_its_verdict_is_there() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &[]);
    let prometheus = scraped(&scene);
    let end = rollout(&scene, &prometheus, &[]);
    assert_eq!(end["phase"], "Succeeded", "{end:#}");
    assert_eq!(statuses(&end, "rollout"), [200], "nothing halts it while it waits: {end:#}");
    assert_eq!(statuses(&end, "rollback"), [412], "{end:#}");
    assert_eq!(statuses(&end, "confirm-promotion").last(), Some(&200), "{end:#}");
    assert_eq!(scene.verifications().len(), 1, "hooks of one revision share a verification");
    // A later revision is another question.
    let end = rollout(&scene, &prometheus, &["--revision=2"]);
    assert_eq!(end["phase"], "Succeeded", "{end:#}");
    assert_eq!(scene.verifications().len(), 2);
}

#[test]
fn a_bad_canary_is_rolled_back_at_once() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &["upgrade_status=503"]);
    let prometheus = scraped(&scene);
    let end = rollout(&scene, &prometheus, &[]);
    assert_eq!(end["phase"], "Failed", "{end:#}");
    assert_eq!(statuses(&end, "rollback").last(), Some(&200), "{end:#}");
    assert!(end["failed_checks"].as_u64() < Some(3), "before the threshold of failed checks: {end:#}");
    assert_eq!(statuses(&end, "confirm-promotion"), [0_u64; 0]);
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
}

#[test]
fn without_the_token_nothing_begins() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &[]);
    let prometheus = scraped(&scene);
    let end = rollout(&scene, &prometheus, &["--token=another"]);
    assert_eq!(end["phase"], "Failed", "{end:#}");
    assert_eq!(statuses(&end, "rollout"), [401]);
    assert_eq!(scene.verifications().len(), 0);
}
