//! The agent's own metrics, and the catalogue of all.

use super::canary;
use crate::metrics::{Descriptor, Kind, Scope, Unit};
use crate::{checks, export, http, runner};

/// Failed runs in a row.
pub static CONSECUTIVE_FAILURES: Descriptor = Descriptor {
    name: "gateprobe_check_consecutive_failures",
    help: "Failed runs in a row; inconclusive runs neither add to it nor end it.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// Failed runs in a row, by what is wrong today.
pub static CONSECUTIVE_ACUTE_FAILURES: Descriptor = Descriptor {
    name: "gateprobe_check_consecutive_acute_failures",
    help: "Failed runs in a row by what is wrong today: a certificate that only expires soon (tls_expires_soon) ends it, as a pass does.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// Inconclusive runs in a row.
pub static CONSECUTIVE_INCONCLUSIVE: Descriptor = Descriptor {
    name: "gateprobe_check_consecutive_inconclusive",
    help: "Inconclusive runs in a row; any other outcome ends it.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// When a check is due again.
pub static NEXT_RUN: Descriptor = Descriptor {
    name: "gateprobe_check_next_run_timestamp_seconds",
    help: "When the check is due next, whether it will run then or be skipped; long past where nothing drives it any more.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::TimestampSeconds,
    labels: &[],
};

/// The share of runs that must pass.
pub static SLO_OBJECTIVE: Descriptor = Descriptor {
    name: "gateprobe_slo_objective_ratio",
    help: "The share of conclusive runs that must pass, by the config; absent where there is no objective.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Ratio,
    labels: &[],
};

/// The time over which the objective holds.
pub static SLO_PERIOD: Descriptor = Descriptor {
    name: "gateprobe_slo_period_seconds",
    help: "The rolling time over which the objective holds, by the config; absent where there is no objective.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// How long certificates must be valid.
pub static CERTIFICATE_MIN_VALIDITY: Descriptor = Descriptor {
    name: "gateprobe_tls_certificate_min_validity_seconds",
    help: "For how long the certificate must be valid at least, by the config; absent where the check asks for nothing.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// How often a check runs.
pub static INTERVAL: Descriptor = Descriptor {
    name: "gateprobe_check_interval_seconds",
    help: "How often the check runs, by the config.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &[],
};

/// Whether a target is paused.
pub static PAUSED: Descriptor = Descriptor {
    name: "gateprobe_target_paused",
    help: "1 while the target is paused, by the config or (all its checks) over the API, else 0.",
    scope: Scope::Target,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// Ticks without a run.
pub static SKIPPED: Descriptor = Descriptor {
    name: "gateprobe_check_skipped_total",
    help: "Ticks that did not become a run: the run before was still going, the target was paused, or the gateway had asked for patience.",
    scope: Scope::Job,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["reason"],
};

/// How late runs start.
pub static SCHEDULER_LAG: Descriptor = Descriptor {
    name: "gateprobe_agent_scheduler_lag_seconds",
    help: "How much later than due runs started: a sign of an agent with too much to do.",
    scope: Scope::Agent,
    kind: Kind::Histogram { buckets: &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0] },
    unit: Unit::Seconds,
    labels: &[],
};

/// Loads of the config.
pub static RELOADS: Descriptor = Descriptor {
    name: "gateprobe_agent_config_reloads_total",
    help: "Loads of the config by result, the first one included.",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["result"],
};

/// Whether the config in the files is in force.
pub static RELOAD_SUCCESS: Descriptor = Descriptor {
    name: "gateprobe_agent_config_last_reload_success",
    help: "1 if the last load of the config succeeded; 0 while an older config is in force.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// When the config in force was loaded.
pub static RELOAD_TIME: Descriptor = Descriptor {
    name: "gateprobe_agent_config_last_reload_success_timestamp_seconds",
    help: "When the config in force was loaded.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::TimestampSeconds,
    labels: &[],
};

/// Jobs in force.
pub static JOBS: Descriptor = Descriptor {
    name: "gateprobe_agent_jobs",
    help: "Checks of targets that the agent runs.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// Which of several agents this is.
pub static SHARD: Descriptor = Descriptor {
    name: "gateprobe_agent_shard",
    help: "1 for the shard that the agent is, 0 for each other one that must be there beside it; absent where targets are not shared.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["shard"],
};

/// Runs in progress.
pub static RUNNING: Descriptor = Descriptor {
    name: "gateprobe_agent_running",
    help: "Runs in progress.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// Connections to gateways.
pub static OPEN_CONNECTIONS: Descriptor = Descriptor {
    name: "gateprobe_agent_open_connections",
    help: "Connections to gateways that are open or being opened now, held ones too.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

static METRICS: &[&Descriptor] = &[
    &CONSECUTIVE_FAILURES,
    &CONSECUTIVE_ACUTE_FAILURES,
    &CONSECUTIVE_INCONCLUSIVE,
    &INTERVAL,
    &NEXT_RUN,
    &SLO_OBJECTIVE,
    &SLO_PERIOD,
    &CERTIFICATE_MIN_VALIDITY,
    &PAUSED,
    &SKIPPED,
    &SCHEDULER_LAG,
    &RELOADS,
    &RELOAD_SUCCESS,
    &RELOAD_TIME,
    &JOBS,
    &SHARD,
    &RUNNING,
    &OPEN_CONNECTIONS,
];

/// Every metric by what emits it, in words; those of the process are not among them.
pub fn emitters() -> Vec<(&'static str, &'static [&'static Descriptor])> {
    let checks = checks::metrics_by_kind();
    let each = [("each run", runner::metrics::METRICS), ("schedule and reload", METRICS)];
    let agent = [
        ("canary verification", canary::metrics::METRICS),
        ("HTTP server", http::METRICS),
        ("OTLP export", export::metrics::METRICS),
    ];
    each.into_iter().chain(checks).chain(agent).chain([("recorder", crate::metrics::METRICS)]).collect()
}

/// Every metric that the agent exports, but the recorder's own.
pub fn catalogue() -> Vec<&'static Descriptor> {
    [
        METRICS,
        runner::metrics::METRICS,
        &checks::metrics(),
        canary::metrics::METRICS,
        http::METRICS,
        export::metrics::METRICS,
    ]
    .concat()
}
