use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

use super::*;
use crate::metrics::text_format::{Series, parse};
use crate::model::{JobKey, Outcome, Timeline};

static RUNS: Descriptor = Descriptor {
    name: "gateprobe_check_runs_total",
    help: "Runs by outcome",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["outcome"],
};

static DURATION: Descriptor = Descriptor {
    name: "gateprobe_check_duration_seconds",
    help: "How long a run took",
    scope: Scope::Job,
    kind: Kind::Histogram { buckets: &[0.1, 1.0, 5.0] },
    unit: Unit::Seconds,
    labels: &[],
};

static SUCCESS: Descriptor = Descriptor {
    name: "gateprobe_last_check_success",
    help: "Whether the last run passed",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

static LAST_RUN: Descriptor = Descriptor {
    name: "gateprobe_check_last_run_timestamp_seconds",
    help: "When the last run began",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::TimestampSeconds,
    labels: &[],
};

static OBJECTIVE: Descriptor = Descriptor {
    name: "gateprobe_slo_objective_ratio",
    help: "The share of runs that is to pass",
    scope: Scope::Target,
    kind: Kind::Gauge,
    unit: Unit::Ratio,
    labels: &[],
};

static READ: Descriptor = Descriptor {
    name: "gateprobe_read_bytes_total",
    help: "Bytes read",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::Bytes,
    labels: &[],
};

static CATALOGUE: [&Descriptor; 6] = [&RUNS, &DURATION, &SUCCESS, &LAST_RUN, &OBJECTIVE, &READ];

fn recorder() -> Recorder {
    Recorder::new(&CATALOGUE, Settings::default()).unwrap()
}

fn report(target: &str, check: &'static str, samples: Vec<Sample>) -> RunReport {
    RunReport {
        job: JobKey { target: target.into(), check, config_hash: 1 },
        peer: None,
        started_at: SystemTime::now(),
        duration: Duration::from_millis(20),
        outcome: Outcome::Pass,
        detail: String::new(),
        next: None,
        timeline: Timeline::default(),
        first: Duration::ZERO,
        trace: Default::default(),
        samples,
    }
}

/// What the text says, without the metrics of the process and the build.
fn scrape(recorder: &Recorder) -> Series {
    let mut series = parse(&recorder.encode_text());
    series.retain(|name, _| !name.starts_with("process_") && !name.starts_with("gateprobe_build_info"));
    series
}

fn dropped(recorder: &Recorder, reason: &str) -> f64 {
    scrape(recorder)[&format!("gateprobe_metric_series_dropped_total{{reason=\"{reason}\"}}")]
}

/// One report and one sample of every scope and kind.
fn record_everything(recorder: &Recorder) {
    for (seconds, outcome) in [(0.05, "pass"), (0.5, "pass"), (7.0, "fail")] {
        let samples = vec![
            Sample::labelled(&RUNS, [outcome], 1.0),
            Sample::new(&DURATION, seconds),
            Sample::new(&SUCCESS, f64::from(u8::from(outcome == "pass"))),
            Sample::new(&LAST_RUN, 1.7e9 + seconds),
        ];
        recorder.record(&report("edge", "handshake", samples));
    }
    let mut at_peer = report("all", "handshake", vec![Sample::labelled(&RUNS, ["pass"], 1.0)]);
    at_peer.peer = Some("192.0.2.1".to_owned());
    recorder.record(&at_peer);
    recorder.record_target("edge", &Sample::new(&OBJECTIVE, 0.999));
    recorder.record_agent(&Sample::new(&READ, 1024.0));
    let labels = BTreeMap::from([("team".to_owned(), "chat".to_owned())]);
    recorder.set_target_info(BTreeMap::from([("edge".to_owned(), labels)]));
}

#[test]
fn prometheus_and_opentelemetry_say_the_same() {
    let settings = Settings { location: Some("fra".to_owned()), ..Settings::default() };
    let recorder = Recorder::new(&CATALOGUE, settings).unwrap();
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    recorder.observe_by(&provider.meter("gateprobe"));
    recorder.record_to(&provider.meter("gateprobe"));
    record_everything(&recorder);
    provider.force_flush().unwrap();
    let exported = exporter.get_finished_metrics().unwrap();
    let metrics = exported.last().unwrap().scope_metrics().flat_map(|scope| scope.metrics());
    let mut otel = Series::new();
    metrics.for_each(|metric| flatten(metric, &mut otel));
    let mut text = parse(&recorder.encode_text());
    text.retain(|name, _| !name.starts_with("process_"));
    assert_eq!(otel, text);
    assert_eq!(
        otel["gateprobe_check_runs_total{check=\"handshake\",location=\"fra\",outcome=\"pass\",target=\"edge\"}"],
        2.0
    );
    assert_eq!(otel["gateprobe_target_info{location=\"fra\",target=\"edge\",team=\"chat\"}"], 1.0);

    recorder.retain(|_, _| false);
    recorder.set_target_info(BTreeMap::new());
    provider.force_flush().unwrap();
    let exported = exporter.get_finished_metrics().unwrap();
    let left = exported.last().unwrap().scope_metrics().flat_map(|scope| scope.metrics());
    let mut otel = Series::new();
    left.for_each(|metric| flatten(metric, &mut otel));
    otel.retain(|name, _| name.contains("target=") && !name.contains("duration"));
    assert_eq!(otel, Series::new(), "counters and gauges of removed targets");
}

/// One exported metric as Prometheus would name and lay it out after OTLP.
fn flatten(metric: &Metric, into: &mut Series) {
    let name = metric.name().replace('.', "_");
    let unit = match metric.unit() {
        "s" => "_seconds",
        "By" => "_bytes",
        "1" => "_ratio",
        "" => "",
        other => panic!("unit {other}"),
    };
    let AggregatedMetrics::F64(data) = metric.data() else { panic!("not f64: {name}") };
    match data {
        MetricData::Sum(sum) => {
            assert!(sum.is_monotonic());
            for point in sum.data_points() {
                let key = format!("{name}{unit}_total{}", labels(point.attributes(), None));
                assert!(into.insert(key, point.value()).is_none());
            }
        }
        MetricData::Gauge(gauge) => {
            for point in gauge.data_points() {
                let key = format!("{name}{unit}{}", labels(point.attributes(), None));
                assert!(into.insert(key, point.value()).is_none());
            }
        }
        MetricData::Histogram(histogram) => {
            for point in histogram.data_points() {
                let at = |suffix: &str, le| format!("{name}{unit}{suffix}{}", labels(point.attributes(), le));
                let mut total = 0;
                let bounds = point.bounds().map(|bound| bound.to_string()).chain(["+Inf".to_owned()]);
                for (bound, count) in bounds.zip(point.bucket_counts()) {
                    total += count;
                    into.insert(at("_bucket", Some(bound)), total as f64);
                }
                into.insert(at("_count", None), point.count() as f64);
                into.insert(at("_sum", None), point.sum());
            }
        }
        MetricData::ExponentialHistogram(_) => panic!("no view asked for that"),
    }
}

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>, le: Option<String>) -> String {
    let pairs = attributes.map(|pair| (pair.key.to_string(), pair.value.to_string()));
    let all: BTreeMap<String, String> = pairs.chain(le.map(|le| ("le".to_owned(), le))).collect();
    if all.is_empty() {
        return String::new();
    }
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{{{}}}", all.join(","))
}

