//! The page on vectors shows what the servers do.

use std::fs;

use gateprobe::checks::malformed::Vector;

use super::promises::{Promise, Server};
use super::{aiohttp, nginx, websockets, ws};
use crate::support::program::project;

/// In the order of the page.
pub static COLUMNS: [&Server; 5] =
    [&websockets::WEBSOCKETS, &aiohttp::AIOHTTP, &ws::WS, &nginx::NGINX_WEBSOCKETS, &nginx::NGINX_WS];

const PAGE: &str = "docs/vectors.md";

/// Writes the page anew where it is stale, and fails all the same: look at the change and commit it.
#[test]
fn the_page_on_vectors_shows_what_servers_do() {
    let page = fs::read_to_string(project(PAGE)).expect(PAGE);
    let fresh = replace(&page, "servers", &servers());
    if fresh != page {
        fs::write(project(PAGE), fresh).expect("written");
        panic!("{PAGE} was stale; it is fresh now, commit it");
    }
}

fn replace(page: &str, name: &str, table: &str) -> String {
    let begin = format!("<!-- generated: {name} -->\n");
    let at = page.find(&begin).unwrap_or_else(|| panic!("no place for {name}")) + begin.len();
    let end = at + page[at..].find("<!-- end -->").expect("its end");
    format!("{}{table}{}", &page[..at], &page[end..])
}

fn servers() -> String {
    let head: Vec<String> = COLUMNS.iter().map(|server| server.name.to_owned()).collect();
    let promises = COLUMNS.map(Server::by_vector);
    let asked = Vector::all().filter_map(|vector| {
        let promises = promises.iter().map(|by_vector| by_vector.get(vector.name).copied());
        let promises: Vec<&Promise> = promises.collect::<Option<_>>()?;
        let asked = promises.iter().all(|promise| promise.verdict != "not_judged");
        asked.then(|| (vector.name, promises.into_iter().map(cell).collect()))
    });
    table(&head, asked)
}

/// Vectors that follow each other, and have the same cells, share a row.
fn table(head: &[String], rows: impl Iterator<Item = (&'static str, Vec<String>)>) -> String {
    let mut shared: Vec<(String, Vec<String>)> = Vec::new();
    for (vector, cells) in rows {
        match shared.last_mut().filter(|(_, last)| *last == cells) {
            Some((vectors, _)) => *vectors += &format!(", `{vector}`"),
            None => shared.push((format!("`{vector}`"), cells)),
        }
    }
    let rows = shared.iter().map(|(vectors, cells)| format!("| {vectors} | {} |\n", cells.join(" | ")));
    let head = format!("| vector | {} |\n|---|{}\n", head.join(" | "), "---|".repeat(head.len()));
    head + &rows.collect::<String>()
}

fn cell(promise: &Promise) -> String {
    let reactions: Vec<String> = promise.reactions.iter().map(|reaction| format!("`{reaction}`")).collect();
    let reactions = reactions.join(" or ");
    if promise.verdict == "ok" { reactions } else { format!("**{reactions}**") }
}
