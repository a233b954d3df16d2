//! What must not alert: an accident, a reload, a restart, a gap.

use super::story::hold;
use super::world::{Agent, End};
use super::worlds::{FAULT, HOUR, all_checks, fails_once, finding_of, quiet, variants};

/// Each check fails once from a second on, for a reason that an alert knows; each replica sees it.
fn one_accident(from: u64) -> Agent {
    Agent::with(all_checks(|check, interval| Box::new(fails_once(finding_of(check), from, interval))))
}

#[test]
fn one_failed_run_never_pages() {
    hold(&variants("one failed run", 2 * HOUR + 600, || one_accident(FAULT), quiet));
}

#[test]
fn one_failed_run_right_after_the_start_never_pages() {
    hold(&variants("the first run fails", 2 * HOUR, || one_accident(0), quiet));
}

#[test]
fn two_failed_runs_of_a_quick_check_never_page() {
    let agent = || {
        let jobs = all_checks(|_, interval| Box::new(fails_once("unavailable", FAULT, 2 * interval)));
        Agent::with(jobs.into_iter().filter(|job| job.interval <= 60).collect())
    };
    hold(&variants("two failed runs", 2 * HOUR + 600, agent, quiet));
}

#[test]
fn a_restart_alerts_nobody() {
    // Right after a failed run; and of all replicas at once, for three minutes.
    let agent =
        || Agent { down: vec![FAULT + 40..FAULT + 100, FAULT + 2_000..FAULT + 2_180], ..one_accident(FAULT) };
    hold(&variants("restart", 2 * HOUR + 600, agent, quiet));
}

#[test]
fn a_reload_that_restarts_the_series_alerts_nobody() {
    let agent =
        || Agent { emptied: vec![FAULT + 45..FAULT + 90, FAULT + 600..FAULT + 661], ..one_accident(FAULT) };
    hold(&variants("reload", 2 * HOUR + 600, agent, quiet));
}

#[test]
fn a_gap_in_scraping_alerts_nobody() {
    let well = || Agent::with(all_checks(|_, _| Box::new(|_| End::Pass)));
    hold(&variants("gap", 2 * HOUR + 600, well, |mut world| {
        world.gaps = vec![FAULT..FAULT + 480, FAULT + 1_800..FAULT + 2_000];
        quiet(world)
    }));
}