#[test]
fn counters_and_histograms_begin_at_zero_and_gauges_are_absent() {
    let recorder = recorder();
    let outcomes = Outcome::LABELS.map(|outcome| (&RUNS, vec![Cow::Borrowed(outcome)]));
    let rest = [(&DURATION, Vec::new()), (&SUCCESS, Vec::new())];
    recorder.precreate("edge", "handshake", None, outcomes.into_iter().chain(rest));
    let series = scrape(&recorder);
    for outcome in Outcome::LABELS {
        let name = format!(
            "gateprobe_check_runs_total{{check=\"handshake\",outcome=\"{outcome}\",target=\"edge\"}}"
        );
        assert_eq!(series[&name], 0.0);
    }
    assert_eq!(series["gateprobe_check_duration_seconds_count{check=\"handshake\",target=\"edge\"}"], 0.0);
    assert!(!series.keys().any(|name| name.contains("success")));
}

#[test]
fn removed_targets_checks_and_peers_vanish_and_late_reports_do_not_bring_them_back() {
    let recorder = recorder();
    let one = || vec![Sample::labelled(&RUNS, ["pass"], 1.0), Sample::new(&SUCCESS, 1.0)];
    let jobs = [("edge", "handshake"), ("edge", "heartbeat"), ("old", "handshake")];
    let everywhere = || {
        for (target, check) in jobs {
            recorder.record(&report(target, check, one()));
            recorder.record_target(target, &Sample::new(&OBJECTIVE, 0.9));
        }
    };
    everywhere();
    assert_eq!(scrape(&recorder).keys().filter(|name| name.contains("target=")).count(), 8);
    recorder.retain(|target, check| target == "edge" && check != Some("heartbeat"));
    for late in [false, true] {
        if late {
            everywhere();
        }
        let series = scrape(&recorder);
        let left: Vec<&String> = series.keys().filter(|name| name.contains("target=")).collect();
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(left.iter().all(|name| name.contains("\"edge\"") && !name.contains("heartbeat")));
    }
    for peer in ["192.0.2.1", "192.0.2.2"] {
        recorder.record(&RunReport { peer: Some(peer.to_owned()), ..report("edge", "handshake", one()) });
    }
    recorder.retain_peers("edge", |peer| peer == "192.0.2.2");
    recorder.retain_peers("other", |_| false);
    let series = scrape(&recorder);
    assert!(!series.keys().any(|name| name.contains("192.0.2.1")));
    assert_eq!(series.keys().filter(|name| name.contains("192.0.2.2")).count(), 2);
    assert_eq!(series.keys().filter(|name| name.contains("target=")).count(), 5);
    recorder.forget_nameless(&[&SUCCESS], "edge", "handshake");
    let series = scrape(&recorder);
    let left: Vec<&String> = series.keys().filter(|name| name.contains("success")).collect();
    assert!(left.len() == 1 && left[0].contains("192.0.2.2"), "{left:?}");
    assert!(series.keys().any(|name| name.contains("runs_total") && !name.contains("peer")), "not asked for");
}

