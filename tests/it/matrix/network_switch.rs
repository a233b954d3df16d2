//! Faults of streams and of sessions that outlive their connection.

use futures_util::StreamExt;
use gateprobe::checks::CheckSpec;
use gateprobe::checks::network_switch::Assertion;
use gateprobe::gateway::{self, Event, EventKind, Fault, Handle, Settings};
use gateprobe::model::{Cause, Outcome, RunReport};

use crate::support::session::AMPLE;
use crate::support::{Bench, words};

/// One fault of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The fault as `gateprobe gateway --fault` takes it.
    pub fault: &'static str,
    /// Settings of the check beside the table's own.
    pub settings: &'static str,
    /// The outcome and its reason.
    pub expected: &'static str,
    /// What the verdict's detail must tell.
    tells: &'static str,
    /// The assertion that finds it.
    assertion: Option<Assertion>,
}

const fn row(
    fault: &'static str,
    settings: &'static str,
    (expected, tells): (&'static str, &'static str),
    assertion: Option<Assertion>,
) -> Row {
    Row { fault, settings, expected, tells, assertion }
}

/// How long the gateway keeps a session.
const RETENTION: &str = "800ms";
const PASS: (&str, &str) = ("pass", "none lost");
const REFUSED: (&str, &str) = ("fail not_resumed", "switch 1: a new session after");
const LIE: (&str, &str) = ("fail falsely_resumed", "switch 1: resumed, it says, but none of the");

/// Each assertion has a row that it alone turns red; 20 % beyond a threshold is red, 20 % inside is green.
pub const ROWS: &[Row] = &[
    row(
        "messages_lost=10",
        "",
        ("fail messages_lost", "never delivered: 10, 20"),
        Some(Assertion::NothingLost),
    ),
    row(
        "messages_dropped=10",
        "",
        ("fail dialect_mismatch", "were neither acknowledged nor delivered: 10, 20"),
        Some(Assertion::Answered),
    ),
    row("messages_dropped=1", "", ("fail dialect_mismatch", "publish was not answered within 500ms"), None),
    row(
        "messages_duplicated=10",
        "",
        ("fail messages_duplicated", "came more than once: 10, 20"),
        Some(Assertion::NothingTwice),
    ),
    row(
        "messages_reordered=10",
        "",
        ("fail messages_reordered", "came after later ones: "),
        Some(Assertion::InOrder),
    ),
    row("resume_lies", "", LIE, Some(Assertion::TrulyResumed)),
    row("resume_lies", "leave: blackhole", LIE, None),
    row("resume_refused", "", REFUSED, Some(Assertion::Resumed)),
    row("resume_refused", "mode: make_before_break, leave: rst", REFUSED, None),
    // Nobody promises anything: no accusation, and no pass.
    row("resume_refused", "retention: null", ("unsupported promise", "nobody promises"), None),
    row(
        "resume_delay=600ms",
        "thresholds: { resume: 500ms }",
        ("fail too_slow", "500ms are allowed"),
        Some(Assertion::Fast),
    ),
    row("resume_delay=400ms", "thresholds: { resume: 500ms }", PASS, None),
    // A session that is over and said to go on is a lie as well.
    row("resume_lies", "beyond_retention: true", LIE, None),
    row("resume_delay=10ms", "beyond_retention: true", ("pass", "ended with a session that was over"), None),
    row("resume_delay=10ms", "leave: rst, rapid: 3", PASS, None),
    row("resume_delay=10ms", "leave: blackhole, mode: make_before_break", PASS, None),
];

fn target(index: usize, row: &Row, gateway: &Handle) -> String {
    let retention = match row.settings.contains("retention: null") {
        true => String::new(),
        false => format!("retention: {RETENTION}, "),
    };
    let more = row.settings.replace("retention: null", "");
    let comma = if more.is_empty() { "" } else { ", " };
    format!(
        "  row-{index}:
    url: {}
    dialect: json
    {AMPLE}
    checks:
      handshake: {{ interval: 60s, timeout: 5s }}
      heartbeat: {{ pings: 5, every: 50ms }}
      network_switch: {{ {retention}messages: 10, every: 20ms, away: 150ms, settle: 500ms{comma}{more} }}
",
        gateway.url()
    )
}

pub struct Table {
    rows: Vec<Row>,
    gateways: Vec<Handle>,
    bench: Bench,
}

