//! The matrix of an open session: each fault turns exactly the check and the reason meant for it red, and each
//! assertion is needed.

use futures_util::StreamExt;
use gateprobe::checks::{CheckSpec, heartbeat, zombie};
use gateprobe::gateway::{self, ApplicationHeartbeat, Fault, Handle, Settings};
use gateprobe::model::{Cause, Failure, Outcome, RunReport, Span};

use crate::support::{Bench, words};

/// One fault of an open session.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The fault as `gateprobe gateway --fault` takes it.
    pub fault: &'static str,
    /// The check that must find it.
    check: &'static str,
    /// Settings of that check beside the table's own.
    settings: &'static str,
    /// What else the gateway is like.
    gateway: &'static str,
    /// The outcome and its reason.
    expected: &'static str,
    /// What the other check of the session says, where the fault truly concerns it too; `|` stands between two.
    also: &'static str,
    /// The assertion that finds it.
    assertion: Option<Assertion>,
}

/// An assertion of either check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assertion {
    Heartbeat(heartbeat::Assertion),
    Zombie(zombie::Assertion),
}

/// A row of `heartbeat`.
pub const fn heartbeat(
    fault: &'static str,
    settings: &'static str,
    expected: &'static str,
    assertion: Option<heartbeat::Assertion>,
) -> Row {
    let assertion = match assertion {
        Some(assertion) => Some(Assertion::Heartbeat(assertion)),
        None => None,
    };
    Row { fault, check: "heartbeat", settings, gateway: "", expected, also: "pass", assertion }
}

/// A row of `zombie`.
pub const fn zombie(
    fault: &'static str,
    settings: &'static str,
    expected: &'static str,
    assertion: Option<zombie::Assertion>,
) -> Row {
    let assertion = match assertion {
        Some(assertion) => Some(Assertion::Zombie(assertion)),
        None => None,
    };
    Row { fault, check: "zombie", settings, gateway: "", expected, also: "pass", assertion }
}

impl Row {
    pub const fn also(self, also: &'static str) -> Self {
        Self { also, ..self }
    }

    pub const fn gateway(self, gateway: &'static str) -> Self {
        Self { gateway, ..self }
    }

    /// For docs/detection.md: the check that the row is about, what it says, and with which gateway and settings.
    pub fn told(&self) -> (&'static str, &'static str, [&'static str; 2]) {
        (self.check, self.expected, [self.gateway, self.settings])
    }

    fn expects(&self, check: &str) -> &'static str {
        match check {
            "handshake" => "pass",
            check if check == self.check => self.expected,
            _ => self.also,
        }
    }
}

/// The rows of every check of a session.
pub fn rows() -> Vec<Row> {
    [super::heartbeat::ROWS, super::zombie::ROWS].concat()
}

fn gateway_like(words: &str) -> Settings {
    let mut settings = Settings {
        heartbeat_interval: Some(ms(600)),
        heartbeat_timeout: ms(1_200),
        close_timeout: ms(300),
        ..Settings::default()
    };
    for word in words.split_whitespace() {
        match word {
            // Three slow answers in a row must fit into what is left of the time-out.
            "patient" => settings.heartbeat_timeout = ms(3_000),
            "application" => {
                let (interval, timeout) = (ms(600), ms(1_200));
                settings.heartbeat_interval = None;
                settings.application_heartbeat = Some(ApplicationHeartbeat { interval, timeout });
            }
            "idle" => {
                settings.heartbeat_interval = None;
                settings.idle_timeout = Some(ms(1_200));
            }
            other => panic!("no gateway is like {other:?}"),
        }
    }
    settings
}

const fn ms(millis: u64) -> std::time::Duration {
    std::time::Duration::from_millis(millis)
}

/// The target of a row in YAML: its promises are those of the gateway's settings.
fn target(index: usize, row: &Row, gateway: &Handle) -> String {
    let more = |check: &str| match row.check == check && !row.settings.is_empty() {
        true => format!(", {}", row.settings),
        false => String::new(),
    };
    let every = if row.settings.contains("every:") { "" } else { ", every: 100ms" };
    let settings = gateway_like(row.gateway);
    let (dialect, server, origin, latest) = match (settings.application_heartbeat, settings.idle_timeout) {
        (Some(beat), _) => ("json", "beats: 600ms", "unanswered_beat", beat.timeout),
        (None, Some(idle)) => ("json", "count: 1", "last_client_data", idle),
        (None, None) => ("websocket", "pings: 600ms", "unanswered_beat", settings.heartbeat_timeout),
    };
    let latest = Span::from(latest);
    let window = format!("{{ origin: {origin}, earliest: {latest}, latest: {latest} }}");
    let (heartbeat, zombie) = (more("heartbeat"), more("zombie"));
    format!(
        "  row-{index}:
    url: {}
    dialect: {dialect}
    budget: {{ connections_per_second: 100, messages_per_second: 1000 }}
    checks:
      handshake: {{ interval: 60s, timeout: 5s }}
      heartbeat: {{ pings: 5, pong_timeout: 500ms, \
         server: {{ {server}, tolerance: 300ms }}{every}{heartbeat} }}
      zombie: {{ window: {window}, beat_within: 600ms, tolerance: 400ms, close_timeout: 700ms, \
         pong_timeout: 3s{zombie} }}
",
        gateway.url()
    )
}