#[test]
fn a_target_can_not_have_more_series_than_the_limit() {
    let recorder =
        Recorder::new(&CATALOGUE, Settings { series_per_target: 3, ..Settings::default() }).unwrap();
    let labels = ["a", "b", "c", "d", "e"];
    for target in ["edge", "other"] {
        let samples = labels.iter().map(|label| Sample::labelled(&RUNS, [label], 1.0)).collect();
        recorder.record(&report(target, "handshake", samples));
    }
    let kept = || scrape(&recorder).keys().filter(|name| name.contains("runs_total")).count();
    assert_eq!((kept(), dropped(&recorder, "limit")), (6, 4.0));
    recorder.record(&report("edge", "handshake", vec![Sample::labelled(&RUNS, ["a"], 1.0)]));
    assert_eq!(dropped(&recorder, "limit"), 4.0, "a series that exists is no new one");
    recorder.retain(|target, _| target != "edge");
    recorder.retain(|_, _| true);
    recorder.record(&report("edge", "handshake", vec![Sample::labelled(&RUNS, ["e"], 1.0)]));
    assert_eq!((kept(), dropped(&recorder, "limit")), (4, 4.0), "removed series make room");
}

#[test]
fn bugs_are_counted() {
    static STRANGER: Descriptor = Descriptor {
        name: "gateprobe_stranger",
        help: "Not in the catalogue",
        scope: Scope::Job,
        kind: Kind::Gauge,
        unit: Unit::None,
        labels: &[],
    };
    let recorder = recorder();
    let quietly = |sample: Sample| {
        // A bug fails a test by an assertion, and is only counted in a release.
        let record = || recorder.record(&report("edge", "handshake", vec![sample]));
        catch_unwind(AssertUnwindSafe(record)).is_err()
    };
    let debug = cfg!(debug_assertions);
    assert_eq!(quietly(Sample::new(&STRANGER, 1.0)), debug);
    assert_eq!(quietly(Sample { metric: &RUNS, labels: Vec::new(), value: 1.0 }), debug);
    assert!(!quietly(Sample::labelled(&RUNS, ["pass"], -1.0)));
    assert!(!quietly(Sample::new(&SUCCESS, f64::NAN)));
    let counted = REASONS.map(|reason| dropped(&recorder, reason));
    assert_eq!(counted, [0.0, 1.0, 1.0, 2.0]);
    assert!(!scrape(&recorder).keys().any(|name| name.contains("edge")));
}

#[test]
fn target_labels_of_the_config_are_escaped_and_never_break_the_text() {
    let recorder = recorder();
    let labels = [("team", "a \"b\"\\\nc"), ("2nd", "x"), ("target", "x"), ("__x", "x"), ("none", "")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let other = BTreeMap::from([("tier".to_owned(), "1".to_owned())]);
    recorder.set_target_info(BTreeMap::from([
        ("edge".to_owned(), BTreeMap::from(labels)),
        ("other".to_owned(), other),
    ]));
    let series = scrape(&recorder);
    let infos: Vec<&String> = series.keys().filter(|name| name.contains("target_info")).collect();
    assert_eq!(
        infos,
        [
            "gateprobe_target_info{target=\"edge\",team=\"a \\\"b\\\"\\\\\\nc\"}",
            "gateprobe_target_info{target=\"other\",tier=\"1\"}"
        ]
    );
}

#[test]
fn two_metrics_of_one_name_are_refused() {
    let error = Recorder::new(&[&RUNS, &RUNS], Settings::default()).unwrap_err();
    assert!(error.to_string().contains("gateprobe_check_runs_total"), "{error}");
}

#[test]
fn many_threads_lose_nothing() {
    let recorder = recorder();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    recorder.record(&report(
                        "edge",
                        "handshake",
                        vec![Sample::labelled(&RUNS, ["pass"], 1.0)],
                    ));
                }
            });
        }
    });
    let name = "gateprobe_check_runs_total{check=\"handshake\",outcome=\"pass\",target=\"edge\"}";
    assert_eq!(scrape(&recorder)[name], 2000.0);
}
