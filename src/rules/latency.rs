//! An early word of what grows slow, before any threshold is met: each gateway against its own last day.

use super::pace::unindented;
use super::{Alert, Group, OF_CHECK, Rule, Severity, record};

const P95: &str = "target_check_location_level:gateprobe_heartbeat_rtt_seconds:p95_rate";
const COUNT: &str = "target_check_location_level:gateprobe_heartbeat_rtt_seconds:count_increase";

/// Enough pings in both windows, twice the time, and more than the scheduling of a busy machine explains.
pub(super) fn group() -> Group {
    let p95 = |window: &str| {
        format!(
            "histogram_quantile(0.95, sum by (target, check, location, level, le) \
             (rate(gateprobe_heartbeat_rtt_seconds_bucket[%{window}%])))"
        )
    };
    let count = |window: &str| {
        format!(
            "sum by (target, check, location, level) (increase(gateprobe_heartbeat_rtt_seconds_count[%{window}%]))"
        )
    };
    let rules = vec![
        record(format!("{P95}30m"), p95("30m")),
        record(format!("{P95}1d"), p95("1d")),
        record(format!("{COUNT}30m"), count("30m")),
        record(format!("{COUNT}1d"), count("1d")),
        rising(),
    ];
    Group { name: "gateprobe.latency", interval: Some("2m"), rules }
}

fn rising() -> Rule {
    let expr = "
        max by (target, check, level) (
          P9530m
          and P9530m > 2 * P951d
          and P9530m - P951d > 0.01
          and COUNT30m >= 30
          and COUNT1d >= 300
        )
        unless on (target) (max by (target) (gateprobe_target_paused) == 1)";
    Rule::Alert(Alert {
        name: "GateprobeLatencyRising",
        severity: Severity::Info,
        expr: unindented(&expr.replace("P95", P95).replace("COUNT", COUNT)),
        hold: Some("15m"),
        keep: None,
        label: None,
        summary: "{{ $labels.target }} answers more slowly than it did",
        description: "95 % of the {{ $labels.level }} pings of {{ $labels.target }} within the last 30 minutes were answered \
                      within {{ $value | humanizeDuration }}: more than twice as long as over the last day."
            .into(),
        dashboard: OF_CHECK,
    })
}
