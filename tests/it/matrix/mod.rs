//! The detection matrix: each fault turns exactly the right reason red, and the same gateway without the
//! fault is green.

mod detection;
mod flapping;
mod handshake;
mod heartbeat;
mod hold;
mod malformed;
mod network_switch;
mod session;
mod token_refresh;
mod zombie;

use std::fmt::Write as _;

use futures_util::StreamExt;
use gateprobe::gateway::{self, Fault, FaultKind, Handle, Settings, TlsSettings, Token};
use gateprobe::model::{Failure, RunReport};

use crate::support::{self, Bench, words};
pub use detection::finds;
use handshake::ROWS;

/// One fault, and what `handshake` must say of it.
struct Row {
    /// The fault as `gateprobe gateway --fault` takes it.
    fault: &'static str,
    /// What else the gateway is like: `tls`, `hello`, `token`, `subprotocol`, `origin`.
    gateway: &'static str,
    /// Settings of the check beside the table's own.
    check: &'static str,
    /// Settings of the target.
    target: &'static str,
    /// The outcome and its reason; `|` stands between two where the kernel decides.
    expected: &'static str,
}

const fn row(fault: &'static str, gateway: &'static str, expected: &'static str) -> Row {
    Row { fault, gateway, check: "", target: "", expected }
}

impl Row {
    const fn check(self, check: &'static str) -> Self {
        Self { check, ..self }
    }

    const fn target(self, target: &'static str) -> Self {
        Self { target, ..self }
    }
}

/// Faults that say something only beside another one.
const BESIDE_ANOTHER: &[FaultKind] = &[FaultKind::RetryAfter];

/// Faults that only a forged token shows: `malformed` finds them in a test of its own, with tokens that it mints.
const FORGED_TOKENS: &[FaultKind] =
    &[FaultKind::JwtExpiredAccepted, FaultKind::JwtUnsignedAccepted, FaultKind::JwtForgedAccepted];

const NO_TOKEN: &str = "expect: { no_token_refused: true, refusal_timeout: 200ms }";
const TOKEN: &str = "a-token-of-the-test";

