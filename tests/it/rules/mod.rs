//! The rules that are shipped: they are those of this version, promtool takes them, and they alert when they should.

mod alertmanager;
#[expect(clippy::single_range_in_vec_init, reason = "one time span of several that there may be")]
mod alerts;
#[expect(clippy::single_range_in_vec_init, reason = "one time span of several that there may be")]
mod blind;
mod contract;
mod descriptions;
mod expiring;
mod objectives;
mod promql;
mod quiet;
mod runbooks;
mod story;
mod world;
mod worlds;

use std::fs;
use std::process::Command;

use gateprobe::rules::{Options, file};

use crate::support::program::{project, tool};
use crate::support::{folder, write};

fn text(options: &Options) -> String {
    file(options).expect("no unknown alert")
}

/// What promtool says of a file; panics where it finds a fault.
fn check(path: &std::path::Path) -> String {
    let output = Command::new(tool("bin/promtool"))
        .args(["check", "rules", "--lint=all", "--lint-fatal"])
        .arg(path)
        .output();
    let output = output.expect("promtool runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

/// Writes the file anew where it is stale, and fails all the same: look at the change and commit it.
#[test]
fn the_file_is_that_of_this_version() {
    let path = project(story::FILE);
    let fresh = text(&Options::default());
    if fs::read_to_string(&path).is_ok_and(|text| text == fresh) {
        return;
    }
    fs::write(&path, fresh).expect("written");
    panic!("{} was stale; it is fresh now, commit it", story::FILE);
}

#[test]
fn promtool_finds_no_fault_at_any_speed() {
    assert!(check(&project(story::FILE)).contains("SUCCESS"));
    let folder = folder();
    for speed in [7, 60, 3_600] {
        let path = write(folder.path(), "rules.yaml", text(&Options { speed, ..Options::default() }));
        check(&path);
    }
}
