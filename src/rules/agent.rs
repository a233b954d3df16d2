//! The agent itself: an agent that is blind must not look like a gateway that is well.

use super::pace::unindented;
use super::{Alert, Group, OF_AGENT, OF_AGENTS, Rule, Severity};

/// What keeps an agent from telling the truth.
pub(super) fn group() -> Group {
    let rules = vec![
        down(),
        replica_down(),
        shard_missing(),
        shards_disagree(),
        own(
            "GateprobeConfigReloadFailed",
            "gateprobe_agent_config_last_reload_success == 0",
            Some("5m"),
            "{{ $labels.instance }} works with an old config",
            "The config in the files of {{ $labels.instance }} could not be loaded; the one before is in force.",
        ),
        own(
            "GateprobeExportFailing",
            "
            sum by (job, instance, signal) (increase(gateprobe_agent_exports_total{result=\"failure\"}[%15m%])) >= 3
            and
            sum by (job, instance, signal) (increase(gateprobe_agent_exports_total{result=\"failure\"}[%15m%]))
            > 0.5 * sum by (job, instance, signal) (increase(gateprobe_agent_exports_total[%15m%]))",
            Some("5m"),
            "{{ $labels.instance }} can't deliver its {{ $labels.signal }}",
            "More than half of the last exports of {{ $labels.signal }} from {{ $labels.instance }} failed, \
             {{ $value | printf \"%.0f\" }} within 15 minutes.",
        ),
        own(
            "GateprobeSeriesDropped",
            "sum by (job, instance, reason) (increase(gateprobe_metric_series_dropped_total[%15m%])) > 0",
            None,
            "{{ $labels.instance }} does not record all that it measures",
            "{{ $labels.instance }} dropped samples within the last 15 minutes, for the reason {{ $labels.reason }}.",
        ),
        own(
            "GateprobeSchedulerLag",
            "
            histogram_quantile(
              0.95,
              sum by (job, instance, le) (rate(gateprobe_agent_scheduler_lag_seconds_bucket[%10m%]))
            ) > 0.25",
            Some("10m"),
            "{{ $labels.instance }} has too much to do",
            "One run in twenty on {{ $labels.instance }} starts {{ $value | humanizeDuration }} late or later: its times \
             are not to be trusted, and its runs turn inconclusive.",
        ),
    ];
    Group { name: "gateprobe.agent", interval: None, rules }
}

/// By a metric of its own, so that no name of a scrape job must be known.
fn down() -> Rule {
    Rule::Alert(Alert {
        name: "GateprobeDown",
        severity: Severity::Critical,
        expr: "absent(gateprobe_build_info)".into(),
        hold: Some("5m"),
        keep: None,
        label: None,
        summary: "No gateprobe is there",
        description: "No agent was scraped for five minutes: nobody watches the gateways, and none of the other alerts can \
                      fire."
            .into(),
        dashboard: OF_AGENTS,
    })
}

/// For as long as the replica is a target of Prometheus: where it was taken away, `up` ends. What tells an agent from other
/// targets must be remembered for longer than anybody leaves one down.
fn replica_down() -> Rule {
    let expr = "up == 0 and on (job, instance) last_over_time(gateprobe_build_info[%7d%])";
    own(
        "GateprobeReplicaDown",
        expr,
        Some("5m"),
        "{{ $labels.instance }} can't be scraped",
        "The agent {{ $labels.instance }} was there within the last week and does not answer now. Where it was the only one \
         of its location, nobody watches from there.",
    )
}

/// Each agent tells which shards there must be, so that the one that is not there has a name.
fn shard_missing() -> Rule {
    Rule::Alert(Alert {
        name: "GateprobeShardMissing",
        severity: Severity::Critical,
        expr: "max by (job, namespace, location, shard) (gateprobe_agent_shard) == 0".into(),
        hold: Some("5m"),
        keep: None,
        label: None,
        summary: "Shard {{ $labels.shard }} of {{ $labels.job }} is not there",
        description: "The other shards of {{ $labels.job }} count upon shard {{ $labels.shard }}, and no agent has been \
                      that one for five minutes: nobody watches its targets."
            .into(),
        dashboard: OF_AGENTS,
    })
}

/// For a quarter of an hour: agents that are replaced one by one disagree meanwhile.
fn shards_disagree() -> Rule {
    let expr = "
        max by (job, namespace, location) (count by (job, namespace, location, instance) (gateprobe_agent_shard))
        != min by (job, namespace, location) (count by (job, namespace, location, instance) (gateprobe_agent_shard))";
    Rule::Alert(Alert {
        name: "GateprobeShardsDisagree",
        severity: Severity::Warning,
        expr: unindented(expr),
        hold: Some("15m"),
        keep: None,
        label: None,
        summary: "The shards of {{ $labels.job }} disagree on how many they are",
        description:
            "One shard of {{ $labels.job }} counts on {{ $value | printf \"%.0f\" }} shards, another one on \
                      fewer: some targets are watched twice, others perhaps by nobody."
                .into(),
        dashboard: OF_AGENTS,
    })
}

fn own(
    name: &'static str,
    expr: &str,
    hold: Option<&'static str>,
    summary: &'static str,
    description: &str,
) -> Rule {
    Rule::Alert(Alert {
        name,
        severity: Severity::Warning,
        expr: unindented(expr),
        hold,
        keep: None,
        label: None,
        summary,
        description: description.into(),
        dashboard: OF_AGENT,
    })
}
