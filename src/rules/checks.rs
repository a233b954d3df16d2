//! Checks that fail, waver, or can't tell.

use super::pace::unindented;
use super::{Alert, Group, HYGIENE, OF_CHECK, OF_TARGET, PAUSED, Rule, Severity, record, why};

/// Failed runs in a row by what is wrong today, as seen from each location: of its replicas and addresses, the worst.
const IN_A_ROW: &str = "target_check_location:gateprobe_check_consecutive_acute_failures:max";

/// Pages by runs in a row, so that a slow check is as good as a quick one and a low objective as a high one; the
/// third run is followed by one scrape and one evaluation, and by no wait. Where there are two locations or more,
/// two must see it.
pub(super) fn group() -> Group {
    let in_a_row = format!(
        "max by (target, check, location) (gateprobe_check_consecutive_acute_failures)\nunless on (target, location) {PAUSED}"
    );
    let rules = vec![
        record(IN_A_ROW, in_a_row),
        failing(Severity::Critical, "!~"),
        failing(Severity::Warning, "=~"),
        failing_in_one_location(),
        unstable(),
        inconclusive(),
        stale(),
        record(WANTED, unindented(WANTED_OR_THREE_WEEKS)),
        certificate(Severity::Critical, "LEFT < on (target) LITTLE"),
        certificate(Severity::Warning, "(LEFT < on (target) WANTED) >= on (target) LITTLE"),
    ];
    Group { name: "gateprobe.checks", interval: None, rules }
}

