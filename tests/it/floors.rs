//! A module uses only floors below its own. The table is the one of docs/ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floor of each module, and the modules of its own floor that it may use.
const FLOORS: &[(&str, u8, &[&str])] = &[
    ("metrics", 0, &["model"]),
    ("model", 0, &["metrics"]),
    ("auth", 1, &[]),
    ("canary", 1, &[]),
    ("dialect", 1, &[]),
    ("rules", 1, &[]),
    ("wire", 1, &[]),
    ("session", 2, &[]),
    ("checks", 3, &[]),
    ("config", 4, &[]),
    ("runner", 4, &[]),
    ("export", 5, &[]),
    ("gate", 5, &[]),
    ("schedule", 5, &[]),
    ("store", 5, &[]),
    ("http", 6, &[]),
    ("agent", 7, &[]),
    ("cli", 8, &["main"]),
    ("main", 8, &["cli"]),
];

/// Shares no code with the rest, so that one bug can't sit on both sides of a test.
const APART: &str = "gateway";

/// Those that may know of the gateway: they start it.
const GATEWAY_USERS: &[&str] = &["cli"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The top-level modules that a source names by `crate::` (or `gateprobe::`), groups included.
fn named(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut modules = Vec::new();
    for prefix in ["crate::", "gateprobe::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                modules.extend(heads_of_group(group));
            } else {
                modules.push(identifier(rest));
            }
        }
    }
    modules.retain(|m| !m.is_empty());
    modules
}

/// The first identifier of each entry of `{a, b::{c, d}, e}`, without its opening brace.
fn heads_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut start) = (0, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(identifier(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(identifier(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn violations(module: &str, used: &str) -> Option<String> {
    let floor = |name: &str| FLOORS.iter().find(|(n, ..)| *n == name);
    if module == used || module == "lib" {
        return None;
    }
    if module == APART {
        return Some(format!("`{APART}` stands apart, but uses `{used}`"));
    }
    if used == APART {
        let allowed = GATEWAY_USERS.contains(&module);
        return (!allowed).then(|| format!("`{module}` uses `{APART}`, which stands apart"));
    }
    let Some((_, own, beside)) = floor(module) else {
        return Some(format!("`{module}` has no floor: give it one here and in docs/ARCHITECTURE.md"));
    };
    match floor(used) {
        // A macro or item of the crate's root.
        None => None,
        Some((_, theirs, _)) if theirs < own || beside.contains(&used) => None,
        Some((_, theirs, _)) => Some(format!("`{module}` (floor {own}) uses `{used}` (floor {theirs})")),
    }
}

#[test]
fn modules_use_only_floors_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 10, "the sources were not found");
    let mut wrong = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(&root).expect("below src");
        let module = relative.iter().next().expect("a name").to_string_lossy();
        let module = module.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&file).expect("readable");
        for used in named(&text) {
            if let Some(why) = violations(&module, &used) {
                wrong.insert(format!("src/{}: {why}", relative.display()), ());
            }
        }
    }
    assert!(wrong.is_empty(), "{:#?}", wrong.keys().collect::<Vec<_>>());
}

#[test]
fn the_scan_sees_what_it_should() {
    assert_eq!(named("use crate::wire::Socket;"), ["wire"]);
    assert_eq!(named("use crate::{model::{Outcome, Phase}, wire, auth::Token};"), ["model", "wire", "auth"]);
    assert_eq!(named("// crate::agent is above"), Vec::<String>::new());
    assert!(violations("wire", "session").is_some());
    assert!(violations("session", "wire").is_none());
    assert!(violations("gateway", "wire").is_some());
    assert!(violations("wire", "gateway").is_some());
    assert!(violations("auth", "wire").is_some(), "modules of one floor don't know each other");
    assert!(violations("newcomer", "model").is_some());
}

#[test]
fn the_architecture_page_has_the_same_floors() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md"))
        .expect("docs/ARCHITECTURE.md");
    for (module, floor, _) in FLOORS {
        let found = page
            .lines()
            .any(|line| line.starts_with(&format!("| {floor} |")) && line.contains(&format!("`{module}`")));
        assert!(found, "docs/ARCHITECTURE.md has no floor {floor} with `{module}`");
    }
}
