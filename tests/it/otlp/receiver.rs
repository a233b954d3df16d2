//! What a real collector gets.

use std::collections::BTreeMap;

use super::agent::{config, exports, runs, write_config};
use super::server::Server;
use crate::secrets::grep::assert_clean;
use crate::support::binary::{Agent, eventually, value};
use crate::support::collector::{Attributes, Collector, Point, Span};
use crate::support::program::ClosedPort;
use crate::support::reference::Reference;
use crate::support::{folder, write};

const SECRET: &str = "s3cr3tOfTheCollector";

/// The last point of a metric whose attributes are just these.
fn point(collector: &Collector, metric: &str, attributes: &[(&str, &str)]) -> Option<Point> {
    let wanted: Attributes =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    collector.last(metric).remove(&wanted)
}

fn job(target: &str) -> [(&str, &str); 2] {
    [("target", target), ("check", "handshake")]
}

#[test]
fn grpc_brings_everything_and_no_secret() {
    brings_everything("grpc");
}

#[test]
fn http_brings_everything_and_no_secret() {
    brings_everything("http/protobuf");
}

fn brings_everything(protocol: &str) {
    let (collector, gateway, closed) = (Collector::start(), Reference::start(&[]), ClosedPort::any());
    let folder = folder();
    let token = write(folder.path(), "token", format!("Bearer {SECRET}"));
    let endpoint = if protocol == "grpc" { &collector.grpc } else { &collector.http };
    let otlp = format!(
        "otlp: {{ endpoint: '{endpoint}', protocol: {protocol}, interval: 500ms, compression: gzip, \
         headers: {{ Authorization: {{ file: '{}' }} }} }}",
        token.display()
    );
    let (good, bad) =
        (format!("{}?key={SECRET}", gateway.url), format!("ws://{}/?key={SECRET}", closed.address()));
    let targets = [("good", good.as_str(), "headers: { X-Plain: x },"), ("bad", bad.as_str(), "")];
    let file = write_config(&folder, &otlp, &targets);
    let variables =
        [("OTEL_SERVICE_NAME", "probes"), ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")];
    let (mut agent, log) = Agent::start_with(&file, &variables);
    let log = log.collect();
    eventually("two runs of each", || {
        (runs(&agent, "good", "pass") >= 2.0 && runs(&agent, "bad", "fail") >= 2.0).then_some(())
    });
    eventually("an export", || (exports(&agent, "metrics", "success") > 0.0).then_some(()));
    // The last exports come after the last runs: then both tell of the same.
    let (_, text) = agent.get("/metrics");
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
    let log = log.join().expect("the log");
    assert!(!log.contains("takes no exports"), "{log}");
    assert_clean("the collector", &collector.said(), &[SECRET]);
    assert_clean("the log", &log, &[SECRET]);
    assert_clean("/metrics", &text, &[SECRET]);

    for (target, outcome) in [("good", "pass"), ("bad", "fail")] {
        let runs = |text: &str| {
            let labels = format!("check=\"handshake\",outcome=\"{outcome}\",target=\"{target}\"");
            value(text, &format!("gateprobe_check_runs_total{{{labels}}}"))
        };
        // A run may have ended between the look at /metrics and the end.
        let shown = runs(&text).expect("shown");
        let attributes = [&job(target)[..], &[("outcome", outcome)]].concat();
        eventually("the same counts", || {
            let told =
                point(&collector, "gateprobe.check_runs", &attributes).filter(|told| told.value >= shown)?;
            let histogram = point(&collector, "gateprobe.check_duration", &job(target))?;
            let kinds = (told.kind.as_str(), histogram.kind.as_str(), histogram.unit.as_str());
            assert_eq!(kinds, ("Sum", "ExponentialHistogram", "s"));
            let traces = collector.spans().iter().filter(|span| root_of(span, target)).count();
            let counts = [told.value, histogram.count, traces as f64];
            (told.value <= shown + 1.0 && counts.iter().all(|count| *count == told.value)).then_some(())
        });
    }
    spans_say_what_they_should(&collector.spans(), &gateway);
    let said = collector.said();
    for attribute in ["service.name: Str(probes)", "deployment.environment.name: Str(lab)", "host.name: Str("]
    {
        assert!(said.contains(attribute), "no {attribute}");
    }
}

fn root_of(span: &Span, target: &str) -> bool {
    span.parent.is_empty() && span.attributes.get("gateprobe.target").is_some_and(|name| name == target)
}

fn spans_say_what_they_should(spans: &[Span], gateway: &Reference) {
    let good = spans.iter().find(|span| root_of(span, "good")).expect("a run");
    let get = |span: &Span, name: &str| span.attributes.get(name).cloned();
    assert_eq!(get(good, "gateprobe.outcome").as_deref(), Some("pass"));
    assert_eq!(get(good, "server.port"), Some(gateway.address().port().to_string()));
    assert_eq!((get(good, "url.scheme").as_deref(), get(good, "error.type")), (Some("ws"), None));
    assert_eq!(good.status, "STATUS_CODE_UNSET");
    let of_run: Vec<&Span> =
        spans.iter().filter(|span| span.parent == good.id && span.trace == good.trace).collect();
    let names: Vec<&str> = of_run.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["budget", "tcp", "upgrade", "session", "close"]);
    assert_eq!(get(of_run[2], "http.response.status_code").as_deref(), Some("101"));
    assert_eq!(get(of_run[1], "network.peer.address").as_deref(), Some("127.0.0.1"));
    let bad = spans.iter().find(|span| root_of(span, "bad")).expect("a run");
    assert_eq!(get(bad, "error.type").as_deref(), Some("connect_refused"));
    assert_eq!(bad.status, "STATUS_CODE_ERROR");
}

