//! A certificate that expires soon is a ticket, however much the check wants of it; an outage beside it pages as ever.

use super::story::{Story, hold};
use super::world::{Agent, End, Job};
use super::worlds::{FAULT, HOUR, MINUTE, fires, further, variants};

const EXPIRES: &str = "GateprobeCertificateExpires";
const TICKET: &str = "severity=\"warning\"";
const NOT_AFTER: &str =
    "gateprobe_tls_certificate_not_after_timestamp_seconds{target=\"chat\",check=\"handshake\"}";

/// `certificate_min_validity: 30d`, and a certificate with four weeks left from the fault on; it is renewed after three
/// hours. With an objective, whose budget must not burn.
fn agent(ends: impl Fn(u64) -> End + 'static) -> Agent {
    let left = |now: u64| if (FAULT..4 * HOUR).contains(&now) { 28 } else { 90 };
    let not_after = move |now: u64, _| Some((now + left(now) * 24 * HOUR) as f64);
    let job = Job::well("handshake", 30).slo(0.999, 30).ends(ends);
    Agent { further: vec![further(NOT_AFTER, not_after)], ..Agent::with(vec![job]) }
}

fn soon(second: u64) -> End {
    if (FAULT..4 * HOUR).contains(&second) { End::Fail("tls_expires_soon") } else { End::Pass }
}

#[test]
fn a_certificate_that_expires_soon_is_a_ticket_and_no_outage() {
    hold(&variants(
        "expires soon",
        6 * HOUR,
        || agent(soon),
        |world| Story {
            quiet_from: Some(4 * HOUR + 3 * MINUTE),
            ..fires(world, &[(EXPIRES, TICKET, FAULT + 13 * MINUTE)], &[])
        },
    ));
}

#[test]
fn what_fails_for_another_reason_by_now_tells_nothing_of_the_certificate() {
    let other = FAULT + 3 * MINUTE;
    let ends = move |second: u64| match second {
        _ if (FAULT..other).contains(&second) => End::Fail("tls_expires_soon"),
        _ if second >= other => End::Fail("too_slow"),
        _ => End::Pass,
    };
    let failing = ("GateprobeCheckFailing", "severity=\"critical\"", other + 90 + 2 * MINUTE);
    hold(&variants(
        "soon, then slow",
        2 * HOUR,
        move || agent(ends),
        |world| fires(world, &[failing], &["GateprobeErrorBudgetBurn"]),
    ));
}

#[test]
fn an_outage_pages_beside_a_certificate_that_expires_soon() {
    let down = 2 * HOUR + 30 * MINUTE;
    let ends = move |second: u64| {
        if (down..down + 15 * MINUTE).contains(&second) { End::Fail("unavailable") } else { soon(second) }
    };
    let failing = ("GateprobeCheckFailing", "severity=\"critical\"", down + 90 + 2 * MINUTE);
    let burn = ("GateprobeErrorBudgetBurn", "severity=\"critical\",window=\"1h\"", down + 10 * MINUTE);
    let expires = (EXPIRES, TICKET, FAULT + 13 * MINUTE);
    hold(&variants(
        "outage while it expires soon",
        3 * HOUR,
        move || agent(ends),
        |world| fires(world, &[failing, burn, expires], &["GateprobeErrorBudgetBurn"]),
    ));
    // One bad run among many that only see the certificate is none.
    let ends = move |second: u64| {
        if (down..down + 30).contains(&second) { End::Fail("unavailable") } else { soon(second) }
    };
    let agent = move || agent(ends);
    hold(&variants("one bad run", 3 * HOUR, agent, |world| fires(world, &[expires], &[])));
}
