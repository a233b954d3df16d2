//! The same servers with a heartbeat, and a client that asks for much and reads nothing.

use super::{reactions, run_in};
use crate::support::program::Program;
use crate::support::{folder, words, write};

const SETTINGS: &str = "vectors: [reader_slow], caution: true";

/// `asyncio/connection.py`, `Connection.keepalive`: Close 1011 where a ping is not answered in time.
#[test]
fn python_websockets_says_1011_to_a_client_that_does_not_read() {
    let options = ["--json", "reply", "--ping-interval", "0.8", "--ping-timeout", "1.2"];
    ends("python_websockets.py", &options, ("800ms", "1200ms"), "close_1011");
}

/// `web_ws.py`, `WebSocketResponse._pong_not_received`: the transport is closed, without a Close.
#[test]
fn python_aiohttp_drops_a_client_that_does_not_read() {
    ends("python_aiohttp.py", &["--json", "reply", "--heartbeat", "2"], ("2s", "1s"), "rejected_unclean");
}

/// The README's heartbeat: `terminate`, which destroys the socket.
#[test]
fn node_ws_with_its_readmes_heartbeat_drops_a_client_that_does_not_read() {
    let options = ["--json", "reply", "--heartbeat", "1.2"];
    ends("node_ws.mjs", &options, ("1200ms", "1200ms"), "rejected_unclean");
}

/// `promise`: how often the server pings, and how long it waits for the pong.
fn ends(script: &str, options: &[&str], promise: (&str, &str), reaction: &str) {
    let (pings, window) = promise;
    let dialect = format!(
        "{{ dialect: 1, name: beating, \
            heartbeat: {{ pings: {{ interval: {pings} }} }}, \
            zombie: {{ origin: unanswered_beat, window: {window} }}, \
            echo: {{ send: {{ json: {{ type: echo, id: '${{nonce}}', payload: '${{payload}}' }} }}, \
                     answer: {{ json: {{ type: echo, id: '${{nonce}}' }} }} }} }}"
    );
    let folder = folder();
    let dialect = write(folder.path(), "beating.yaml", dialect);
    let gateway = Program::gateway(script, options);
    let report = run_in(&dialect.display().to_string(), &gateway, SETTINGS);
    assert_eq!(words(&report), "pass", "{}", report.detail);
    let expected = (reaction.to_owned(), "ok".to_owned());
    assert_eq!(reactions(&report).get("reader_slow"), Some(&expected), "{}", report.detail);
}