#[test]
fn the_spans_of_a_run_add_up_to_it() {
    let collector = Collector::start();
    // Takes connections and never answers: the run is all waiting, so that what lies beside its phases is small.
    let silent = Server::silent();
    let folder = folder();
    let otlp = format!("otlp: {{ endpoint: '{}', protocol: grpc, metrics: false }}", collector.grpc);
    let url = format!("ws://{}/", silent.address);
    let (mut agent, log) = Agent::start(&write_config(&folder, &otlp, &[("silent", &url, "")]));
    let log = log.collect();
    eventually("a run", || (runs(&agent, "silent", "fail") > 0.0).then_some(()));
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
    log.join().expect("the log");
    let spans = eventually("its spans", || Some(collector.spans()).filter(|spans| !spans.is_empty()));
    let root = spans.iter().find(|span| root_of(span, "silent")).expect("a run");
    let phases: Vec<&Span> = spans.iter().filter(|span| span.parent == root.id).collect();
    assert_eq!(
        phases.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(),
        ["budget", "tcp", "upgrade"]
    );
    for pair in phases.windows(2) {
        assert_eq!(pair[0].end, pair[1].start, "each begins where the one before ends");
    }
    assert!(phases[0].start >= root.start && phases[2].end <= root.end, "{root:?} {phases:?}");
    let (whole, sum) = (root.end - root.start, phases.iter().map(|span| span.end - span.start).sum::<u64>());
    assert!(sum <= whole && sum * 10 > whole * 9, "{sum} of {whole} ns");
}