impl Table {
    pub async fn set(rows: Vec<Row>) -> Self {
        let mut yaml = "lag_bound: 150ms\ntargets:\n".to_owned();
        let mut gateways = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let session_retention = std::time::Duration::from_millis(800);
            let settings = Settings { json: true, session_retention, ..Settings::default() };
            let gateway = gateway::start(settings).await.expect("a gateway");
            yaml.push_str(&target(index, row, &gateway));
            gateways.push(gateway);
        }
        Self { rows, gateways, bench: Bench::new(&yaml) }
    }

    /// What was not as expected.
    async fn differing(&self, expects: fn(&Row) -> (&'static str, &'static str)) -> Vec<String> {
        let runs = self.rows.iter().enumerate().map(|(index, row)| async move {
            let target = format!("row-{index}");
            let mut wrong = Vec::new();
            for check in ["handshake", "heartbeat", "network_switch"] {
                let (expected, tells) = if check == "network_switch" { expects(row) } else { ("pass", "") };
                let fits = |report: &RunReport| words(report) == expected && report.detail.contains(tells);
                let report = self.settled(&target, check, fits).await;
                if !fits(&report) {
                    wrong.push(format!(
                        "{} [{}]: {check} {} ({}), not {expected} ({tells})",
                        row.fault,
                        row.settings,
                        words(&report),
                        report.detail
                    ));
                }
            }
            wrong
        });
        let wrong: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(6).collect().await;
        wrong.concat()
    }

    /// How long each row's run takes with its fault.
    pub async fn times(&self) -> Vec<std::time::Duration> {
        let runs = self.rows.iter().enumerate().map(async |(index, row)| {
            let fits = |report: &RunReport| words(report) == row.expected;
            (index, self.settled(&format!("row-{index}"), "network_switch", fits).await.duration)
        });
        let mut times: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(4).collect().await;
        times.sort_unstable();
        times.into_iter().map(|(_, time)| time).collect()
    }

    /// A busy machine is slow without being late; what is truly wrong is so three times.
    async fn settled(&self, target: &str, check: &str, fits: impl Fn(&RunReport) -> bool) -> RunReport {
        let mut tries = 0;
        loop {
            let report = self.bench.run_check(target, check).await.remove(0);
            let late = report.outcome == Outcome::Inconclusive(Cause::AgentLag);
            tries += if late { 1 } else { 2 };
            if fits(&report) || tries > 5 {
                return report;
            }
        }
    }

    pub fn switch_on(&self) {
        for (row, gateway) in self.rows.iter().zip(&self.gateways) {
            gateway.set_fault(row.fault.parse::<Fault>().expect("a fault")).expect("a fault that shows");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_stream_turns_network_switch_red_and_no_other() {
    let table = Table::set(ROWS.to_vec()).await;
    let healthy = |row: &Row| match row.settings.contains("retention: true") {
        true => ("pass", "ended with a session that was over"),
        false => PASS,
    };
    let mut wrong = table.differing(healthy).await;
    table.switch_on();
    wrong.extend(table.differing(|row| (row.expected, row.tells)).await);
    table.gateways.iter().for_each(Handle::clear_all);
    wrong.extend(table.differing(healthy).await);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_assertion_of_network_switch_is_needed() {
    let row = |wanted: &Assertion| ROWS.iter().copied().find(|row| row.assertion == Some(*wanted));
    let rows: Vec<Row> = Assertion::ALL.iter().map(|wanted| row(wanted).expect("a row")).collect();
    let mut table = Table::set(rows).await;
    table.bench.edit(|target, spec| {
        let index: usize = target.trim_start_matches("row-").parse().expect("a row");
        if let CheckSpec::NetworkSwitch(check) = spec {
            check.without = Some(Assertion::ALL[index]);
        }
    });
    table.switch_on();
    let blind = table.differing(|row| (row.expected, row.tells)).await;
    assert_eq!(blind.len(), Assertion::ALL.len(), "{blind:#?}");
}

/// Who never left would resume as well.
#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_sees_the_old_connection_go_as_the_config_says() {
    for (leave, seen) in [("fin", Some(false)), ("rst", Some(true)), ("blackhole", None)] {
        let gateway =
            gateway::start(Settings { json: true, ..Settings::default() }).await.expect("a gateway");
        let check = format!("messages: 10, every: 20ms, retention: 20s, leave: {leave}");
        let checks = format!("checks: {{ network_switch: {{ {check} }} }}");
        let target = format!("url: '{}', dialect: json, {AMPLE}, {checks}", gateway.url());
        let report = Bench::new(&format!("targets: {{ chat: {{ {target} }} }}")).run("chat").await.remove(0);
        assert_eq!(words(&report), "pass", "{leave}: {}", report.detail);
        let events = gateway.events(0);
        let resumed =
            |event: &&Event| matches!(event.kind, EventKind::SessionResumed { recovered: true, .. });
        let resumed = events.iter().find(resumed).expect("a session that goes on");
        // The first connection publishes, the second one listens.
        let of_listener = || events.iter().filter(|event| event.connection == Some(2));
        let gone = of_listener().find_map(|event| match event.kind {
            EventKind::PeerGone { reset } if event.seq < resumed.seq => Some(reset),
            _ => None,
        });
        assert_eq!(gone, seen, "{leave}: {events:#?}");
        let goodbye = |event: &Event| matches!(event.kind, EventKind::CloseReceived { .. });
        assert!(!of_listener().any(goodbye), "without a word: {events:#?}");
    }
}
