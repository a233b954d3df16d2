//! The page on vectors shows what the servers do.

use std::fmt::Write as _;
use std::fs;

use gateprobe::checks::malformed::Vector;

use super::promises::{Promise, Server};
use super::{aiohttp, nginx, websockets, ws};
use crate::support::program::project;

/// In the order of the page.
pub static COLUMNS: [&Server; 5] =
    [&websockets::WEBSOCKETS, &aiohttp::AIOHTTP, &ws::WS, &nginx::NGINX_WEBSOCKETS, &nginx::NGINX_WS];

const PAGE: &str = "docs/vectors.md";
const BEGIN: &str = "<!-- generated: servers -->\n";
const END: &str = "<!-- end -->";

/// Writes the page anew where it is stale, and fails all the same: look at the change and commit it.
#[test]
fn the_page_on_vectors_shows_what_servers_do() {
    let page = fs::read_to_string(project(PAGE)).expect(PAGE);
    let at = page.find(BEGIN).expect("a place for the table") + BEGIN.len();
    let end = at + page[at..].find(END).expect("its end");
    let fresh = format!("{}{}{}", &page[..at], table(), &page[end..]);
    if fresh != page {
        fs::write(project(PAGE), fresh).expect("written");
        panic!("{PAGE} was stale; it is fresh now, commit it");
    }
}

fn table() -> String {
    let promises = COLUMNS.map(Server::by_vector);
    let mut table = "| vector |".to_owned();
    COLUMNS.iter().for_each(|server| _ = write!(table, " {} |", server.name));
    let _ = write!(table, "\n|---|{}\n", "---|".repeat(COLUMNS.len()));
    for vector in Vector::all().map(|vector| vector.name) {
        if promises.iter().any(|by_vector| by_vector.get(vector).is_some_and(|p| p.verdict == "not_judged")) {
            continue;
        }
        let _ = write!(table, "| `{vector}` |");
        for by_vector in &promises {
            let _ = write!(table, " {} |", by_vector.get(vector).map_or_else(String::new, |p| cell(p)));
        }
        table.push('\n');
    }
    table
}

fn cell(promise: &Promise) -> String {
    let reactions: Vec<String> = promise.reactions.iter().map(|reaction| format!("`{reaction}`")).collect();
    let reactions = reactions.join(" or ");
    if promise.verdict == "ok" { reactions } else { format!("**{reactions}**") }
}
