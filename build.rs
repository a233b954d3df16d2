//! Tells the program which revision it is built from: `gateprobe_build_info{revision}`.

use std::process::Command;

/// What the program is made of, the embedded pages too.
const SOURCES: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "docs/canary.md",
    "docs/checks.md",
    "docs/page.md",
    "docs/runbooks",
    "src",
];

fn main() {
    println!("cargo::rerun-if-env-changed=GATEPROBE_REVISION");
    // Not when HEAD moves: a commit of what was just built, or one that changes nothing of this, would build it all again.
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let given = std::env::var("GATEPROBE_REVISION").ok().filter(|revision| !revision.is_empty());
    let revision = given.or_else(of_git).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=GATEPROBE_REVISION={revision}");
}

/// The commit that is checked out, with `-dirty` where the sources differ from it. `None` where this folder is no clone of
/// its own (an unpacked archive within somebody else's repository is none), or there is no git.
fn of_git() -> Option<String> {
    let within = git(&["rev-parse", "--show-prefix"])?;
    let commit = git(&["rev-parse", "HEAD"]).filter(|_| within.is_empty())?;
    let changed = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// What git says in this folder.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("--no-optional-locks").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
