//! A client that stops reading, with its receive window shut: a reset is seen at once, a FIN only by reading on.

use std::time::{Duration, SystemTime};

use gateprobe::model::RunReport;

use crate::support::raw_server::{RawServer, Treatment};
use crate::support::session::{config, count, run, samples};
use crate::support::words;

/// Longer than it takes to find out that nobody asks any more.
const AFTER: Duration = Duration::from_secs(2);
/// The heartbeat that is left unanswered can't be seen: the time counts from the last frame, and it has this more.
const WINDOW: &str = "modes: [stalled], tolerance: 500ms, beat_within: 500ms, close_timeout: 2s, \
                      window: { latest: 3s }";

/// A run against a server, and how long before its end the server had treated the stalled client.
fn stall(treatment: Treatment) -> (RunReport, Duration) {
    let server = RawServer::start(treatment, AFTER, None);
    let report = run(&config(&format!("ws://{}/", server.address), "zombie", WINDOW));
    let ended = SystemTime::now();
    let treated = server.treated();
    assert!(!treated.is_empty(), "{}", report.detail);
    (report, ended.duration_since(treated[treated.len() - 1]).unwrap_or_default())
}

fn evicted_by(report: &RunReport) -> Vec<&'static str> {
    let by = ["close", "fin", "rst"].into_iter();
    by.filter(|by| count(report, "gateprobe_zombie_evictions_total", &["stalled", by]) > 0.0).collect()
}

#[test]
fn a_reset_is_seen_at_once_although_the_window_is_shut() {
    let (report, before) = stall(Treatment::Reset);
    println!("{before:?} {}", report.detail);
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!(evicted_by(&report), ["rst"]);
}

#[test]
fn a_close_and_a_fin_behind_the_shut_window_are_found_by_reading_on() {
    let (report, before) = stall(Treatment::CloseAndFin);
    println!("{before:?} {}", report.detail);
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!(evicted_by(&report), ["close"]);
    assert!(samples(&report, "gateprobe_zombie_cleanup_seconds", &["stalled"]).is_empty());
}

#[test]
fn a_fin_behind_the_shut_window_is_found_by_reading_on() {
    let (report, before) = stall(Treatment::Fin);
    println!("{before:?} {}", report.detail);
    assert_eq!(words(&report), "pass", "{}", report.detail);
    assert_eq!(evicted_by(&report), ["fin"]);
}

#[test]
fn who_keeps_it_for_ever_leaks() {
    let (report, before) = stall(Treatment::Keep);
    println!("{before:?} {}", report.detail);
    assert_eq!(words(&report), "fail zombie_leaked", "{}", report.detail);
}
