//! The contract of `/metrics`: what is there, from when on, under which names, and how much of it.

use std::collections::{BTreeMap, BTreeSet};

use gateprobe::agent::metrics::catalogue;
use gateprobe::gateway::{self, Settings, TlsSettings, Token};
use gateprobe::metrics::{Descriptor, Kind, METRICS, Scope, lint};

use crate::support::binary::{Agent, eventually};
use crate::support::program::Program;
use crate::support::{every_check, folder, write};

/// The most series that a target may have (docs: cardinality).
const SERIES_PER_TARGET: usize = 250;

/// The most series that one check may begin with; each bucket of a histogram is one.
const SERIES_OF_A_CHECK: usize = 200;

/// One line of the text format.
#[derive(Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Every metric of the agent: the catalogue, and what the recorder says of itself.
fn all_metrics() -> BTreeMap<&'static str, &'static Descriptor> {
    catalogue().into_iter().chain(METRICS.iter().copied()).map(|metric| (metric.name, metric)).collect()
}

/// The metric that a series belongs to; a histogram has three names for its series.
fn metric_of(name: &str) -> Option<&'static Descriptor> {
    let all = all_metrics();
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
        let metric = all.get(name.strip_suffix(suffix)?)?;
        matches!(metric.kind, Kind::Histogram { .. }).then_some(*metric)
    });
    histogram
        .or_else(|| all.get(name).copied().filter(|metric| !matches!(metric.kind, Kind::Histogram { .. })))
}

fn series(text: &str) -> Vec<Series> {
    text.lines().filter(|line| !line.starts_with('#')).map(one).collect()
}

