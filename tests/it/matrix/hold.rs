//! Faults that held connections meet, and those that do not concern them.

use std::time::Duration;

use futures_util::StreamExt;
use gateprobe::checks::CheckSpec;
use gateprobe::checks::hold::Assertion;
use gateprobe::gateway::{self, Handle, Settings};
use gateprobe::model::RunReport;

use crate::support::session::AMPLE;
use crate::support::{Bench, words};

/// One fault, and what `hold` says of it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The fault as `gateprobe gateway --fault` takes it; a second one stands behind a space.
    pub fault: &'static str,
    /// Settings of the check beside the table's own.
    settings: &'static str,
    /// The fault is there before the connections are.
    from_the_start: bool,
    /// The outcome and its reason.
    pub expected: &'static str,
    /// The assertion that finds it.
    assertion: Option<Assertion>,
}

/// A fault that comes while the connections are held.
const fn held(fault: &'static str, expected: &'static str, assertion: Option<Assertion>) -> Row {
    Row { fault, settings: "", from_the_start: false, expected, assertion }
}

/// A fault that is met by each new connection.
const fn new(fault: &'static str, expected: &'static str, assertion: Option<Assertion>) -> Row {
    Row { fault, settings: "", from_the_start: true, expected, assertion }
}

impl Row {
    /// For docs/detection.md.
    pub fn with(&self) -> [&'static str; 2] {
        [if self.from_the_start { "from the start" } else { "" }, self.settings]
    }

    const fn set_to(self, settings: &'static str) -> Self {
        Self { settings, ..self }
    }
}

/// Each assertion has a row that it alone turns red.
pub const ROWS: &[Row] = &[
    held("session_closed_after=300ms", "fail session_closed", Some(Assertion::NotClosed)),
    new("close_after_upgrade=1011", "fail session_closed", Some(Assertion::NotClosed)),
    new("close_after_upgrade=1013", "fail unavailable", Some(Assertion::NotClosed)),
    new("close_after_upgrade=1001", "inconclusive restarting", None),
    new("cut_after_upgrade", "fail connection_cut", Some(Assertion::NotCut)),
    new("reset_after_upgrade", "fail connection_reset", Some(Assertion::NotReset)),
    held("masked_frame", "fail protocol_violation", Some(Assertion::NotClosed)),
    held("pong_dropped=1", "fail pong_lost", Some(Assertion::PongComes)),
    held("pong_wrong_payload", "fail pong_lost", Some(Assertion::PongComes)),
    new("silent_after_upgrade", "fail pong_lost", Some(Assertion::PongComes)),
    held("pong_delay=2400ms", "fail pong_lost", Some(Assertion::PongComes)),
    held("pong_delay=1600ms", "pass", None),
    // The end itself is the gateway's right here; not to let anybody in again is not.
    held(
        "session_closed_after=500ms upgrade_status=503",
        "fail reconnect_failed",
        Some(Assertion::ComesBack),
    )
    .set_to("lifetime: 1ms"),
    // Who was never let in is for `handshake` to count.
    new("upgrade_status=503", "inconclusive precondition", None),
    new("upgrade_status=429", "inconclusive throttled", None),
    // Held connections know nothing of these.
    held("upgrade_status=503", "pass", None),
    held("pong_duplicated", "pass", None),
    held("pings_missing", "pass", None),
    held("pings_drift=180ms", "pass", None),
    held("zombies_kept", "pass", None),
    held("zombies_early=480ms", "pass", None),
    held("zombies_half_closed", "pass", None),
    held("healthy_evicted", "pass", None),
    held("recovered_evicted", "pass", None),
    held("close_unanswered", "pass", None),
];

/// 20 % beyond the time-out of a pong is red, 20 % inside is green.
const HOLD: &str = "connections: 2, watch: 3s, every: 200ms, pong_timeout: 2s, back_within: 2s";

/// A gateway and a target for each row.
pub struct Table {
    rows: Vec<Row>,
    gateways: Vec<Handle>,
    bench: Bench,
}

impl Table {
    /// The rows, each with a healthy gateway.
    pub async fn set(rows: Vec<Row>) -> Self {
        // A busy machine is not what this is about.
        let mut yaml = "lag_bound: 10s\ntargets:\n".to_owned();
        let mut gateways = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let settings = Settings {
                heartbeat_interval: Some(Duration::from_millis(600)),
                heartbeat_timeout: Duration::from_secs(3),
                ..Settings::default()
            };
            let gateway = gateway::start(settings).await.expect("a gateway");
            let more = if row.settings.is_empty() { String::new() } else { format!(", {}", row.settings) };
            let check = format!("hold: {{ {HOLD}{more} }}");
            yaml +=
                &format!("  row-{index}: {{ url: '{}', {AMPLE}, checks: {{ {check} }} }}\n", gateway.url());
            gateways.push(gateway);
        }
        Self { rows, gateways, bench: Bench::new(&yaml) }
    }

    /// What `hold` says of each row's fault, in the order of the rows.
    pub async fn met(&self) -> Vec<RunReport> {
        let runs = self.rows.iter().enumerate().map(|(index, row)| async move {
            let begun = if row.from_the_start { "pass".to_owned() } else { words(&self.run(index).await) };
            for fault in row.fault.split(' ') {
                self.gateways[index].set_fault(fault.parse().expect("a fault")).expect("shows");
            }
            assert_eq!(begun, "pass", "before {}", row.fault);
            (index, self.run(index).await)
        });
        let mut reports: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(8).collect().await;
        reports.sort_by_key(|(index, _)| *index);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    async fn run(&self, index: usize) -> RunReport {
        self.bench.run(&format!("row-{index}")).await.remove(0)
    }

    /// Runs until it passes again: a back-off may keep a connection away for a while.
    async fn heal(&self, index: usize) -> Option<String> {
        self.gateways[index].clear_all();
        let mut last = self.run(index).await;
        for _ in 0..5 {
            if words(&last) == "pass" {
                return None;
            }
            last = self.run(index).await;
        }
        Some(format!("after {}: {} ({})", self.rows[index].fault, words(&last), last.detail))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_held_connection_has_its_reason() {
    let table = Table::set(ROWS.to_vec()).await;
    let mut wrong = Vec::new();
    for (row, report) in ROWS.iter().zip(table.met().await) {
        if words(&report) != row.expected {
            let (said, detail) = (words(&report), &report.detail);
            wrong.push(format!("{}: {said} ({detail}), not {}", row.fault, row.expected));
        }
    }
    let healing = futures_util::future::join_all((0..ROWS.len()).map(|index| table.heal(index))).await;
    wrong.extend(healing.into_iter().flatten());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// With one assertion left out, its rows do not find their faults any more.
#[tokio::test(flavor = "multi_thread")]
async fn each_assertion_of_hold_is_needed() {
    let chosen: Vec<Row> = ROWS.iter().copied().filter(|row| row.assertion.is_some()).collect();
    for assertion in Assertion::ALL {
        assert!(chosen.iter().any(|row| row.assertion == Some(*assertion)), "no row for {assertion:?}");
    }
    let mut table = Table::set(chosen.clone()).await;
    table.bench.edit(|target, spec| {
        let index: usize = target.trim_start_matches("row-").parse().expect("a row");
        if let CheckSpec::Hold(check) = spec {
            check.without = chosen[index].assertion;
        }
    });
    for (row, report) in chosen.iter().zip(table.met().await) {
        assert_ne!(words(&report), row.expected, "{}: found without {:?}", row.fault, row.assertion);
    }
}
