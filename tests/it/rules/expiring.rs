//! A certificate that expires soon is a ticket, however much the check wants of it; it neither hides an outage beside it
//! nor spends an error budget.

use super::story::{Story, hold};
use super::world::{Agent, End, Job};
use super::worlds::{FAULT, HOUR, MINUTE, fires, further, variants};

const EXPIRES: &str = "GateprobeCertificateExpires";
const TICKET: &str = "severity=\"warning\"";
const TOLD: (&str, &str, u64) = (EXPIRES, TICKET, FAULT + 13 * MINUTE);
const NOT_AFTER: &str =
    "gateprobe_tls_certificate_not_after_timestamp_seconds{target=\"chat\",check=\"handshake\"}";
const WANTED: &str = "gateprobe_tls_certificate_min_validity_seconds{target=\"chat\",check=\"handshake\"}";
const DAY: u64 = 24 * HOUR;

/// The check wants 30 days, and from the fault on the certificate has 28 left; it is renewed in the end. With an
/// objective, whose budget must not burn.
fn agent(renewed: u64, ends: impl Fn(u64) -> End + 'static) -> Agent {
    let left = move |now: u64| if (FAULT..renewed).contains(&now) { 28 } else { 90 };
    let not_after = further(NOT_AFTER, move |now, _| Some((now + left(now) * DAY) as f64));
    let wanted = further(WANTED, |_, _| Some((30 * DAY) as f64));
    let job = Job::well("handshake", 30).slo(0.999, 30).ends(ends);
    Agent { further: vec![not_after, wanted], ..Agent::with(vec![job]) }
}

const RENEWED: u64 = 4 * HOUR;

fn soon(second: u64) -> End {
    if (FAULT..RENEWED).contains(&second) { End::Fail("tls_expires_soon") } else { End::Pass }
}

#[test]
fn a_certificate_that_expires_soon_is_a_ticket_and_no_outage() {
    hold(&variants(
        "expires soon",
        6 * HOUR,
        || agent(RENEWED, soon),
        |world| Story { quiet_from: Some(RENEWED + 3 * MINUTE), ..fires(world, &[TOLD], &[]) },
    ));
}

/// Short-lived by design: a week's certificate is fine for as long as its check says.
#[test]
fn what_the_check_wants_counts_in_place_of_three_weeks() {
    let agent = || {
        let left = |now: u64| (7 * DAY).saturating_sub(now.saturating_sub(FAULT) * 24);
        let not_after = further(NOT_AFTER, move |now, _| Some((now + left(now)) as f64));
        let wanted = further(WANTED, |_, _| Some((3 * DAY) as f64));
        Agent { further: vec![not_after, wanted], ..Agent::with(vec![Job::well("handshake", 30)]) }
    };
    // A day in an hour: three are left after four, one is after six.
    let told = [
        (EXPIRES, TICKET, FAULT + 4 * HOUR + 13 * MINUTE),
        (EXPIRES, "severity=\"critical\"", FAULT + 6 * HOUR + 13 * MINUTE),
    ];
    hold(&variants("short-lived", FAULT + 6 * HOUR + 30 * MINUTE, agent, |world| Story {
        quiet_until: FAULT + 4 * HOUR,
        ..fires(world, &told, &[])
    }));
}

#[test]
fn what_fails_for_another_reason_after_the_renewal_tells_nothing_of_the_certificate() {
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
        move || agent(other, ends),
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
    hold(&variants(
        "outage while it expires soon",
        3 * HOUR,
        move || agent(RENEWED, ends),
        |world| fires(world, &[failing, burn, TOLD], &["GateprobeErrorBudgetBurn"]),
    ));
    // One bad run among many that only see the certificate is none.
    let ends = move |second: u64| {
        if (down..down + 30).contains(&second) { End::Fail("unavailable") } else { soon(second) }
    };
    let agent = move || agent(RENEWED, ends);
    hold(&variants("one bad run", 3 * HOUR, agent, |world| fires(world, &[TOLD], &[])));
}

/// No run passes any more, and no two in a row tell of the same.
#[test]
fn an_outage_that_comes_and_goes_is_told_beside_it() {
    let agent = || {
        let ends = |second: u64| match soon(second) {
            End::Fail(_) if (second / 150).is_multiple_of(2) => End::Fail("unavailable"),
            end => end,
        };
        let job = Job::well("handshake", 150).ends(ends);
        Agent { jobs: vec![job], ..agent(RENEWED, soon) }
    };
    let unstable = ("GateprobeCheckUnstable", TICKET, FAULT + HOUR);
    hold(&variants("comes and goes", 3 * HOUR, agent, |world| fires(world, &[unstable, TOLD], &[])));
}

/// Where a real outage is still in the long window, failed runs that are none would page again.
#[test]
fn a_certificate_that_expires_soon_adds_nothing_to_an_outage_before() {
    let (down, mended) = (FAULT, FAULT + 10 * MINUTE);
    let expiring = mended + 30 * MINUTE;
    let ends = move |second: u64| match second {
        _ if (down..mended).contains(&second) => End::Fail("unavailable"),
        _ if second >= expiring => End::Fail("tls_expires_soon"),
        _ => End::Pass,
    };
    let agent = move || Agent::with(vec![Job::well("handshake", 30).slo(0.999, 30).ends(ends)]);
    let failing = ("GateprobeCheckFailing", "severity=\"critical\"", down + 90 + 2 * MINUTE);
    hold(&variants("outage, then soon", 4 * HOUR, agent, |world| Story {
        ended: vec![("GateprobeErrorBudgetBurn", "window=\"1h\"", expiring)],
        ..fires(world, &[failing], &["GateprobeErrorBudgetBurn"])
    }));
}

#[test]
fn a_finding_that_is_mended_ends_though_the_check_still_fails_for_its_certificate() {
    let mended = FAULT + 15 * MINUTE;
    let ends = move |second: u64| match soon(second) {
        End::Fail(_) if second < mended => End::Fail("token_not_required"),
        end => end,
    };
    let agent = move || Agent::with(vec![Job::well("handshake", 30).ends(ends)]);
    let found = ("GateprobeBadTokenAccepted", "severity=\"critical\"", FAULT + 4 * MINUTE);
    hold(&variants("finding, then soon", 4 * HOUR, agent, |world| Story {
        quiet_from: Some(mended + 75 * MINUTE),
        ..fires(world, &[found], &["GateprobeCheckFailing"])
    }));
}