/// No label value of these tests holds a quote or a backslash.
fn one(line: &str) -> Series {
    let (key, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = key.split_once('{').unwrap_or((key, "}"));
    let labels = labels.strip_suffix('}').expect("the end of the labels").split_terminator("\",");
    let pair = |pair: &str| {
        let (name, value) = pair.split_once("=\"").expect("a label");
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    };
    Series {
        name: name.to_owned(),
        labels: labels.filter(|pair| !pair.is_empty()).map(pair).collect(),
        value: value.parse().expect("a number"),
    }
}

#[test]
fn every_descriptor_keeps_the_rules_for_names() {
    let all: Vec<&Descriptor> = all_metrics().into_values().collect();
    assert_eq!(lint(&all), Vec::<String>::new());
    assert_eq!(all.len(), catalogue().len() + METRICS.len(), "two metrics have one name");
}

#[test]
fn counters_and_histograms_exist_before_the_first_run_and_gauges_do_not() {
    let folder = folder();
    let config = write(
        folder.path(),
        "gateprobe.yaml",
        format!("http: {{ listen: '127.0.0.1:0' }}\nlog: {{ format: json }}\n{}", every_check()),
    );
    let (agent, _log) = Agent::start(&config);
    let (_, text) = agent.get("/metrics");
    let found = series(&text);
    let of = |metric: &Descriptor| {
        let name = metric.name;
        let own = found.iter().filter(move |s| metric_of(&s.name).is_some_and(|of| of.name == name));
        own.collect::<Vec<_>>()
    };
    // What the config alone tells of.
    let known = [
        "gateprobe_check_interval_seconds",
        "gateprobe_check_next_run_timestamp_seconds",
        "gateprobe_slo_objective_ratio",
        "gateprobe_slo_period_seconds",
        "gateprobe_target_paused",
        "gateprobe_target_info",
    ];
    // One series for each thing that a gateway may do to each vector would be thousands.
    let malformed = "gateprobe_malformed_vectors_total";
    // Of verifications, which nobody has asked for yet.
    let unforeseen = [malformed, "gateprobe_canary_runs_total", "gateprobe_canary_failures_total"];
    for metric in all_metrics().into_values().filter(|metric| metric.scope != Scope::Agent) {
        let own = of(metric);
        match metric.kind {
            _ if unforeseen.contains(&metric.name) => assert!(own.is_empty(), "{own:?}"),
            Kind::Gauge if known.contains(&metric.name) => {}
            Kind::Gauge => assert!(own.is_empty(), "before the first run: {own:?}"),
            Kind::Counter | Kind::Histogram { .. } => {
                assert!(!own.is_empty(), "{} does not exist", metric.name);
                for series in own {
                    assert_eq!(series.labels["target"], "chat", "{series:?}");
                    let ticks = series.labels.get("reason").is_some_and(|reason| reason == "paused");
                    assert!(series.value == 0.0 || ticks, "{series:?}");
                }
            }
        }
    }
    let mut of_check = BTreeMap::<&str, usize>::new();
    for series in &found {
        *of_check.entry(series.labels.get("check").map_or("", String::as_str)).or_default() += 1;
    }
    of_check.remove("");
    println!("{} series before the first run: {of_check:?}", of_check.values().sum::<usize>());
    assert_eq!(of_check.len(), gateprobe::checks::CheckSpec::KINDS.len());
    assert!(of_check.values().all(|count| *count <= SERIES_OF_A_CHECK), "{of_check:?}");
    let values = |metric: &Descriptor, label: &str| {
        of(metric).iter().map(|series| series.labels[label].clone()).collect::<BTreeSet<String>>()
    };
    let set = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<BTreeSet<String>>();
    let all = all_metrics();
    assert_eq!(
        values(all["gateprobe_check_runs_total"], "outcome"),
        set(&["fail", "inconclusive", "pass", "unsupported"])
    );
    let reasons = values(all["gateprobe_check_failures_total"], "reason");
    assert!(reasons.len() > 50 && reasons.contains("bad_accept"), "{reasons:?}");
    let causes = values(all["gateprobe_check_inconclusive_total"], "cause");
    assert!(causes.len() > 10 && causes.contains("egress_lost"), "{causes:?}");
    assert_eq!(
        values(all["gateprobe_connect_phase_duration_seconds"], "phase"),
        set(&["dns", "tcp", "tls", "upgrade"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_series_is_in_the_catalogue_and_a_target_has_few_enough() {
    let folder = folder();
    let token = write(folder.path(), "token", "s3cr3t\n");
    let settings = Settings {
        tls: Some(TlsSettings::SelfMade { names: vec!["gateway.test".into(), "127.0.0.1".into()] }),
        token: Token::new("s3cr3t"),
        subprotocols: vec!["chat.v2".into()],
        hello: Some("hello".into()),
        ..Settings::default()
    };
    let gateway = gateway::start(settings).await.expect("starts");
    let ca = write(folder.path(), "ca.pem", gateway.ca_pem().expect("TLS"));
    let dns = Program::python("dns_server.py", &["--record", "gateway.test=127.0.0.1"]);
    let proxy = Program::python("connect_proxy.py", &[]);
    let path = |path: &std::path::Path| path.display().to_string();
    let config = |proxy: &str, host: &str| {
        format!(
            "http: {{ listen: '127.0.0.1:0' }}\n\
             log: {{ format: json }}\n\
             location: lab\n\
             resolver: {{ servers: ['{}'] }}\n\
             targets:\n\
             \x20 chat:\n\
             \x20   url: 'wss://{host}:{}/'\n\
             \x20   labels: {{ team: chat, tier: gold }}\n\
             \x20   auth: {{ token: {{ file: '{}' }} }}\n\
             \x20   tls: {{ ca_file: '{}' }}\n\
             \x20   subprotocols: [chat.v2]\n\
             \x20   budget: {{ connections_per_second: 100 }}\n\
             \x20   proxy: {{ {proxy} }}\n\
             \x20   checks:\n\
             \x20     handshake:\n\
             \x20       interval: 5s\n\
             \x20       timeout: 5s\n\
             \x20       close_timeout: 1s\n\
             \x20       first_message: {{ within: 1s, contains: hello }}\n\
             \x20       expect:\n\
             \x20         no_token_refused: true\n\
             \x20         foreign_origin: report\n\
             \x20         plain_get_refused: true\n\
             \x20         refusal_timeout: 200ms\n\
             modules:\n\
             \x20 public: {{ allow: {{ hosts: [\"*\"] }}, checks: {{ handshake: {{}} }} }}\n",
            dns.address(),
            gateway.address().port(),
            path(&token),
            path(&ca),
        )
    };
    let file = write(folder.path(), "gateprobe.yaml", config("", "gateway.test"));
    let (agent, _log) = Agent::start(&file);
    let measured = |phase: &str| {
        eventually(phase, || {
            let (_, text) = agent.get("/metrics");
            let last = series(&text).into_iter().find(|series| {
                series.name == "gateprobe_last_connect_phase_duration_seconds"
                    && series.labels["phase"] == phase
            });
            last.map(|_| ())
        });
    };
    ["dns", "tcp", "tls", "upgrade", "first_message"].into_iter().for_each(measured);
    write(
        folder.path(),
        "gateprobe.yaml",
        config(&format!("url: 'http://{}'", proxy.address()), "127.0.0.1"),
    );
    let (status, answer) = agent.post("/-/reload");
    assert_eq!(status, 200, "{answer}");
    measured("proxy");
    // The agent's own series of every kind of answer.
    for path in ["/", "/livez", "/readyz", "/api/v1/runs", "/nothing", "/probe", "/probe?module=x&target=y"] {
        agent.get(path);
    }
    agent.probe("public", "chat", &[]);
    assert_eq!(agent.get("/-/reload").0, 405);

    let (_, text) = agent.get("/metrics");
    let found = series(&text);
    found.iter().for_each(assert_in_catalogue);
    let of_target = found.iter().filter(|series| series.labels.get("target").is_some_and(|t| t == "chat"));
    let count = of_target.count();
    println!("{count} series of one target");
    assert!(count > 150, "the runs were not counted: {count}");
    assert!(count <= SERIES_PER_TARGET, "{count} series of one target");
    let dropped: Vec<&Series> =
        found.iter().filter(|s| s.name == "gateprobe_metric_series_dropped_total" && s.value > 0.0).collect();
    assert!(dropped.is_empty(), "{dropped:?}");
    gateway.shutdown().await;
}

fn assert_in_catalogue(series: &Series) {
    if series.name.starts_with("process_") {
        assert_eq!(series.labels.keys().collect::<Vec<_>>(), ["location"], "{series:?}");
        return;
    }
    let metric = metric_of(&series.name).unwrap_or_else(|| panic!("not in the catalogue: {series:?}"));
    let mut expected: BTreeSet<&str> = metric.all_labels().chain(["location"]).collect();
    if series.name.ends_with("_bucket") {
        expected.insert("le");
    }
    if metric.name == "gateprobe_target_info" {
        expected.extend(["team", "tier"]);
    }
    // Each address of a name has series of its own only where the target asks for that.
    expected.remove("peer");
    let labels: BTreeSet<&str> = series.labels.keys().map(String::as_str).collect();
    assert_eq!(labels, expected, "{series:?}");
    assert_eq!(series.labels["location"], "lab", "{series:?}");
}

/// Rules count outages by series of their own, and tell of certificates by what the config wants.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certificate_that_expires_soon_is_no_acute_failure() {
    let folder = folder();
    let settings = Settings { tls: Some(TlsSettings::loopback()), ..Settings::default() };
    let gateway = gateway::start(settings).await.expect("starts");
    write(folder.path(), "ca.pem", gateway.ca_pem().expect("TLS"));
    let config = |wanted: &str| {
        format!(
            "http: {{ listen: '127.0.0.1:0' }}\nlog: {{ format: json }}\ntargets:\n\
             \x20 chat: {{ url: '{}', tls: {{ ca_file: ca.pem }}, checks: {{ handshake: {{ interval: 1s, timeout: \
             900ms, close_timeout: 100ms{wanted} }} }} }}\n",
            gateway.url()
        )
    };
    let file = write(folder.path(), "gateprobe.yaml", config(", certificate_min_validity: 3650d"));
    let (agent, _log) = Agent::start(&file);
    let of = |name: &str| agent.metric(&format!("{name}{{check=\"handshake\",target=\"chat\"}}"));
    eventually("a failure", || of("gateprobe_check_consecutive_failures").filter(|failures| *failures > 0.0));
    assert_eq!(of("gateprobe_last_check_success"), Some(0.0));
    for acute in [
        "gateprobe_last_check_acute_failure",
        "gateprobe_check_consecutive_acute_failures",
        "gateprobe_check_acute_failures_total",
    ] {
        assert_eq!(of(acute), Some(0.0), "{acute}");
    }
    assert_eq!(of("gateprobe_tls_certificate_min_validity_seconds"), Some(3_650.0 * 86_400.0));
    write(folder.path(), "gateprobe.yaml", config(""));
    let (status, answer) = agent.post("/-/reload");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(of("gateprobe_tls_certificate_min_validity_seconds"), None);
    eventually("a pass", || of("gateprobe_last_check_success").filter(|success| *success == 1.0));
}
