//! The documentation says what the program says, and what it says works.

mod commands;
mod configuration;
mod inline;
mod links;
mod markdown;
mod stage;

use std::fs;
use std::path::PathBuf;

use gateprobe::checks::malformed::{Group, Vector, list};
use gateprobe::checks::{CheckSpec, Malformed};
use gateprobe::config::CostRow;
use gateprobe::model::{Cause, Failure, Why};

fn table(rows: impl Iterator<Item = (&'static str, &'static str)>) -> String {
    let rows: String = rows.map(|(reason, text)| format!("| `{reason}` | {text} |\n")).collect();
    format!("| reason | meaning |\n|---|---|\n{rows}")
}

/// Puts what is generated where a page has its place.
pub fn replace(page: &str, name: &str, table: &str) -> String {
    let begin = format!("<!-- generated: {name} -->\n");
    let at = page.find(&begin).unwrap_or_else(|| panic!("no place for {name}")) + begin.len();
    let end = at + page[at..].find("<!-- end -->").expect("its end");
    format!("{}{table}{}", &page[..at], &page[end..])
}

/// The vectors of a group.
fn vectors(group: Group) -> String {
    let check = Malformed::default();
    let row = |vector: &Vector| {
        let (bytes, right) = (vector.shot.bytes(check.limit()), list(vector.expected));
        let Vector { name, class, summary, source, .. } = vector;
        // JSON is shown as it stands; nothing in it ends a cell.
        let summary = if summary.starts_with('{') { format!("`{summary}`") } else { (*summary).to_owned() };
        format!("| `{name}` | {} | {bytes} | {summary} | {right} | {source} |\n", class.label())
    };
    let rows: String = group.vectors().iter().map(row).collect();
    format!(
        "## {}\n\n| vector | class | bytes | sends | right | source |\n|---|---|---|---|---|---|\n{rows}\n",
        group.label()
    )
}

/// What the testsuite of Autobahn takes for right, where that is something else.
fn autobahn() -> String {
    let rows: String = Vector::all()
        .filter_map(|vector| Some(format!("| `{}` | {} |\n", vector.name, vector.autobahn?)))
        .collect();
    match rows.as_str() {
        "" => String::new(),
        rows => format!(
            "## Where the Autobahn testsuite expects something else\n\n| vector | expects |\n|---|---|\n{rows}"
        ),
    }
}

#[test]
fn the_page_on_vectors_lists_them_all() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/vectors.md");
    let page = fs::read_to_string(&path).expect("docs/vectors.md");
    let tables: String = Group::ALL.iter().map(|group| vectors(*group)).chain([autobahn()]).collect();
    let fresh = replace(&page, "vectors", &format!("\n{}\n", tables.trim_end()));
    if fresh != page {
        fs::write(&path, fresh).expect("written");
        panic!("docs/vectors.md was stale; it is fresh now, commit it");
    }
}

/// Writes the page anew where it is stale, and fails all the same: look at the change and commit it.
#[test]
fn the_page_on_checks_lists_every_reason() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let page = fs::read_to_string(&path).expect("docs/checks.md");
    let mut fresh = page.clone();
    fresh = replace(&fresh, "failures", &table(Failure::ALL.iter().map(|r| (r.reason(), r.explain()))));
    fresh = replace(&fresh, "causes", &table(Cause::ALL.iter().map(|r| (r.reason(), r.explain()))));
    fresh = replace(&fresh, "whys", &table(Why::ALL.iter().map(|r| (r.reason(), r.explain()))));
    if fresh != page {
        fs::write(&path, fresh).expect("written");
        panic!("docs/checks.md was stale; it is fresh now, commit it");
    }
}

/// What each check costs a target with the dialect `json`, by `gateprobe config show --cost`.
fn costs() -> String {
    let row = |kind: &&str| {
        let plan = crate::support::plan(&format!(
            "targets: {{ chat: {{ url: 'wss://gateway.test/', dialect: json, auth: {{ token: {{ env: TOKEN }} }}, \
             checks: {{ {kind}: {{}} }} }} }}"
        ));
        let job = plan.jobs.first().expect("a job");
        let cost = gateprobe::config::costs(&plan).remove(0);
        let CostRow { runs, connections, messages, bytes, .. } = cost;
        let mebibytes = bytes as f64 / (1024.0 * 1024.0);
        let (each, once) = (job.check.interval(), job.check.cost().concurrent);
        format!("| `{kind}` | {each} | {once} | {runs} | {connections} | {messages} | {mebibytes:.1} MiB |\n")
    };
    let rows: String = CheckSpec::KINDS.iter().map(row).collect();
    format!(
        "| check | each | connections at once | runs a day | connections a day | messages a day | bytes a day |\n\
         |---|---|--:|--:|--:|--:|--:|\n{rows}"
    )
}

#[test]
fn the_page_on_checks_says_what_each_costs() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let page = fs::read_to_string(&path).expect("docs/checks.md");
    let fresh = replace(&page, "costs", &costs());
    if fresh != page {
        fs::write(&path, fresh).expect("written");
        panic!("docs/checks.md was stale; it is fresh now, commit it");
    }
}
