//! The AnalysisTemplates, as Argo Rollouts runs them.

use serde_json::Value;

use super::scene::{Scene, TOKEN, config_of, example, play, replaced};
use crate::support::binary::eventually;
use crate::support::program::ClosedPort;
use crate::support::prometheus::Prometheus;
use crate::support::reference::Reference;
use crate::support::{folder, write};

/// Real seconds in one of Argo's: a verification of one quick check is over well before Argo wants its verdict.
const PACE: &str = "--pace=0.3";

/// The run of `web.yaml` for a revision.
fn web(scene: &Scene, revision: &str, token: &str) -> Value {
    let arguments = [
        PACE,
        &format!("--arg=key={revision}"),
        &format!("--arg=agent=http://{}", scene.agent.address),
        &format!("--secret=gateprobe-api/token={token}"),
    ];
    play("argo.py", &[example("argo/web.yaml")], &arguments)
}

/// The words that the agent gave, in turn and each once.
fn words(run: &Value, metric: &str) -> Vec<String> {
    let measurements = run["metrics"][metric]["measurements"].as_array();
    let measurements = measurements.unwrap_or_else(|| panic!("no {metric} in {run:#}"));
    let mut words: Vec<String> =
        measurements.iter().map(|one| one["value"].as_str().unwrap_or("nothing").to_owned()).collect();
    words.dedup();
    words
}

#[test]
fn web_lets_a_good_canary_through_by_one_verification() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &[]);
    let run = web(&scene, "7", TOKEN);
    assert_eq!(run["phase"], "Successful", "{run:#}");
    assert_eq!(words(&run, "gateway-not-worse"), ["pending", "pass"]);
    assert_eq!(words(&run, "gateway-as-good"), ["pass"]);
    assert_eq!(scene.verifications().len(), 1, "the same key is the same verification");
}

#[test]
fn web_fails_a_bad_canary_and_does_not_wait_for_the_end() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &["upgrade_status=404"]);
    let run = web(&scene, "7", TOKEN);
    assert_eq!(run["phase"], "Failed", "{run:#}");
    assert_eq!(words(&run, "gateway-not-worse").last().expect("a word"), "fail");
    assert!(run["metrics"]["gateway-as-good"].is_null(), "{run:#}");
}

#[test]
fn web_pauses_where_nothing_can_be_said() {
    let nobody = ClosedPort::any();
    let scene = Scene::start(&format!("ws://{}/", nobody.address()), &[]);
    let run = web(&scene, "7", TOKEN);
    assert_eq!(run["phase"], "Inconclusive", "{run:#}");
    assert_eq!(words(&run, "gateway-not-worse").last().expect("a word"), "inconclusive");
}

#[test]
fn web_with_a_wrong_token_is_an_error_and_starts_nothing() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &[]);
    let run = web(&scene, "7", "another");
    assert_eq!(run["phase"], "Error", "{run:#}");
    let message = &run["metrics"]["gateway-not-worse"]["measurements"][0]["message"];
    assert_eq!(message, "received non 2xx response code: 401");
    assert_eq!(scene.verifications().len(), 0);
}

/// The run of `job.yaml`, with changes of its text.
fn job(baseline: &str, canary: &str, changes: &[(&str, &str)]) -> Value {
    let folder = folder();
    let text = std::fs::read_to_string(example("argo/job.yaml")).expect("job.yaml");
    let template = write(folder.path(), "job.yaml", replaced(&text, changes));
    let config = write(folder.path(), "gateprobe.yaml", config_of(baseline));
    let arguments = [
        "--pace=0.01",
        &format!("--arg=canary={canary}"),
        &format!("--config={}", config.display()),
        concat!("--program=", env!("CARGO_BIN_EXE_gateprobe")),
    ];
    play("argo.py", &[template], &arguments)
}

fn log_of(run: &Value) -> &str {
    run["metrics"]["gateway-as-good"]["measurements"][0]["message"].as_str().expect("a log")
}

#[test]
fn the_job_tells_a_good_canary_from_a_bad_one() {
    let (stable, good, bad) =
        (Reference::start(&[]), Reference::start(&[]), Reference::start(&["--fault", "upgrade_status=404"]));
    let run = job(&stable.url, &good.url, &[]);
    assert_eq!(run["phase"], "Successful", "{}", log_of(&run));
    let run = job(&stable.url, &bad.url, &[]);
    assert_eq!(run["phase"], "Failed", "{}", log_of(&run));
    assert_eq!(run["metrics"]["gateway-as-good"]["Failed"], 1, "it is not tried again");
    assert!(log_of(&run).contains("handshake"), "{}", log_of(&run));
}

/// A Job knows only yes and no.
#[test]
fn what_an_inconclusive_job_ends_as_is_for_the_template_to_say() {
    let (nobody, canary) = (ClosedPort::any(), Reference::start(&[]));
    let baseline = format!("ws://{}/", nobody.address());
    let run = job(&baseline, &canary.url, &[]);
    assert_eq!(run["phase"], "Failed", "{}", log_of(&run));
    assert!(log_of(&run).to_lowercase().contains("inconclusive"), "{}", log_of(&run));
    let run = job(&baseline, &canary.url, &[("--inconclusive-exit-code=1", "--inconclusive-exit-code=0")]);
    assert_eq!(run["phase"], "Successful", "{}", log_of(&run));
}

/// The verification is ended by Kubernetes, and says so.
#[test]
fn a_job_that_takes_too_long_fails() {
    let (stable, canary) = (Reference::start(&[]), Reference::start(&["--fault", "upgrade_delay=800ms"]));
    let run = job(&stable.url, &canary.url, &[("activeDeadlineSeconds: 180", "activeDeadlineSeconds: 3")]);
    assert_eq!(run["phase"], "Failed", "{}", log_of(&run));
    assert!(log_of(&run).starts_with("DeadlineExceeded"), "{}", log_of(&run));
}

/// In the background of a rollout: its end is a success, unless a measurement was against it.
#[test]
fn prometheus_sees_what_the_schedule_sees() {
    let stable = Reference::start(&[]);
    let scene = Scene::start(&stable.url, &["upgrade_status=404"]);
    let prometheus = Prometheus::start(&format!(
        "scrape_configs: [{{ job_name: gateprobe, scrape_interval: 1s, static_configs: [{{ targets: ['{}'] }}] }}]\n",
        scene.agent.address
    ));
    for target in ["chat", "chat-canary"] {
        let runs = format!(
            "sum(increase(gateprobe_check_runs_total{{target=\"{target}\",outcome=~\"pass|fail\"}}[5m]))"
        );
        eventually(&runs, || prometheus.query(&runs).first().filter(|series| series.1 > 1.0).map(|_| ()));
    }
    let end = |canary: &str| {
        let arguments = [
            "--pace=0.005",
            &format!("--arg=canary={canary}"),
            &format!("--arg=prometheus={}", prometheus.url()),
            "--terminate-after=900",
        ];
        play("argo.py", &[example("argo/prometheus.yaml")], &arguments)["phase"].clone()
    };
    assert_eq!([end("chat"), end("chat-canary"), end("nobody")], ["Successful", "Failed", "Inconclusive"]);
}
