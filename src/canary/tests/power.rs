//! How often identical gateways fail, and how often faults are found: in simulated worlds, by seed.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::super::{Decision, End, Judge, Verdict};
use super::world::{FULL, Fault, QUICK, QUICK_BY_DEFAULT, World, plan};

/// Worlds of identical gateways, for the nominal rate; fewer where code is slow.
const IDENTICAL: usize = if cfg!(debug_assertions) { 300 } else { 10_000 };
/// Worlds that measure a power; a power of 95 % comes out within 2 % of it.
const FAULTY: usize = 500;
/// The power that is asked for.
const WANTED: f64 = 0.95;
/// Runs an arm that are tried for it.
const GRID: &[usize] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 300, 400, 600, 800,
    1000, 1500, 2000, 3000,
];

type Profile = Vec<(&'static str, usize)>;

fn verify(seed: u64, fault: Fault, profile: &[(&'static str, usize)]) -> Decision {
    let mut judge = Judge::new(plan(profile));
    for pair in World::new(seed, fault).pairs(profile) {
        for run in pair {
            judge.add(run);
        }
        if let Some(decision) = judge.interim() {
            return decision;
        }
    }
    judge.finish(End::Completed)
}

/// How many worlds end in each verdict: pass, fail, inconclusive.
fn verdicts(worlds: usize, fault: Fault, profile: &[(&'static str, usize)]) -> [usize; 3] {
    let mut counts = [0; 3];
    for seed in 0..worlds {
        counts[verify(seed as u64, fault, profile).verdict as usize] += 1;
    }
    counts
}

fn identical(profile: &[(&'static str, usize)], worlds: usize) -> [usize; 3] {
    let counts = verdicts(worlds, Fault::None, profile);
    let fails = counts[Verdict::Fail as usize];
    assert!(fails as f64 <= 0.01 * worlds as f64, "{fails} of {worlds} identical gateways fail");
    counts
}

#[test]
fn identical_gateways_fail_in_one_of_a_hundred_at_most_in_quick() {
    identical(QUICK, IDENTICAL);
}

#[test]
fn identical_gateways_fail_in_one_of_a_hundred_at_most_in_full() {
    identical(FULL, IDENTICAL / if cfg!(debug_assertions) { 10 } else { 1 });
}

fn power(fault: Fault, profile: &[(&'static str, usize)]) -> f64 {
    verdicts(FAULTY, fault, profile)[Verdict::Fail as usize] as f64 / FAULTY as f64
}

/// A profile in which one check makes so many runs.
fn with(profile: &[(&'static str, usize)], check: &str, runs: usize) -> Profile {
    profile.iter().map(|(name, planned)| (*name, if *name == check { runs } else { *planned })).collect()
}

/// The least of the grid's numbers of runs with the wanted power, the other checks as in `quick`.
fn enough(fault: Fault, check: &str) -> Option<usize> {
    let reaches = |runs: usize| power(fault, &with(QUICK, check, runs)) >= WANTED;
    let at = GRID.partition_point(|runs| !reaches(*runs));
    GRID.get(at).copied()
}

const FAULTS: &[(&str, Fault, &str)] = &[
    ("10 % of connects fail", Fault::Connects(0.1), "handshake"),
    ("round trips take 30 % longer", Fault::RoundTrips(1.3), "heartbeat"),
    ("clean-up takes twice as long", Fault::CleanUp(2.0), "zombie"),
    ("a refresh takes 200 ms longer", Fault::Refresh(0.2), "token_refresh"),
    ("a forged token is accepted", Fault::ForgedToken, "token_refresh"),
    ("1 message in 100 is lost", Fault::Messages(0.01), "network_switch"),
    ("1 resume in 100 loses messages", Fault::Resumes(0.01), "network_switch"),
];

fn runs_of(profile: &[(&str, usize)], check: &str) -> usize {
    profile.iter().find(|(name, _)| *name == check).map_or(0, |(_, runs)| *runs)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn table() -> String {
    let mut text = String::from(
        "| fault of the canary | check | `quick`: runs an arm | found | `full`: runs an arm | found | runs an arm to find 95 % | alpha |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for (fault, kind, check) in FAULTS {
        let (quick, full) = (runs_of(QUICK, check), runs_of(FULL, check));
        let (by_quick, by_full) = (percent(power(*kind, QUICK)), percent(power(*kind, FULL)));
        let most = GRID.last().copied().unwrap_or(0);
        let enough = enough(*kind, check).map_or_else(|| format!("over {most}"), |runs| runs.to_string());
        let row =
            format!("| {fault} | `{check}` | {quick} | {by_quick} | {full} | {by_full} | {enough} | 0.01 |");
        println!("{row}");
        writeln!(text, "{row}").expect("a String");
    }
    text.push_str("\n| identical gateways | worlds | pass | fail | inconclusive |\n|---|--:|--:|--:|--:|\n");
    let profiles =
        [("`quick`", QUICK), ("`quick`, by the default budget", QUICK_BY_DEFAULT), ("`full`", FULL)];
    for (name, profile) in profiles {
        let counts = identical(profile, IDENTICAL)
            .map(|count| format!("{:.2} %", 100.0 * count as f64 / IDENTICAL as f64));
        let [pass, fail, inconclusive] = counts;
        writeln!(text, "| {name} | {IDENTICAL} | {pass} | {fail} | {inconclusive} |").expect("a String");
    }
    text
}

#[test]
#[ignore = "takes minutes: `make canary-power`"]
fn what_is_found_and_what_is_not() {
    let table = table();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/canary.md");
    let page = fs::read_to_string(&path).expect("docs/canary.md");
    let (begin, end) = ("<!-- generated: power -->\n", "<!-- end -->");
    let (before, rest) = page.split_once(begin).expect("the marker");
    let (_, after) = rest.split_once(end).expect("its end");
    fs::write(&path, format!("{before}{begin}\n{table}\n{end}{after}")).expect("written");
}
