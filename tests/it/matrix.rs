//! The detection matrix: each fault turns exactly the right reason red, and the same gateway without the
//! fault is green.

use std::fmt::Write as _;

use futures_util::StreamExt;
use gateprobe::gateway::{self, Fault, FaultKind, Handle, Settings, TlsSettings, Token};
use gateprobe::model::{Failure, RunReport};

use crate::support::{self, Bench, words};

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

const SPEAKS_FIRST: &str = "first_message: { within: 700ms, kind: text, contains: welcome }";
const NO_TOKEN: &str = "expect: { no_token_refused: true, refusal_timeout: 200ms }";
const FOREIGN: &str = "expect: { foreign_origin: refused, refusal_timeout: 200ms }";
const PLAIN_GET: &str = "expect: { plain_get_refused: true, refusal_timeout: 500ms }";
const FOLLOWS: &str = "redirects: { max: 3 }";

/// Every fault that a handshake can meet.
const ROWS: &[Row] = &[
    // Accept.
    row("accept_silent", "", "fail upgrade_timeout"),
    row("accept_silent", "tls", "fail tls_timeout"),
    row("accept_close", "", "fail upgrade_closed"),
    row("accept_close", "tls", "fail tls_closed"),
    // A reset that comes at once may be there before connect() returns, or just after.
    row("accept_reset", "", "fail connect_reset|fail upgrade_reset"),
    row("accept_reset", "tls", "fail connect_reset|fail tls_closed"),
    row("refuse_every=1", "", "fail connect_reset|fail upgrade_reset"),
    row("accept_delay=5s", "", "fail upgrade_timeout"),
    // TLS.
    row("tls_silent", "tls", "fail tls_timeout"),
    row("tls_garbage", "tls", "fail tls_protocol"),
    row("tls_close", "tls", "fail tls_closed"),
    row("tls_expired", "tls", "fail tls_expired"),
    row("tls_not_yet_valid", "tls", "fail tls_not_yet_valid"),
    row("tls_wrong_name", "tls", "fail tls_wrong_name"),
    row("tls_self_signed", "tls", "fail tls_untrusted"),
    row("tls_expires_in=240h", "tls", "fail tls_expires_soon").check("certificate_min_validity: 12d"),
    row("tls_expires_in=360h", "tls", "pass").check("certificate_min_validity: 12d"),
    // Upgrade.
    row("upgrade_silent", "", "fail upgrade_timeout"),
    row("upgrade_delay=5s", "", "fail upgrade_timeout"),
    row("upgrade_delay=480ms", "", "fail too_slow").check("thresholds: { upgrade: 400ms }"),
    row("upgrade_delay=320ms", "", "pass").check("thresholds: { upgrade: 400ms }"),
    row("upgrade_drip=1s", "", "fail upgrade_timeout"),
    row("upgrade_header_bomb", "", "fail upgrade_header_too_large"),
    row("upgrade_garbage", "", "fail upgrade_malformed"),
    row("upgrade_cut", "", "fail upgrade_closed"),
    row("upgrade_reset", "", "fail upgrade_reset"),
    row("upgrade_status=200", "", "fail not_upgraded"),
    row("upgrade_status=301", "", "fail redirected"),
    row("upgrade_status=400", "", "fail rejected"),
    row("upgrade_status=401", "", "fail unauthorized"),
    row("upgrade_status=403", "", "fail unauthorized"),
    row("upgrade_status=404", "", "fail not_found"),
    row("upgrade_status=429", "", "inconclusive throttled"),
    row("upgrade_status=500", "", "fail server_error"),
    row("upgrade_status=502", "", "fail unavailable"),
    row("upgrade_status=503", "", "fail unavailable"),
    row("upgrade_status=504", "", "fail unavailable"),
    row("bad_accept", "", "fail bad_accept"),
    row("missing_accept", "", "fail bad_accept"),
    row("missing_upgrade_header", "", "fail bad_upgrade_headers"),
    row("missing_connection_header", "", "fail bad_upgrade_headers"),
    row("wrong_subprotocol", "subprotocol", "fail subprotocol_mismatch"),
    row("no_subprotocol", "subprotocol", "fail subprotocol_mismatch").check("require_subprotocol: true"),
    row("unsolicited_extension", "", "fail unsolicited_extension"),
    row("redirect=ws://127.0.0.1:1/", "", "fail redirected"),
    row("redirect=ftp://127.0.0.1/", "", "fail redirect_scheme").target(FOLLOWS),
    row("redirect=ws://127.0.0.1:1/", "tls", "fail redirect_scheme").target(FOLLOWS),
    row("redirect=ws://169.254.169.254/", "", "fail redirect_address").target(FOLLOWS),
    row("redirect_loop", "", "fail redirect_loop").target(FOLLOWS),
    row("bytes_after_upgrade", "hello", "pass").check(SPEAKS_FIRST),
    // After the 101.
    row("silent_after_upgrade", "", "fail close_unanswered"),
    row("silent_after_upgrade", "hello", "fail first_message_timeout").check(SPEAKS_FIRST),
    row("close_after_upgrade=1011", "", "fail closed_early"),
    row("close_after_upgrade=1000", "", "fail closed_early"),
    row("close_after_upgrade=1013", "", "fail unavailable"),
    row("cut_after_upgrade", "", "fail connection_cut"),
    row("reset_after_upgrade", "", "fail connection_reset"),
    row("hello_delay=5s", "hello", "fail first_message_timeout").check(SPEAKS_FIRST),
    row("no_hello", "hello", "fail first_message_timeout").check(SPEAKS_FIRST),
    row("wrong_hello", "hello", "fail first_message_mismatch").check(SPEAKS_FIRST),
    row("frame_drip=1s", "hello", "fail frame_stalled").check(SPEAKS_FIRST),
    row("frame_drip=1s", "", "fail frame_stalled"),
    row("masked_frame", "hello", "fail protocol_violation").check(SPEAKS_FIRST),
    row("close_unanswered", "", "fail close_unanswered"),
    row("close_delay=5s", "", "fail close_unanswered"),
    row("close_keeps_tcp", "", "pass"),
    // Doors that should be locked.
    row("no_auth", "token", "fail token_not_required").check(NO_TOKEN),
    row("any_origin", "origin", "fail origin_not_checked").check(FOREIGN),
    row("upgrade_plain_get", "", "fail plain_get_upgraded").check(PLAIN_GET),
];

/// Faults that say something only beside another one.
const BESIDE_ANOTHER: &[FaultKind] = &[FaultKind::RetryAfter];

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
    let rows: Vec<FaultKind> =
        ROWS.iter().map(|row| row.fault.parse::<Fault>().expect("a fault").kind()).collect();
    let missing: Vec<&str> = FaultKind::ALL
        .iter()
        .filter(|kind| !rows.contains(kind) && !BESIDE_ANOTHER.contains(kind))
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
