//! Whoever can't tell says so: checks that find out nothing, checks that do not run, agents that are gone.

use super::story::{Story, hold};
use super::world::{Agent, End, Job, World};
use super::worlds::{FAULT, HOUR, MINUTE, fails, fires, variants};

const FAILING: &str = "GateprobeCheckFailing";

#[test]
fn a_check_that_can_not_tell_is_told() {
    let by = |interval: u64| FAULT + 3 * interval + 17 * MINUTE;
    let agent = || {
        let ends = |second: u64| if second < FAULT { End::Pass } else { End::Inconclusive };
        Agent::with(vec![
            Job::well("handshake", 30),
            Job::well("heartbeat", 60).ends(ends),
            Job::well("malformed", 3_600).ends(ends),
            // Where the handshake fails, that is what is wrong.
            Job::well("handshake", 30).of("down").ends(fails("unavailable", FAULT, u64::MAX)),
            Job::well("heartbeat", 60).of("down").ends(ends),
        ])
    };
    let told = [
        ("GateprobeCheckInconclusive", "target=\"chat\",check=\"heartbeat\"", by(60)),
        ("GateprobeCheckInconclusive", "target=\"chat\",check=\"malformed\"", by(3_600)),
        (FAILING, "target=\"down\",check=\"handshake\"", by(60)),
    ];
    hold(&variants("inconclusive", by(3_600) + HOUR, agent, |world| fires(world, &told, &[])));
}

/// The gateway goes from 503 to 429, or our own way out breaks after the first failed run: a failed run that is the last
/// conclusive one for good hides nothing.
#[test]
fn one_failed_handshake_hides_no_check_that_can_not_tell() {
    let agent = || {
        let after = |first: End| {
            move |second: u64| match second {
                0..FAULT => End::Pass,
                FAULT..3_630 => first,
                _ => End::Inconclusive,
            }
        };
        Agent::with(vec![
            Job::well("handshake", 30).ends(after(End::Fail("unavailable"))),
            Job::well("heartbeat", 60).ends(after(End::Inconclusive)),
        ])
    };
    let told = ["handshake", "heartbeat"].map(|check| {
        let labels: &'static str = format!("check=\"{check}\"").leak();
        ("GateprobeCheckInconclusive", labels, FAULT + 30 + 180 + 17 * MINUTE)
    });
    hold(&variants("one failed, then nothing", 2 * HOUR, agent, |world| fires(world, &told, &[])));
}

/// The other checks can't get in: one alert is enough.
#[test]
fn a_plain_outage_is_told_once() {
    let agent = || {
        let blind = |second: u64| if second < FAULT { End::Pass } else { End::Inconclusive };
        Agent::with(vec![
            Job::well("handshake", 30).ends(fails("unavailable", FAULT, u64::MAX)),
            Job::well("heartbeat", 60).ends(blind),
            Job::well("zombie", 300).ends(blind),
        ])
    };
    let told = [(FAILING, "check=\"handshake\",severity=\"critical\"", FAULT + 90 + 2 * MINUTE)];
    hold(&variants("plain outage", 3 * HOUR, agent, |world| fires(world, &told, &[])));
}

#[test]
fn a_check_that_nothing_drives_is_told() {
    let by = |interval: u64| FAULT + 3 * interval + 4 * MINUTE;
    let stuck = |target: &'static str, interval: u64, from: u64| Job {
        stuck_from: Some(from),
        ..Job::well("handshake", interval).of(target)
    };
    let agent =
        move || Agent::with(vec![stuck("a", 10, FAULT), stuck("b", 300, FAULT), Job::well("handshake", 300)]);
    let stale = "GateprobeCheckStale";
    let told = [(stale, "target=\"a\"", by(10)), (stale, "target=\"b\"", by(300))];
    hold(&variants("stale", by(300) + HOUR, agent, |world| fires(world, &told, &[])));
    // Nor has it ever run.
    let agent = move || Agent::with(vec![stuck("a", 30, 0)]);
    hold(&variants("never ran", HOUR, agent, |world| Story {
        quiet_until: 0,
        ..fires(world, &[(stale, "target=\"a\"", 3 * 30 + 4 * MINUTE)], &[])
    }));
}

#[test]
fn agents_that_are_gone_are_told() {
    let gone = || Agent { down: vec![FAULT..u64::MAX], ..Agent::with(vec![Job::well("handshake", 30)]) };
    let all = ("GateprobeDown", "severity=\"critical\"", FAULT + 8 * MINUTE);
    let own = ("GateprobeReplicaDown", "severity=\"warning\"", FAULT + 8 * MINUTE);
    hold(&variants("all down", 2 * HOUR, gone, |world| {
        let told = [vec![all], vec![own; world.agents.len()]].concat();
        fires(world, &told, &[])
    }));
    let story = |scrape| {
        let well = Agent::with(vec![Job::well("handshake", 30)]).named("b:9464", 7);
        let world = World { scrape, length: 2 * HOUR, agents: vec![well, gone()], gaps: Vec::new() };
        Story { name: format!("one of two down, scraped each {scrape} s"), ..fires(world, &[own], &[]) }
    };
    hold(&[story(15), story(30), story(60)]);
}

/// Nobody looks after it within the hour: what is down is told until it is back, or no target any more.
#[test]
fn a_replica_that_stays_down_stays_told() {
    let back = FAULT + 30 * HOUR;
    let story = |scrape| {
        let jobs = || vec![Job::well("handshake", 300)];
        let gone = Agent { down: vec![FAULT..back], ..Agent::with(jobs()) };
        let well = Agent::with(jobs()).named("b:9464", 7);
        let world = World { scrape, length: back + 10 * MINUTE, agents: vec![well, gone], gaps: Vec::new() };
        let down = |labels, by| ("GateprobeReplicaDown", labels, by);
        let told = [
            down("severity=\"warning\"", FAULT + 8 * MINUTE),
            down("job=\"gateprobe\"", FAULT + 3 * HOUR),
            down("instance=\"a:9464\"", back - MINUTE),
        ];
        let quiet_from = Some(back + 3 * MINUTE);
        Story { name: format!("down for long, {scrape} s"), quiet_from, ..fires(world, &told, &[]) }
    };
    hold(&[story(30), story(60)]);
}
