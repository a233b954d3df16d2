//! docs/metrics.md says what the catalogue says, and which values a label can have.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gateprobe::agent::Agent;
use gateprobe::agent::metrics::emitters;
use gateprobe::http::{ProbeFacts, ProbePhases};
use gateprobe::metrics::{Descriptor, Kind, Unit};
use gateprobe::model::Outcome;
use prometheus::proto::MetricFamily;

use crate::support::{every_check, plan};

/// Values by metric and label.
type Values = BTreeMap<(String, String), BTreeSet<String>>;

/// Above so many, the page says where to look.
const MOST_SHOWN: usize = 16;

/// Everything that exists before the first run of every check.
async fn before_the_first_run() -> Vec<MetricFamily> {
    let agent = Agent::start(plan(&every_check()), Box::new(|| unreachable!("no reload")), String::new())
        .expect("starts");
    let families = agent.sinks().recorder.gather();
    agent.drain(std::time::Duration::ZERO).await;
    families
}

/// The values of each label.
fn values(families: &[MetricFamily]) -> Values {
    let mut values = Values::new();
    for family in families {
        for pair in family.get_metric().iter().flat_map(|metric| metric.get_label()) {
            let key = (family.name().to_owned(), pair.name().to_owned());
            values.entry(key).or_default().insert(pair.value().to_owned());
        }
    }
    values
}

/// How many series each check begins with.
fn counts(families: &[MetricFamily]) -> String {
    let mut counts = BTreeMap::<String, (usize, usize)>::new();
    for metric in families.iter().flat_map(|family| family.get_metric()) {
        let Some(check) = metric.get_label().iter().find(|pair| pair.name() == "check") else { continue };
        let (all, buckets) = counts.entry(check.value().to_owned()).or_default();
        // With the bucket for everything, the sum and the count.
        match metric.get_histogram().get_bucket().len() {
            0 => *all += 1,
            bounds => (*all, *buckets) = (*all + bounds + 3, *buckets + bounds + 1),
        }
    }
    let rows: String =
        counts.iter().map(|(check, (all, buckets))| format!("| `{check}` | {all} | {buckets} |\n")).collect();
    let (all, buckets) = counts.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    format!("| check | series | of these, buckets |\n|---|---|---|\n{rows}| all | {all} | {buckets} |\n")
}

/// What `/probe` answers with at most, by its own text.
fn probe() -> String {
    let some = Some(Duration::from_millis(1));
    let facts = ProbeFacts {
        outcome: Outcome::Pass,
        duration: Duration::ZERO,
        timeout: Duration::ZERO,
        ip_protocol: Some(4),
        dns_lookup: some,
        earliest_cert_expiry: Some(0.0),
        tls_version: Some("TLSv1.3".to_owned()),
        status_code: Some(101),
        upgraded: true,
        phases: ProbePhases { resolve: some, connect: some, processing: some, transfer: some },
    };
    let mut rows = BTreeMap::<String, (String, BTreeSet<String>)>::new();
    for line in facts.encode_text().lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            rows.entry(name.to_owned()).or_default().0 = help.to_owned();
        } else if let Some((name, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let names =
                labels.split(',').filter_map(|label| label.split_once('=').map(|pair| pair.0.to_owned()));
            rows.entry(name.to_owned()).or_default().1.extend(names);
        }
    }
    let row = |(name, (help, labels)): (&String, &(String, BTreeSet<String>))| {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {} | {help} |\n", labels.join("; "))
    };
    let rows: String = rows.iter().map(row).collect();
    format!("| name | labels | meaning |\n|---|---|---|\n{rows}")
}

fn labels(metric: &Descriptor, values: &Values) -> String {
    let known = |label: &&'static str| {
        let own = values.get(&(metric.name.to_owned(), (*label).to_owned()));
        match own {
            _ if metric.scope.labels().contains(label) => format!("`{label}`"),
            Some(values) if values.len() > MOST_SHOWN => {
                format!("`{label}`: {} values, see [checks.md](checks.md)", values.len())
            }
            Some(values) if *label != "version" && *label != "revision" => {
                let all: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                format!("`{label}`: {}", all.join(" "))
            }
            _ => format!("`{label}`"),
        }
    };
    metric.all_labels().map(|label| known(&label)).collect::<Vec<_>>().join("; ")
}

fn row(metric: &Descriptor, values: &Values) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram { .. } => "histogram",
    };
    let unit = match metric.unit {
        Unit::Seconds => "s",
        Unit::Bytes => "By",
        Unit::Ratio => "ratio",
        Unit::TimestampSeconds => "s since 1970",
        Unit::None => "",
    };
    let help = metric.help.trim_end_matches('.');
    format!(
        "| `{}` | {kind} | {unit} | {} | {help} | `{}` |\n",
        metric.name,
        labels(metric, values),
        metric.otel_name()
    )
}

#[tokio::test]
async fn the_page_on_metrics_lists_them_all() {
    let families = before_the_first_run().await;
    let values = values(&families);
    let mut tables = String::new();
    for (emitter, metrics) in emitters() {
        tables += &format!(
            "\n### {emitter}\n\n| name | type | unit | labels | meaning | OTLP name |\n|---|---|---|---|---|---|\n"
        );
        metrics.iter().for_each(|metric| tables += &row(metric, &values));
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = fs::read_to_string(&path).expect("docs/metrics.md");
    let fresh = crate::docs::replace(&page, "metrics", &format!("{tables}\n"));
    let fresh = crate::docs::replace(&fresh, "probe", &format!("\n{}\n", probe()));
    let fresh = crate::docs::replace(&fresh, "series", &format!("\n{}\n", counts(&families)));
    if fresh != page {
        fs::write(&path, fresh).expect("written");
        panic!("docs/metrics.md was stale; it is fresh now, commit it");
    }
}