/// A gateway and a target for each row.
pub struct Table {
    rows: Vec<Row>,
    gateways: Vec<Handle>,
    bench: Bench,
}

impl Table {
    /// The rows, each with a healthy gateway.
    pub async fn set(rows: Vec<Row>) -> Self {
        let mut yaml = "lag_bound: 150ms\ntargets:\n".to_owned();
        let mut gateways = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let gateway = gateway::start(gateway_like(row.gateway)).await.expect("a gateway");
            yaml.push_str(&target(index, row, &gateway));
            gateways.push(gateway);
        }
        Self { rows, gateways, bench: Bench::new(&yaml) }
    }

    /// Runs the checks of every row one after another, some rows at a time; tells what was not as expected.
    async fn differing(&self, expects: fn(&Row, &str) -> &'static str) -> Vec<String> {
        let runs = self.rows.iter().enumerate().map(|(index, row)| async move {
            let mut reports = Vec::new();
            for check in ["handshake", "heartbeat", "zombie"] {
                let expected = expects(row, check);
                reports.push(self.settled(&format!("row-{index}"), check, expected).await);
            }
            (row, reports)
        });
        let reports: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(12).collect().await;
        let mut wrong = Vec::new();
        for (row, report) in reports.iter().flat_map(|(row, reports)| reports.iter().map(move |r| (row, r))) {
            let (said, check) = (words(report), report.job.check);
            let expected = expects(row, check);
            if !expected.split('|').any(|expected| said == expected) {
                let detail = &report.detail;
                wrong.push(format!(
                    "{} [{}]: {check} {said} ({detail}), not {expected}",
                    row.fault, row.settings
                ));
            }
            assert_ne!(report.outcome.reason(), Some(Failure::Unclassified.reason()), "{}", row.fault);
        }
        wrong
    }

    /// A busy machine is slow without being late; what is truly wrong is so three times.
    async fn settled(&self, target: &str, check: &str, expected: &str) -> RunReport {
        let mut report = self.undisturbed(target, check).await;
        for _ in 0..2 {
            if expected.split('|').any(|expected| words(&report) == expected) {
                break;
            }
            report = self.undisturbed(target, check).await;
        }
        report
    }

    /// A run that the machine itself disturbed says so, and is made again.
    async fn undisturbed(&self, target: &str, check: &str) -> RunReport {
        for _ in 0..5 {
            let report = self.bench.run_check(target, check).await.remove(0);
            if report.outcome != Outcome::Inconclusive(Cause::AgentLag) {
                return report;
            }
        }
        panic!("the machine is too busy to measure anything");
    }

    /// How long the check of each row took; in the order of the rows.
    pub async fn times(&self) -> Vec<std::time::Duration> {
        let runs = self.rows.iter().enumerate().map(|(index, row)| async move {
            (index, self.settled(&format!("row-{index}"), row.check, row.expected).await.duration)
        });
        let mut times: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(4).collect().await;
        times.sort_unstable();
        times.into_iter().map(|(_, time)| time).collect()
    }

    /// Switches each row's fault on.
    pub fn switch_on(&self) {
        for (row, gateway) in self.rows.iter().zip(&self.gateways) {
            let fault: Fault = row.fault.parse().expect("a fault");
            gateway.set_fault(fault).expect("a fault that shows");
        }
    }

    fn switch_off(&self) {
        self.gateways.iter().for_each(Handle::clear_all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_session_turns_its_check_red_and_no_other() {
    let table = Table::set(rows()).await;
    let mut wrong = table.differing(|_, _| "pass").await;
    table.switch_on();
    wrong.extend(table.differing(|row, check| row.expects(check)).await);
    table.switch_off();
    wrong.extend(table.differing(|_, _| "pass").await);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// With one assertion left out, the row that is meant for it does not find its fault any more.
#[tokio::test(flavor = "multi_thread")]
async fn each_assertion_is_needed() {
    let all_heartbeat = heartbeat::Assertion::ALL.iter().copied().map(Assertion::Heartbeat);
    let all_zombie = zombie::Assertion::ALL.iter().copied().map(Assertion::Zombie);
    let mut chosen = Vec::new();
    for assertion in all_heartbeat.chain(all_zombie) {
        let row = rows().into_iter().find(|row| row.assertion == Some(assertion));
        chosen.push(row.unwrap_or_else(|| panic!("no row for {assertion:?}")));
    }
    let mut table = Table::set(chosen).await;
    let assertions: Vec<_> = table.rows.iter().map(|row| row.assertion).collect();
    table.bench.edit(|target, spec| {
        let index: usize = target.trim_start_matches("row-").parse().expect("a row");
        match (spec, assertions[index]) {
            (CheckSpec::Heartbeat(check), Some(Assertion::Heartbeat(without))) => {
                check.without = Some(without)
            }
            (CheckSpec::Zombie(check), Some(Assertion::Zombie(without))) => check.without = Some(without),
            _ => {}
        }
    });
    table.switch_on();
    let blind = table.differing(|row, check| row.expects(check)).await;
    let unseen = |row: &&Row| {
        let prefix = format!("{} [{}]: {} ", row.fault, row.settings, row.check);
        !blind.iter().any(|wrong| wrong.starts_with(&prefix))
    };
    let not_needed: Vec<&Row> = table.rows.iter().filter(unseen).collect();
    assert!(not_needed.is_empty(), "found without their assertion: {not_needed:#?}");
}
