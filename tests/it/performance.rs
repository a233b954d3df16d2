//! `docs/performance.md` is what the bench wrote: every row that it has, and no verdict that the figures don't bear.
//! And what makes a held connection large is seen before the next bench.

#[path = "../../benches/performance/rows.rs"]
mod rows;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use gateprobe::agent::Setup;
use gateprobe::checks::Heartbeat;
use gateprobe::runner::Throttle;
use gateprobe::session::{Ask, Budget, Limits, Visit};
use gateprobe::wire::{Dialer, Record};
use rows::ROWS;

use crate::support;

/// The number before the unit.
fn figure(cell: &str, unit: &str, digits: usize) -> f64 {
    let (number, _) = cell.split_once(&format!(" {unit}")).unwrap_or_else(|| panic!("no {unit} in {cell:?}"));
    assert_eq!(number.rsplit_once('.').map_or(0, |(_, digits)| digits.len()), digits, "{cell:?}");
    number.trim().parse().unwrap_or_else(|error| panic!("{error}: {cell:?}"))
}

#[test]
fn the_page_has_every_row_of_the_bench() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let page = fs::read_to_string(&path).expect("docs/performance.md: `make bench` writes it");
    for row in ROWS {
        let begin = format!("| {} | ", row.name);
        let mut lines = page.lines().filter(|line| line.starts_with(&begin));
        let (table, words) = (lines.next().expect(row.name), lines.next().expect(row.name));
        let cells: Vec<&str> = table.split(" | ").collect();
        let [_, measured, limit, _, _, met] = cells[..] else { panic!("not six cells: {table}") };
        let [ours, limit] = [measured, limit].map(|cell| figure(cell, row.unit, row.digits));
        assert_eq!(met.trim_end_matches([' ', '|']) == "yes", row.goal.is_met(ours, limit), "{table}");
        assert!(words.contains(row.ours) && words.contains(row.limit), "stale: {words}");
    }
}

/// A future keeps the largest of its states for as long as it lives; a connection's lives as long as the connection.
#[tokio::test]
async fn no_connection_carries_the_state_of_its_dial() {
    let plan = support::plan("targets: {a: {url: 'ws://127.0.0.1:1/'}}");
    let dialer = Dialer::new(&plan.resolver()).expect("a dialer");
    let setup = Setup::new(plan, Throttle::default()).expect("a setup");
    let (target, budget) = (setup.target("a").expect("a target"), Arc::new(Budget::new(Limits::default())));
    let visit = Visit::new(target, &dialer, &budget, None, tokio::time::Instant::now());
    let (ask, record, heartbeat) = (Ask::default(), Record::new(), Heartbeat::default());
    let (open, run) = (size_of_val(&visit.open(&ask, &record)), size_of_val(&heartbeat.run(&visit)));
    assert!(open <= 1_024, "{open} bytes; box what is over before the connection is");
    assert!(run <= 4_096, "{run} bytes with one connection");
}
