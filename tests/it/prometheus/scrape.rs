//! What arrives in a real Prometheus.

use crate::support::binary::{Agent, eventually};
use crate::support::program::{ClosedPort, Program};
use crate::support::prometheus::{Prometheus, promtool_check_metrics};
use crate::support::{folder, write};

fn agent(good: &str, bad: &str) -> (Agent, tempfile::TempDir) {
    let folder = folder();
    let config = write(
        folder.path(),
        "gateprobe.yaml",
        format!(
            "http: {{ listen: '127.0.0.1:0' }}\n\
             log: {{ format: json }}\n\
             location: lab\n\
             defaults: {{ checks: {{ handshake: {{ interval: 2s, timeout: 2s, close_timeout: 1s }} }} }}\n\
             targets:\n\
             \x20 good: {{ url: 'ws://{good}/', labels: {{ team: chat }} }}\n\
             \x20 bad: {{ url: 'ws://{bad}/' }}\n\
             modules:\n\
             \x20 loopback:\n\
             \x20   allow: {{ hosts: [127.0.0.1], addresses: [loopback] }}\n\
             \x20   checks: {{ handshake: {{ timeout: 3s, close_timeout: 1s }} }}\n"
        ),
    );
    (Agent::start(&config).0, folder)
}

#[test]
fn the_agents_series_arrive() {
    let (gateway, closed) = (Program::python("python_websockets.py", &[]), ClosedPort::any());
    let (agent, _folder) = agent(&gateway.address(), &closed.address());
    let prometheus = Prometheus::start(&format!(
        "scrape_configs:\n\
         - job_name: gateprobe\n\
         \x20 scrape_interval: 1s\n\
         \x20 static_configs: [{{ targets: ['{}'] }}]\n",
        agent.address
    ));
    prometheus.until("up{job='gateprobe'}", |up| up == 1.0);
    let (labels, _) =
        prometheus.until("gateprobe_check_runs_total{target='good', outcome='pass'}", |passed| passed >= 2.0);
    assert_eq!(
        (&labels["check"], &labels["location"], &labels["job"]),
        (&"handshake".into(), &"lab".into(), &"gateprobe".into()),
        "{labels:#}"
    );
    prometheus.until("gateprobe_check_failures_total{target='bad', reason='connect_refused'}", |n| n >= 2.0);
    prometheus.until("gateprobe_check_consecutive_failures{target='bad'}", |failures| failures >= 2.0);
    prometheus.until("gateprobe_last_check_success{target='good'}", |success| success == 1.0);
    prometheus.until("gateprobe_last_check_success{target='bad'}", |success| success == 0.0);
    // The error ratio as the help text has it.
    for (target, expected) in [("good", 0.0), ("bad", 1.0)] {
        let runs = |outcomes: &str| {
            format!(
                "sum(increase(gateprobe_check_runs_total{{target='{target}', outcome=~'{outcomes}'}}[1m]))"
            )
        };
        let ratio = format!("{} / {}", runs("fail"), runs("pass|fail"));
        prometheus.until(&ratio, |ratio| ratio == expected);
    }
    prometheus.until("gateprobe_target_info{team='chat', target='good'}", |info| info == 1.0);
    let median = "histogram_quantile(0.5, sum by (le) \
                  (gateprobe_connect_phase_duration_seconds_bucket{target='good', phase='upgrade'}))";
    prometheus.until(median, |seconds| seconds > 0.0 && seconds < 10.0);
    // A scrape that Prometheus refused in part would show here.
    prometheus.until("scrape_samples_scraped - scrape_samples_post_metric_relabeling", |lost| lost == 0.0);
    assert_eq!(prometheus.query("up == 0"), []);
}

#[test]
fn promtool_has_no_complaint() {
    let (gateway, closed) = (Program::python("python_aiohttp.py", &[]), ClosedPort::any());
    let (agent, _folder) = agent(&gateway.address(), &closed.address());
    let (passed, failed) = (
        "gateprobe_last_check_success{check=\"handshake\",target=\"good\",location=\"lab\"}",
        "gateprobe_last_check_success{check=\"handshake\",target=\"bad\",location=\"lab\"}",
    );
    eventually("both targets were run", || {
        (agent.metric(passed) == Some(1.0) && agent.metric(failed) == Some(0.0)).then_some(())
    });
    let (status, text) = agent.get("/metrics");
    assert_eq!((status, promtool_check_metrics(&text).as_str()), (200, ""), "{text}");
    for target in [gateway.url("ws"), format!("ws://{}/", closed.address())] {
        let (status, text) = agent.probe("loopback", &target, &[]);
        assert_eq!((status, promtool_check_metrics(&text).as_str()), (200, ""), "{text}");
    }
}

#[test]
fn a_relabelled_job_probes_many_targets() {
    let (gateway, closed) = (Program::node("node_ws.mjs", &[]), ClosedPort::any());
    let (agent, _folder) = agent(&gateway.address(), &closed.address());
    let (good, bad) = (gateway.url("ws"), format!("ws://{}/", closed.address()));
    // As in README.md.
    let prometheus = Prometheus::start(&format!(
        "scrape_configs:\n\
         - job_name: gateways\n\
         \x20 scrape_interval: 3s\n\
         \x20 scrape_timeout: 3s\n\
         \x20 metrics_path: /probe\n\
         \x20 params: {{ module: [loopback] }}\n\
         \x20 static_configs:\n\
         \x20 - targets: ['{good}', '{bad}']\n\
         \x20 relabel_configs:\n\
         \x20 - {{ source_labels: [__address__], target_label: __param_target }}\n\
         \x20 - {{ source_labels: [__param_target], target_label: instance }}\n\
         \x20 - {{ target_label: __address__, replacement: '{}' }}\n",
        agent.address
    ));
    let series = |name: &str, instance: &str| format!("{name}{{job='gateways', instance='{instance}'}}");
    prometheus.until(&series("probe_success", &good), |success| success == 1.0);
    prometheus.until(&series("probe_success", &bad), |success| success == 0.0);
    for target in [&good, &bad] {
        prometheus.until(&series("up", target), |up| up == 1.0);
        // The scrape time-out without what the way back takes.
        prometheus.until(&series("probe_timeout_seconds", target), |timeout| timeout == 2.5);
    }
    prometheus.until(&series("probe_websocket_status_code", &good), |status| status == 101.0);
    let (labels, _) = prometheus.until(&series("gateprobe_probe_outcome", &bad), |outcome| outcome == 1.0);
    assert_eq!((&labels["outcome"], &labels["reason"]), (&"fail".into(), &"connect_refused".into()));
}