fn settings(kind: &str) -> Settings {
    let mut settings = Settings::default();
    for word in kind.split_whitespace() {
        match word {
            "tls" => settings.tls = Some(TlsSettings::loopback()),
            "hello" => settings.hello = Some(r#"{"type":"welcome"}"#.to_owned()),
            "token" => settings.token = Token::new(TOKEN),
            "subprotocol" => settings.subprotocols = vec!["chat.v1".to_owned()],
            "origin" => settings.origins = vec!["https://app.example.com".to_owned()],
            other => panic!("no gateway is like {other:?}"),
        }
    }
    settings
}

/// The target of a row in YAML, with the files that it needs.
fn target(index: usize, row: &Row, gateway: &Handle, folder: &std::path::Path) -> String {
    let mut yaml = format!("  row-{index}:\n    url: {}\n", gateway.url());
    if let Some(pem) = gateway.ca_pem() {
        let ca = support::write(folder, &format!("ca-{index}.pem"), pem);
        writeln!(yaml, "    tls: {{ ca_file: {ca:?} }}").expect("a string");
    }
    if row.gateway.contains("token") {
        let token = support::write(folder, "token", TOKEN);
        writeln!(yaml, "    auth: {{ token: {{ file: {token:?} }} }}").expect("a string");
    }
    if row.gateway.contains("subprotocol") {
        yaml.push_str("    subprotocols: [chat.v1]\n");
    }
    if !row.target.is_empty() {
        writeln!(yaml, "    {}", row.target).expect("a string");
    }
    let common = "interval: 10s, timeout: 2s, close_timeout: 500ms";
    let more = if row.check.is_empty() { String::new() } else { format!(", {}", row.check) };
    writeln!(yaml, "    checks: {{ handshake: {{ {common}{more} }} }}").expect("a string");
    yaml
}

struct Table {
    gateways: Vec<Handle>,
    bench: Bench,
    _folder: tempfile::TempDir,
}

impl Table {
    async fn set() -> Self {
        let folder = support::folder();
        // A test machine may be busy: what is timed here has wide margins.
        let mut yaml = "lag_bound: 1s\ntargets:\n".to_owned();
        let mut gateways = Vec::new();
        for (index, row) in ROWS.iter().enumerate() {
            let gateway = gateway::start(settings(row.gateway)).await.expect("a gateway");
            yaml.push_str(&target(index, row, &gateway, folder.path()));
            gateways.push(gateway);
        }
        Self { gateways, bench: Bench::new(&yaml), _folder: folder }
    }

    /// Runs every row, some at a time; the reports in the order of the rows.
    async fn run(&self) -> Vec<RunReport> {
        let runs = (0..ROWS.len()).map(|index| async move {
            let mut reports = self.bench.run(&format!("row-{index}")).await;
            (index, reports.remove(0))
        });
        let mut reports: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(8).collect().await;
        reports.sort_by_key(|(index, _)| *index);
        reports.into_iter().map(|(_, report)| report).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_its_reason_and_the_healthy_gateway_none() {
    let table = Table::set().await;
    let mut wrong = Vec::new();
    for (row, report) in ROWS.iter().zip(table.run().await) {
        if words(&report) != "pass" {
            wrong.push(format!(
                "without {} ({}): {} ({})",
                row.fault,
                row.gateway,
                words(&report),
                report.detail
            ));
        }
    }
    for (row, gateway) in ROWS.iter().zip(&table.gateways) {
        let fault: Fault = row.fault.parse().expect("a fault");
        gateway.set_fault(fault).expect("a fault that shows");
    }
    for (row, report) in ROWS.iter().zip(table.run().await) {
        if !row.expected.split('|').any(|expected| words(&report) == expected) {
            let (said, detail) = (words(&report), &report.detail);
            wrong.push(format!("{} ({}): {said} ({detail}), not {}", row.fault, row.gateway, row.expected));
        }
        assert_ne!(report.outcome.reason(), Some(Failure::Unclassified.reason()), "{}", row.fault);
    }
    for gateway in &table.gateways {
        gateway.clear_all();
    }
    for (row, report) in ROWS.iter().zip(table.run().await) {
        if words(&report) != "pass" {
            wrong.push(format!(
                "after {} ({}): {} ({})",
                row.fault,
                row.gateway,
                words(&report),
                report.detail
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_fault_of_the_gateway_has_a_row() {
    let of_sessions = [heartbeat::ROWS, zombie::ROWS].concat();
    let of_malformed = malformed::ROWS.iter().map(|row| row.fault);
    let faults = ROWS.iter().map(|row| row.fault).chain(of_sessions.iter().map(|row| row.fault));
    // Memory is a process's own, and has a test of its own.
    let faults = faults.chain(flapping::ROWS.iter().map(|row| row.fault)).chain(["memory_leaked=1024"]);
    let faults = faults.chain(of_malformed);
    let faults = faults.chain(network_switch::ROWS.iter().map(|row| row.fault));
    let faults = faults.chain(token_refresh::ROWS.iter().map(|row| row.fault));
    let rows: Vec<FaultKind> = faults.map(|fault| fault.parse::<Fault>().expect("a fault").kind()).collect();
    let missing: Vec<&str> = FaultKind::ALL
        .iter()
        .filter(|kind| {
            !rows.contains(kind) && !BESIDE_ANOTHER.contains(kind) && !FORGED_TOKENS.contains(kind)
        })
        .map(|kind| kind.name())
        .collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[tokio::test]
async fn patience_that_is_asked_for_is_granted() {
    let gateway = gateway::start(Settings::default()).await.expect("a gateway");
    let yaml = format!("targets: {{ chat: {{ url: '{}' }} }}", gateway.url());
    let bench = Bench::new(&yaml);
    gateway.set_fault(Fault::UpgradeStatus(503)).expect("a fault");
    assert_eq!(words(&bench.run("chat").await[0]), "fail unavailable");
    gateway.set_fault("retry_after=30".parse().expect("a fault")).expect("a fault");
    assert_eq!(words(&bench.run("chat").await[0]), "inconclusive throttled");
}

#[tokio::test]
async fn a_foreign_origin_can_be_reported_without_failing() {
    let origins = vec!["https://app.example.com".to_owned()];
    let gateway = gateway::start(Settings { origins, ..Settings::default() }).await.expect("a gateway");
    gateway.set_fault(Fault::AnyOrigin).expect("a fault");
    let expect = "expect: { foreign_origin: report, refusal_timeout: 100ms }";
    let yaml = format!(
        "targets: {{ chat: {{ url: '{}', checks: {{ handshake: {{ {expect} }} }} }} }}",
        gateway.url()
    );
    let report = Bench::new(&yaml).run("chat").await.remove(0);
    assert_eq!(words(&report), "pass");
    let finding = report.samples.iter().find(|s| s.labels.iter().any(|l| l == "foreign_origin_accepted"));
    assert_eq!(finding.map(|sample| sample.value), Some(1.0), "the finding is exported");
}

#[tokio::test]
async fn critical_findings_are_seen_twice_before_they_count() {
    let settings = Settings { token: Token::new(TOKEN), ..Settings::default() };
    let gateway = gateway::start(settings).await.expect("a gateway");
    gateway.set_fault(Fault::NoAuth).expect("a fault");
    let folder = support::folder();
    let token = support::write(folder.path(), "token", TOKEN);
    let yaml = format!(
        "targets: {{ chat: {{ url: '{}', auth: {{ token: {{ file: {token:?} }} }}, \
         checks: {{ handshake: {{ {NO_TOKEN} }} }} }} }}",
        gateway.url()
    );
    let report = Bench::new(&yaml).run("chat").await.remove(0);
    assert_eq!(words(&report), "fail token_not_required");
    assert!(report.detail.ends_with("(token_not_required confirmed by a second run)"), "{}", report.detail);
}
