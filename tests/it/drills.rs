//! The commands of docs/drills.md do what the page says: each is taken from the page and carried out.

use std::path::Path;
use std::process::Command;

use gateprobe::gateway::{Fault, FaultKind};
use serde_json::Value;

use crate::support::binary::get;
use crate::support::check::check_url_with;
use crate::support::reference::Reference;

const ADDRESS: &str = "http://127.0.0.1:8081";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drills.md");
    std::fs::read_to_string(path).expect("docs/drills.md")
}

/// The lines of the page that begin with curl.
fn commands(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("curl ")).collect()
}

/// Carries out a line of the page against another address; gives what it wrote.
fn carry_out(line: &str, control: &str) -> String {
    let line = line.replace(ADDRESS, control.trim_end_matches('/'));
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    let output = Command::new(program).args(["--silent", "--show-error", "--fail"]).args(words).output();
    let output = output.expect("curl is installed");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}: {told}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn active(faults: &str) -> Vec<String> {
    let faults: Value = serde_json::from_str(faults).expect("JSON");
    let active = faults["active"].as_array().expect("a list");
    active.iter().map(|fault| fault["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_commands_of_the_page_switch_a_fault_on_and_off() {
    let (page, gateway) = (page(), Reference::start(&[]));
    let [on, list, off] = commands(&page)[..] else { panic!("other commands than on, list, off") };
    let checked = || check_url_with(&gateway.url, &["--check", "handshake"]).verdict();
    assert_eq!(checked(), (0, vec!["pass".to_owned()]));
    carry_out(on, gateway.control());
    assert_eq!(active(&carry_out(list, gateway.control())), ["upgrade_status"]);
    assert_eq!(checked(), (1, vec!["fail unavailable".to_owned()]));
    carry_out(off, gateway.control());
    assert_eq!(checked(), (0, vec!["pass".to_owned()]));
    let (status, log) = get(&format!("{}log", gateway.control()));
    assert_eq!(status, 200);
    assert!(log.contains("\"fault_set\"") && log.contains("\"fault_cleared\""), "{log}");
}

/// Each fault of the table exists and takes its value; and what turns red is what the matrix says.
#[test]
fn the_drills_of_the_table_are_faults() {
    let page = page();
    let by_hand = page.split("\n## ").next().expect("the first part");
    let rows: Vec<Vec<&str>> = by_hand
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut faults = 0;
    for row in &rows {
        let Some(name) = row[1].strip_prefix('`').and_then(|rest| rest.split('`').next()) else { continue };
        let value = row[1].split("-d ").nth(1).and_then(|rest| rest.split('`').next());
        let kind: FaultKind = name.parse().expect("a fault");
        let fault: Fault = kind.with_value(value).expect("a value that fits");
        let reason = row[2].rsplit("`: `").next().and_then(|rest| rest.split('`').next()).expect("a reason");
        assert!(super::matrix::finds(fault.kind(), reason), "the matrix has no {fault} with {reason}");
        faults += 1;
    }
    assert!(faults >= 5, "the table was not found");
}
