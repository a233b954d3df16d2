//! Objectives of the config arrive in the metrics, at the start and at each reload.

use crate::support::binary::{Agent, eventually};
use crate::support::neighbour::Gateway;
use crate::support::{folder, write};

#[test]
fn objectives_come_change_and_go_with_the_config_and_disturb_no_job() {
    let gateway = Gateway::with(&[]);
    let folder = folder();
    let load = |settings: &str, checks: &str| {
        let text = format!(
            "http: {{listen: '127.0.0.1:0'}}\nlog: {{format: json}}\n\
             targets:\n  chat:\n    url: {}\n    {settings}\n    checks:\n      \
             handshake: {{interval: 2s, timeout: 2s, close_timeout: 500ms}}\n      heartbeat: {{{checks}}}\n",
            gateway.url()
        );
        write(folder.path(), "gateprobe.yaml", text)
    };
    let (agent, _log) = Agent::start(&load("slo: {objective: 99.9%, period: 7d}", "slo: {objective: 0.95}"));
    let shown = |check: &str| {
        let of = |name: &str| agent.metric(&format!("{name}{{check=\"{check}\",target=\"chat\"}}"));
        (of("gateprobe_slo_objective_ratio"), of("gateprobe_slo_period_seconds"))
    };
    let week = Some(7.0 * 86_400.0);
    assert_eq!((shown("handshake"), shown("heartbeat")), ((Some(0.999), week), (Some(0.95), week)));

    let passed =
        || agent.metric("gateprobe_check_runs_total{check=\"handshake\",outcome=\"pass\",target=\"chat\"}");
    eventually("a run", || passed().filter(|passed| *passed >= 1.0));
    load("slo: {objective: 99%}", "slo: null");
    let (status, summary) = agent.post("/-/reload");
    assert!(status == 200 && summary.contains("2 unchanged"), "{summary}");
    assert_eq!((shown("handshake"), shown("heartbeat")), ((Some(0.99), Some(30.0 * 86_400.0)), (None, None)));
    assert!(passed() >= Some(1.0), "the counters began again");

    load("labels: {team: chat}", "");
    assert_eq!(agent.post("/-/reload").0, 200);
    assert_eq!((shown("handshake"), shown("heartbeat")), ((None, None), (None, None)));
    // When it is due next is told after each run.
    let of = |name: &str| agent.metric(&format!("{name}{{check=\"handshake\",target=\"chat\"}}"));
    eventually("a run, and the next one ahead", || {
        let last = of("gateprobe_check_last_run_timestamp_seconds")?;
        of("gateprobe_check_next_run_timestamp_seconds").filter(|due| *due > last)
    });
}
