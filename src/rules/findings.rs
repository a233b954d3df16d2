//! What a gateway did that it must never do. One finding may be an accident of one run: the second one within six
//! hours alerts, as long as the check is red.

use super::pace::unindented;
use super::{Alert, Group, OF_CHECK, Rule, Severity};

/// Each finding has an alert of its own, since each has people of its own whom it concerns.
pub(super) fn group() -> Group {
    let rules = vec![
        finding(
            "GateprobeZombiesLeaked",
            Severity::Warning,
            "zombie_leaked|half_closed_leak",
            None,
            "{{ $labels.target }} keeps dead connections",
            "held connections of clients that had gone silent beyond the promised time",
        ),
        finding(
            "GateprobeFalseEvictions",
            Severity::Warning,
            "false_eviction|recovered_evicted|evicted_early",
            None,
            "{{ $labels.target }} closes connections that are well",
            "closed connections that had done nothing wrong, or before their time",
        ),
        finding(
            "GateprobeBystanderHarmed",
            Severity::Critical,
            "collateral_damage",
            None,
            "{{ $labels.check }} harms the users of {{ $labels.target }}",
            "let well-behaved connections suffer for what another one did",
        ),
        finding(
            "GateprobeBadTokenAccepted",
            Severity::Critical,
            "bad_token_accepted|token_not_required",
            Some("1h"),
            "{{ $labels.target }} accepts tokens that it must refuse",
            "accepted a token that it must refuse, or asked for none",
        ),
        finding(
            "GateprobeExpiredSessionServed",
            Severity::Critical,
            "expired_session_survives",
            Some("1h"),
            "{{ $labels.target }} serves sessions whose token has expired",
            "went on serving sessions whose token had expired",
        ),
    ];
    Group { name: "gateprobe.findings", interval: None, rules }
}

/// Of several replicas that saw the same accident, each counts for itself. A hole that only some of the gateway's
/// instances have comes and goes by chance: `keep` bridges that.
fn finding(
    name: &'static str,
    severity: Severity,
    reasons: &str,
    keep: Option<&'static str>,
    summary: &'static str,
    did: &str,
) -> Rule {
    let expr = "
        max by (target, check) (
          sum without (reason) (increase(gateprobe_check_failures_total{reason=~\"REASONS\"}[%6h%]))
        ) >= 2
        and on (target, check) (max by (target, check) (gateprobe_last_check_acute_failure) == 1)
        unless on (target) (max by (target) (gateprobe_target_paused) == 1)";
    let expr = unindented(&expr.replace("REASONS", reasons));
    let expr = if reasons.contains('|') { expr } else { expr.replace("=~", "=") };
    Rule::Alert(Alert {
        name,
        severity,
        expr,
        hold: None,
        keep,
        label: None,
        summary,
        description: format!(
            "In {{{{ $value | printf \"%.0f\" }}}} runs of {{{{ $labels.check }}}} within six hours, \
             {{{{ $labels.target }}}} {did}."
        ),
        dashboard: OF_CHECK,
    })
}
