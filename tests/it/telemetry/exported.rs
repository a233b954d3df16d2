//! The collector holds what Prometheus holds, and its traces add up.

use std::collections::BTreeMap;

use super::scene::{PATIENCE, Scene};
use crate::support::binary::within;
use crate::support::collector::{Attributes, Span};

/// Counters that both must hold alike, as each calls them.
const COUNTERS: [(&str, &str); 3] = [
    ("gateprobe_zombies_total", "gateprobe.zombies"),
    ("gateprobe_token_refreshes_total", "gateprobe.token_refreshes"),
    ("gateprobe_check_runs_total", "gateprobe.check_runs"),
];
/// What the scrape or the resource says of the agent, and not the agent of what it measured.
const OF_THE_AGENT: [&str; 4] = ["__name__", "instance", "job", "location"];

type Counts = BTreeMap<Attributes, f64>;

/// Compares when nothing runs any more: counts that move are never the same in two places.
pub fn same_counts_and_traces_that_add_up(scene: &Scene) {
    scene.pause_lab();
    within(PATIENCE, "the last run ends", || {
        scene.lab.metric("gateprobe_agent_running{location=\"lab\"}").filter(|running| *running == 0.0)
    });
    for (scraped, exported) in COUNTERS {
        let (mut in_prometheus, mut in_the_collector) = (Counts::new(), Counts::new());
        within(PATIENCE, &format!("{exported} is the same in both"), || {
            in_prometheus = in_prometheus_now(scene, scraped);
            in_the_collector = in_the_collector_now(scene, exported);
            let happened = in_prometheus.values().any(|count| *count > 0.0);
            (happened && in_prometheus == in_the_collector).then_some(())
        });
    }
    let dropped = scene.prometheus.query("sum(gateprobe_agent_spans_dropped_total{location=\"lab\"})");
    assert_eq!(dropped[0].1, 0.0, "spans that are not there can't add up");
    for target in ["down", "blip", "drill"] {
        within(PATIENCE, &format!("a trace for each run of {target}"), || {
            let traces = roots(&scene.collector.spans(), target).count() as f64;
            (traces == runs(scene, target)).then_some(())
        });
        adds_up(scene, target);
    }
}

fn in_prometheus_now(scene: &Scene, metric: &str) -> Counts {
    let all = scene.prometheus.query(&format!("{metric}{{location=\"lab\"}}")).into_iter();
    all.map(|(labels, value)| {
        let labels = labels.as_object().expect("labels").iter();
        let own = labels.filter(|(name, _)| !OF_THE_AGENT.contains(&name.as_str()));
        (own.map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect(), value)
    })
    .collect()
}

fn in_the_collector_now(scene: &Scene, metric: &str) -> Counts {
    let all = scene.collector.last(metric).into_iter();
    all.map(|(mut attributes, point)| {
        attributes.retain(|name, _| !OF_THE_AGENT.contains(&name.as_str()));
        (attributes, point.value)
    })
    .collect()
}

fn runs(scene: &Scene, target: &str) -> f64 {
    scene.prometheus.query(&format!("sum(gateprobe_check_runs_total{{target={target:?}}})"))[0].1
}

fn roots<'a>(spans: &'a [Span], target: &str) -> impl Iterator<Item = &'a Span> {
    spans.iter().filter(move |span| {
        span.parent.is_empty() && span.attributes.get("gateprobe.target").is_some_and(|name| name == target)
    })
}

/// The phases of each run follow one another within it, and all runs together last as long as the histogram says.
fn adds_up(scene: &Scene, target: &str) {
    let spans = scene.collector.spans();
    let mut whole = 0;
    for root in roots(&spans, target) {
        let phases: Vec<&Span> =
            spans.iter().filter(|span| span.trace == root.trace && span.parent == root.id).collect();
        assert!(!phases.is_empty(), "{root:?} has no phases");
        let sum: u64 = phases.iter().map(|span| span.end - span.start).sum();
        assert!(sum <= root.end - root.start, "{root:?}: {phases:?}");
        assert!(
            phases.iter().all(|span| span.start >= root.start && span.end <= root.end),
            "{root:?}: {phases:?}"
        );
        whole += root.end - root.start;
    }
    let query = format!("sum(gateprobe_check_duration_seconds_sum{{target={target:?}}})");
    let (told, traced) = (scene.prometheus.query(&query)[0].1, whole as f64 / 1e9);
    assert!(
        (told - traced).abs() < 0.001 * told,
        "{target}: {told} s in the histogram, {traced} s in traces"
    );
}
