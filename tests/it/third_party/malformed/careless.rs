//! The same servers with a handler that lets the exception of its JSON parser go.

use super::{reactions, run};
use crate::support::program::Program;
use crate::support::words;

const OPTIONS: [&str; 2] = ["--json", "raise"];
const SETTINGS: &str = "groups: [application], caution: true, every: 10ms";

/// What is no JSON at all, or no object; the parser in Python gives up on 1000 lists inside each other.
const RAISING: [&str; 12] = [
    "json_cut_after_colon",
    "json_no_closing_brace",
    "json_trailing_characters",
    "json_trailing_comma",
    "json_unquoted_key",
    "json_missing_value",
    "json_undefined",
    "json_unterminated_array",
    "json_bare_words",
    "empty",
    "null_bytes",
    "nesting_1000",
];

/// `asyncio/server.py`, `Server.conn_handler`: an exception of the handler is answered by 1011.
#[test]
fn python_websockets_says_1011_for_a_handler_that_raises() {
    raises("python_websockets.py", "fail malformed_error", ("close_1011", "error"));
}

/// `web_protocol.py`, `RequestHandler.start`: an exception of the handler is logged, and the transport closed.
#[test]
fn python_aiohttp_drops_the_connection_of_a_handler_that_raises() {
    raises("python_aiohttp.py", "fail malformed_reaction", ("rejected_unclean", "wrong"));
}

fn raises(script: &str, outcome: &str, expected: (&str, &str)) {
    let gateway = Program::python(script, &OPTIONS);
    let report = run(&gateway, SETTINGS);
    assert_eq!(words(&report), outcome, "{}", report.detail);
    for (vector, (reaction, verdict)) in reactions(&report) {
        let seen = (reaction.as_str(), verdict.as_str());
        if RAISING.contains(&vector.as_str()) {
            assert_eq!(seen, expected, "{vector}: {}", report.detail);
            assert!(report.detail.contains(&vector), "{vector}: {}", report.detail);
        } else if verdict != "not_judged" {
            assert_eq!(verdict, "ok", "{vector}: {}", report.detail);
        }
    }
}

/// Node.js: an exception that nobody catches ends the process, and everyone's connection with it.
#[test]
fn node_ws_ends_with_a_handler_that_throws() {
    let gateway = Program::node("node_ws.mjs", &OPTIONS);
    let report = run(&gateway, SETTINGS);
    assert_eq!(words(&report), "fail malformed_crash", "{}", report.detail);
    let seen = reactions(&report);
    let first = ("crash".to_owned(), "crash".to_owned());
    assert_eq!(seen.get("json_cut_after_colon"), Some(&first), "{}", report.detail);
    assert!(report.detail.contains("json_cut_after_colon"), "{}", report.detail);
}
