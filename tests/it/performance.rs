//! `docs/performance.md` is what the bench wrote: every row that it has, and no verdict that the figures don't bear.

#[path = "../../benches/performance/rows.rs"]
mod rows;

use std::fs;
use std::path::PathBuf;

use rows::ROWS;

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
