//! The reference gateway as a process of its own, whose log is the truth.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Stdio};

use serde::Deserialize;

use super::binary::{gateprobe, get, value};

/// A running `gateprobe gateway`; killed when dropped.
pub struct Reference {
    /// Where clients connect, as a URL.
    pub url: String,
    /// Its control API, as a URL.
    pub control: String,
    child: Child,
}

/// An entry of its log.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// Nanoseconds of CLOCK_MONOTONIC.
    pub monotonic_ns: u64,
    /// Counts connections from 1; none for what concerns the whole gateway.
    pub connection: Option<u64>,
    /// The client.
    pub peer: Option<SocketAddr>,
    /// What happened, as in `ping_sent`.
    pub event: String,
    /// The close code, where the event has one.
    pub code: Option<u16>,
}

impl Reference {
    /// Starts it with these options on free ports of loopback.
    pub fn start(options: &[&str]) -> Self {
        let mut command = gateprobe(&["gateway", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
        let mut child = command.args(options).stdout(Stdio::piped()).spawn().expect("runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // Before anything can fail: it kills the child then.
        let mut reference = Self { url: String::new(), control: String::new(), child };
        let mut told = |word: &str| {
            let line = lines.next().and_then(Result::ok).expect("a line");
            line.strip_prefix(word).unwrap_or_else(|| panic!("{line:?} instead of {word:?}")).to_owned()
        };
        reference.url = told("gateway ");
        reference.control = told("control ");
        reference
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        let address = self.url.trim_start_matches("ws://").trim_end_matches('/');
        address.parse().expect("an address")
    }

    /// What it has counted so far.
    pub fn count(&self, name: &str) -> u64 {
        let (status, text) = get(&format!("{}metrics", self.control));
        assert_eq!(status, 200, "{text}");
        let series = format!("gateprobe_gateway_{name}");
        value(&text, &series).unwrap_or_else(|| panic!("no {series} in {text}")) as u64
    }

    /// Switches a fault on, as `name` or `name=value`.
    pub fn switch_on(&self, fault: &str) {
        let (name, value) = fault.split_once('=').unwrap_or((fault, ""));
        let answer = ureq::put(format!("{}faults/{name}", self.control)).send(value);
        assert_eq!(answer.expect("an answer").status(), 204, "{fault}");
    }

    /// Switches every fault off.
    pub fn heal(&self) {
        let answer = ureq::delete(format!("{}faults", self.control)).call();
        assert_eq!(answer.expect("an answer").status(), 204);
    }

    /// The faults that are on, by name.
    pub fn faults(&self) -> Vec<String> {
        let (status, text) = get(&format!("{}faults", self.control));
        assert_eq!(status, 200, "{text}");
        let faults: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let active = faults["active"].as_array().expect("a list").iter();
        active.map(|fault| fault["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Its control API, as a URL that ends in a slash.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// All that it has written down so far.
    pub fn log(&self) -> Vec<Entry> {
        let (status, text) = get(&format!("{}log", self.control));
        assert_eq!(status, 200, "{text}");
        text.lines().map(|line| serde_json::from_str(line).expect("a log line")).collect()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What happened on the connections of a client with this address, one after another.
pub fn connections_from(log: &[Entry], address: IpAddr) -> Vec<Vec<&Entry>> {
    let mut connections = std::collections::BTreeMap::<u64, Vec<&Entry>>::new();
    for entry in log.iter().filter(|entry| entry.peer.is_some_and(|peer| peer.ip() == address)) {
        connections.entry(entry.connection.unwrap_or_default()).or_default().push(entry);
    }
    connections.into_values().collect()
}
