use jiff::Timestamp;

use super::*;
use crate::config::{Loader, Plan, Problems};

const TARGET: &str = "targets: {t: {url: ws://127.0.0.1:1/}}\n";

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Plan, Problems> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let loader = Loader::new(variables, Timestamp::UNIX_EPOCH);
    loader.text("f.yaml", format!("{TARGET}{file}").as_bytes()).load().map(|(plan, _)| plan)
}

fn otlp(file: &str, variables: &[(&str, &str)]) -> Option<Otlp> {
    load(file, variables).unwrap_or_else(|problems| panic!("{problems}")).otlp
}

fn endpoints(file: &str, variables: &[(&str, &str)]) -> [Option<String>; 2] {
    let otlp = otlp(file, variables);
    let of = |collector: Option<Collector>| collector.map(|collector| collector.endpoint.0);
    otlp.map_or([None, None], |otlp| [of(otlp.metrics), of(otlp.traces)])
}

fn some(metrics: &str, traces: &str) -> [Option<String>; 2] {
    [Some(metrics.to_owned()), Some(traces.to_owned())]
}

#[test]
fn it_is_off_until_somebody_names_a_collector() {
    assert_eq!(endpoints("", &[]), [None, None]);
    assert_eq!(endpoints("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), [None, None]);
    assert_eq!(endpoints("", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), [None, None]);
    let url = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/base/");
    let both = some("http://c:4318/base/v1/metrics", "http://c:4318/base/v1/traces");
    assert_eq!(endpoints("", &[url]), both);
    assert_eq!(endpoints("", &[url, ("OTEL_SDK_DISABLED", "True")]), [None, None]);
    assert_eq!(endpoints("", &[url, ("OTEL_TRACES_EXPORTER", "none")]), [both[0].clone(), None]);
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:4318/else");
    assert_eq!(endpoints("", &[own]), [None, Some("http://t:4318/else".into())]);
    let customary = some("http://localhost:4318/v1/metrics", "http://localhost:4318/v1/traces");
    let told = [("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_TRACES_EXPORTER", "otlp")];
    assert_eq!(endpoints("", &told), customary);
}

#[test]
fn the_environment_wins_over_the_file() {
    let file =
        "otlp: {endpoint: http://file:4317, protocol: grpc, interval: 15s, timeout: 3s, traces: false}";
    assert_eq!(endpoints(file, &[]), [Some("http://file:4317/".into()), None]);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_SERVICE_NAME", "probes"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1%2C2, b=x+y"),
    ];
    let otlp = otlp(file, &variables).expect("on");
    let (metrics, traces) = (otlp.metrics.expect("on"), otlp.traces.expect("on"));
    assert_eq!(metrics.endpoint.0, "http://env:4318/v1/metrics");
    assert_eq!(traces.endpoint.0, "http://env:4318/v1/traces");
    assert_eq!((metrics.protocol, metrics.compression), (OtlpProtocol::Http, Compression::Gzip));
    assert_eq!((traces.compression, traces.timeout), (Compression::None, Duration::from_millis(2_500)));
    assert_eq!((otlp.interval, otlp.temporality), (Duration::from_secs(1), Temporality::Delta));
    assert_eq!(otlp.service.as_deref(), Some("probes"));
    assert_eq!(otlp.attributes, [("a".to_owned(), "1,2".to_owned()), ("b".to_owned(), "x+y".to_owned())]);
}

#[test]
fn a_grpc_endpoint_may_lack_the_scheme() {
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let url = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    assert_eq!(endpoints("", &[grpc, url]), some("https://collector:4317/", "https://collector:4317/"));
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert_eq!(
        endpoints("", &[grpc, url, insecure]),
        some("http://collector:4317/", "http://collector:4317/")
    );
}

#[test]
fn mistakes_name_their_place_and_no_secret() {
    let url = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
    for (variable, message) in [
        (
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:s3cr3t@c:4318"),
            "a user or password must not stand in the URL",
        ),
        (("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4318"), "is not the URL of a collector"),
        (("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), "write grpc or http/protobuf"),
        (("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"), "not a number of milliseconds"),
        (("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), "write 100ms to 1m"),
        (("OTEL_METRIC_EXPORT_INTERVAL", "5"), "write 100ms to 1h"),
        (("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), "write gzip or none"),
        (("OTEL_METRICS_EXPORTER", "prometheus"), "write otlp or none"),
        (("OTEL_EXPORTER_OTLP_HEADERS", "authorization s3cr3t"), "write NAME=VALUE"),
        (("OTEL_RESOURCE_ATTRIBUTES", "s3cr3t"), "write NAME=VALUE"),
    ] {
        let problems = load("", &[url, variable]).expect_err(variable.0).to_string();
        assert!(problems.starts_with(&format!("{}: ", variable.0)), "{problems}");
        assert!(problems.contains(message) && !problems.contains("s3cr3t"), "{problems}");
    }
    let problems = load("otlp: {}", &[]).expect_err("no endpoint").to_string();
    assert!(problems.starts_with("f.yaml:2:7: otlp: needs an endpoint"), "{problems}");
}