fn failing(severity: Severity, matches: &str) -> Rule {
    let expr = "
        max by (target, check) (ROW{check MATCHES \"HYGIENE\"} >= 3)
        and on (target, check) (
          count by (target, check) (ROW >= 3)
          >= on (target, check)
          clamp_max(count by (target, check) (ROW), 2)
        )";
    let expr = expr.replace("check MATCHES ", &format!("check{matches}"));
    Rule::Alert(Alert {
        name: "GateprobeCheckFailing",
        severity,
        expr: unindented(&expr.replace("ROW", IN_A_ROW).replace("HYGIENE", HYGIENE)),
        hold: None,
        // A restart of the agent in the middle of an outage forgets the runs, not the outage.
        keep: Some("5m"),
        label: None,
        summary: "{{ $labels.check }} of {{ $labels.target }} fails",
        description: format!(
            "The last {{{{ $value }}}} conclusive runs of {{{{ $labels.check }}}} against {{{{ $labels.target }}}} failed, \
             one after the other{}.",
            why::reasons()
        ),
        dashboard: OF_CHECK,
    })
}

fn failing_in_one_location() -> Rule {
    let expr = "
        ROW >= 3
        and on (target, check) (
          count by (target, check) (ROW >= 3)
          < on (target, check)
          clamp_max(count by (target, check) (ROW), 2)
        )";
    Rule::Alert(Alert {
        name: "GateprobeCheckFailingInOneLocation",
        severity: Severity::Warning,
        expr: unindented(&expr.replace("ROW", IN_A_ROW)),
        hold: Some("5m"),
        keep: None,
        label: None,
        summary: "{{ $labels.check }} of {{ $labels.target }} fails from {{ $labels.location }} only",
        description: format!(
            "The last {{{{ $value }}}} conclusive runs of {{{{ $labels.check }}}} against {{{{ $labels.target }}}} from \
             {{{{ $labels.location }}}} failed; no other location sees it{}.",
            why::reasons_in_location()
        ),
        dashboard: OF_CHECK,
    })
}

/// A check that fails every other run never fails three times in a row. The interval is a matter of the job, not of each
/// of its addresses.
fn unstable() -> Rule {
    let expr = "
        (
          max by (target, check) (changes(gateprobe_last_check_acute_failure[%1h%])) >= 6
          or on (target, check)
          max by (target, check) (
            changes(gateprobe_last_check_acute_failure[%12h%])
            and ignoring (peer) gateprobe_check_interval_seconds >= 300
          ) >= 6
        )
        unless on (target) (max by (target) (gateprobe_target_paused) == 1)";
    Rule::Alert(Alert {
        name: "GateprobeCheckUnstable",
        severity: Severity::Warning,
        expr: unindented(expr),
        hold: Some("10m"),
        keep: None,
        label: None,
        summary: "{{ $labels.check }} of {{ $labels.target }} comes and goes",
        description: format!(
            "{{{{ $labels.check }}}} against {{{{ $labels.target }}}} turned from good to bad or back {{{{ $value }}}} times \
             within the hour (12 hours where it runs every 5 minutes or less often){}.",
            why::reasons()
        ),
        dashboard: OF_CHECK,
    })
}

/// Silent where the last run of the handshake failed: the others can't get in, and what is wrong is counted there. Not where
/// it can't tell either: a failed run from before stays the last conclusive one for good, and would hide that nobody knows.
/// Nothing hides the handshake's own.
fn inconclusive() -> Rule {
    let thrice = |matcher: &str| {
        let each = "gateprobe_check_consecutive_inconclusive";
        format!(
            "min by (target, check, location) (max without (peer) ({each}{{check{matcher}\"handshake\"}})) >= 3"
        )
    };
    let expr = "
        max by (target, check) (
          (
            OWN
            or
            OTHERS
            unless on (target, location) (
              gateprobe_check_consecutive_acute_failures{check=\"handshake\"} >= 1
              and gateprobe_check_consecutive_inconclusive == 0
            )
          )
          unless on (target, location) PAUSED
        )";
    let expr = expr.replace("OWN", &thrice("=")).replace("OTHERS", &thrice("!="));
    Rule::Alert(Alert {
        name: "GateprobeCheckInconclusive",
        severity: Severity::Warning,
        expr: unindented(&expr.replace("PAUSED", PAUSED)),
        hold: Some("15m"),
        keep: None,
        label: None,
        summary: "{{ $labels.check }} of {{ $labels.target }} can't tell",
        description: format!(
            "The last {{{{ $value }}}} runs of {{{{ $labels.check }}}} against {{{{ $labels.target }}}} found out \
             nothing{}. Neither good nor bad is known since.",
            why::causes()
        ),
        dashboard: OF_CHECK,
    })
}

/// By the time of the scrape, so that a gap in scraping looks like none; the agent knows of pauses and patience.
fn stale() -> Rule {
    let expr = "
        max by (target, check) (
          timestamp(gateprobe_check_next_run_timestamp_seconds) - gateprobe_check_next_run_timestamp_seconds
          > 2 * gateprobe_check_interval_seconds + 60
        )";
    Rule::Alert(Alert {
        name: "GateprobeCheckStale",
        severity: Severity::Warning,
        expr: unindented(expr),
        hold: Some("1m"),
        keep: None,
        label: None,
        summary: "{{ $labels.check }} of {{ $labels.target }} does not run",
        description: "{{ $labels.check }} against {{ $labels.target }} has been due for {{ $value | humanizeDuration }} and \
                      did not run: what is shown of it is old."
            .into(),
        dashboard: OF_CHECK,
    })
}

/// For how long the certificate of a target must be valid: what its checks want (`certificate_min_validity`), which is right
/// for certificates that are short-lived by design, too; else three weeks.
const WANTED: &str = "target:gateprobe_tls_certificate_min_validity_seconds:max";
const WANTED_OR_THREE_WEEKS: &str = "
    max by (target) (gateprobe_tls_certificate_min_validity_seconds)
    or
    max by (target) (gateprobe_tls_certificate_not_after_timestamp_seconds) * 0 + 21 * 86400";

/// By the date and not by what runs found: it stands whatever else is wrong with the gateway. A check that fails for this
/// alone is no outage, and pages nobody; the last third of the time does, a week at most.
fn certificate(severity: Severity, condition: &str) -> Rule {
    const LEFT: &str = "min by (target) (gateprobe_tls_certificate_not_after_timestamp_seconds) - time()";
    let little = format!("clamp_max({WANTED} / 3, 7 * 86400)");
    let paused = "unless on (target) (max by (target) (gateprobe_target_paused) == 1)";
    let condition = condition.replace("LITTLE", &little).replace("WANTED", WANTED).replace("LEFT", LEFT);
    let expr = format!("{condition}\n{paused}");
    Rule::Alert(Alert {
        name: "GateprobeCertificateExpires",
        severity,
        expr,
        hold: Some("10m"),
        keep: None,
        label: None,
        summary: "The certificate of {{ $labels.target }} expires soon",
        description: "The first certificate of the chain of {{ $labels.target }} to expire does so in \
                      {{ $value | humanizeDuration }}."
            .into(),
        dashboard: OF_TARGET,
    })
}