#[test]
fn what_is_removed_by_a_reload_is_gone_and_the_rest_goes_on() {
    let (collector, gateway) = (Collector::start(), Reference::start(&[]));
    let folder = folder();
    let otlp = format!("otlp: {{ endpoint: '{}', interval: 300ms, traces: false }}", collector.http);
    let both = [("stays", gateway.url.as_str(), ""), ("goes", gateway.url.as_str(), "")];
    let (agent, _log) = Agent::start(&write_config(&folder, &otlp, &both));
    let count = |target: &str| point(&collector, "gateprobe.check_duration", &job(target)).map(|p| p.count);
    eventually("runs of both", || (count("stays")? >= 1.0 && count("goes")? >= 1.0).then_some(()));
    let start = |metric: &str| {
        let points = collector.points().into_iter().filter(|p| p.metric == metric);
        points
            .filter(|p| p.attributes.get("target").is_some_and(|t| t == "stays"))
            .map(|p| p.start)
            .collect::<Vec<_>>()
    };
    write(folder.path(), "gateprobe.yaml", config(&otlp, &both[..1]));
    let (status, answer) = agent.post("/-/reload");
    assert_eq!(status, 200, "{answer}");
    // What was on its way may still be printed; then the series are gone for good.
    let exported = exports(&agent, "metrics", "success");
    eventually("two more exports", || {
        (exports(&agent, "metrics", "success") >= exported + 2.0).then_some(())
    });
    let seen = collector.said().len();
    let before = runs(&agent, "stays", "pass");
    eventually("two more runs", || (runs(&agent, "stays", "pass") >= before + 2.0).then_some(()));
    let exported = exports(&agent, "metrics", "success");
    eventually("two more exports", || {
        (exports(&agent, "metrics", "success") >= exported + 2.0).then_some(())
    });
    assert!(!collector.said()[seen..].contains("Str(goes)"), "a target that is gone is still told of");

    let mut starts = start("gateprobe.check_runs");
    starts.dedup();
    assert_eq!(starts.len(), 1, "a counter has one start, whatever is reloaded");
    // A histogram begins anew: its counts since each start, all together, are the runs.
    let attributes = [&job("stays")[..], &[("outcome", "pass")]].concat();
    eventually("as many counts as runs", || {
        let mut by_start = BTreeMap::<u64, f64>::new();
        for point in collector.points().into_iter().filter(|point| point.metric == "gateprobe.check_duration")
        {
            if point.attributes.get("target").is_some_and(|target| target == "stays") {
                let most = by_start.entry(point.start).or_default();
                *most = most.max(point.count);
            }
        }
        let told = point(&collector, "gateprobe.check_runs", &attributes)?.value;
        (by_start.len() == 2 && by_start.values().sum::<f64>() == told).then_some(())
    });
}

#[test]
fn a_gateway_is_told_of_the_trace_only_where_the_target_says_so() {
    let (collector, server) = (Collector::start(), Server::answering(503));
    let folder = folder();
    let otlp = format!("otlp: {{ endpoint: '{}', metrics: false }}", collector.http);
    let url = |path: &str| format!("ws://{}/{path}", server.address);
    let (told, untold) = (url("told"), url("untold"));
    let targets = [("told", told.as_str(), "trace: { propagate: true },"), ("untold", untold.as_str(), "")];
    let (mut agent, log) = Agent::start(&write_config(&folder, &otlp, &targets));
    let log = log.collect();
    eventually("runs", || {
        (runs(&agent, "told", "fail") > 0.0 && runs(&agent, "untold", "fail") > 0.0).then_some(())
    });
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0));
    log.join().expect("the log");
    let spans = eventually("spans", || Some(collector.spans()).filter(|spans| !spans.is_empty()));
    let requests = server.requests();
    let of = |path: &str| {
        let line = format!("GET /{path} ");
        requests.iter().filter(|request| request.starts_with(&line)).cloned().collect::<Vec<String>>()
    };
    assert!(of("untold").iter().all(|request| !request.to_lowercase().contains("traceparent")));
    for request in of("told") {
        let header =
            request.lines().find_map(|line| line.strip_prefix("traceparent: ")).expect("traceparent");
        let parts: Vec<&str> = header.trim().split('-').collect();
        assert!(matches!(parts[..], ["00", _, _, "00"]), "unsampled: {header}");
        let root =
            spans.iter().find(|span| span.id == parts[2]).unwrap_or_else(|| panic!("no span {header}"));
        assert!(root.trace == parts[1] && root_of(root, "told"), "{root:?}");
    }
}
