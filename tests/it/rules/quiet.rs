//! What must not alert: an accident, a reload, a restart, a gap.

use super::story::hold;
use super::world::{Agent, End};
use super::worlds::{FAULT, HOUR, all_checks, fails_once, finding_of, quiet, variants};

#[test]
fn one_failed_run_never_pages() {
    // Seen by each replica, of each check, for a reason that an alert knows: nothing fires at all.
    let agent = || {
        Agent::with(all_checks(|check, interval| Box::new(fails_once(finding_of(check), FAULT, interval))))
    };
    hold(&variants("one failed run", 6 * HOUR, agent, quiet));
}

#[test]
fn one_failed_run_right_after_the_start_never_pages() {
    let agent =
        || Agent::with(all_checks(|check, interval| Box::new(fails_once(finding_of(check), 0, interval))));
    hold(&variants("the first run fails", 3 * HOUR, agent, quiet));
}

#[test]
fn two_failed_runs_of_a_quick_check_never_page() {
    // Without an end of `zombie` and its kind, whose findings are told when they are seen again.
    let agent = || {
        let jobs = all_checks(|_, interval| Box::new(fails_once("unavailable", FAULT, 2 * interval)));
        Agent::with(jobs.into_iter().filter(|job| job.interval <= 60).collect())
    };
    hold(&variants("two failed runs", 4 * HOUR, agent, quiet));
}

fn well() -> Agent {
    Agent::with(all_checks(|_, _| Box::new(|_| End::Pass)))
}

#[test]
fn a_restart_alerts_nobody() {
    // Of all replicas at once, for three minutes; then of each.
    let agent = || Agent { down: vec![FAULT..FAULT + 180, 2 * HOUR..2 * HOUR + 30], ..well() };
    hold(&variants("restart", 5 * HOUR, agent, quiet));
}

#[test]
fn a_restart_after_a_failed_run_alerts_nobody() {
    let agent = || Agent {
        down: vec![FAULT + 40..FAULT + 100],
        ..Agent::with(all_checks(|check, interval| Box::new(fails_once(finding_of(check), FAULT, interval))))
    };
    hold(&variants("restart after a failed run", 5 * HOUR, agent, quiet));
}

#[test]
fn a_reload_that_restarts_the_series_alerts_nobody() {
    let agent = || Agent {
        emptied: vec![FAULT..FAULT + 45, FAULT + 600..FAULT + 661],
        ..Agent::with(all_checks(|check, interval| Box::new(fails_once(finding_of(check), FAULT, interval))))
    };
    hold(&variants("reload", 5 * HOUR, agent, quiet));
}

#[test]
fn a_gap_in_scraping_alerts_nobody() {
    hold(&variants("gap", 5 * HOUR, well, |mut world| {
        world.gaps = vec![FAULT..FAULT + 480, 2 * HOUR..2 * HOUR + 200];
        quiet(world)
    }));
}
