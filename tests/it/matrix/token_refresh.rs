//! Faults of tokens that are refreshed, or that expire, in a session.

use futures_util::StreamExt;
use gateprobe::auth::Algorithm;
use gateprobe::checks::CheckSpec;
use gateprobe::checks::token_refresh::Assertion;
use gateprobe::gateway::{self, Fault, Handle, JwtRules, Settings};
use gateprobe::model::{Cause, Outcome, RunReport};

use crate::support::session::{AMPLE, samples};
use crate::support::{Bench, folder, words, write};

/// One fault of tokens in a session.
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

/// What signs and verifies the tokens.
const SECRET: &str = "a secret of the test's own, which is long enough for HS256";
const PASS: (&str, &str) = ("pass", "refreshes accepted");
const LATE: (&str, &str) = ("fail refresh_disturbs", "late beside a refresh; 1s are allowed");
const SURVIVES: (&str, &str) = ("fail expired_session_survives", "and was served");
const CLOSED: (&str, &str) = ("pass", "a session that was not refreshed was closed");
const RENEW: &str = "cases: [renew], lifetime: 60s";
const STREAM: &str = "cases: [renew], lifetime: 60s, thresholds: { delivery: 1s }";
const ENFORCED: &str = "cases: [expiry], expiry_enforced: true";

const fn accepted(tells: &'static str) -> (&'static str, &'static str) {
    ("fail bad_token_accepted", tells)
}

/// Each assertion has a row that it alone turns red; 20 % beyond a threshold is red, 20 % inside is green.
pub const ROWS: &[Row] = &[
    row(
        "refresh_delay=600ms",
        "cases: [renew], lifetime: 60s, thresholds: { max: 500ms }",
        ("fail too_slow", "500ms are allowed"),
        Some(Assertion::Fast),
    ),
    row("refresh_delay=400ms", "cases: [renew], lifetime: 60s, thresholds: { max: 500ms }", PASS, None),
    row("refresh_delay=600ms", RENEW, ("fail too_slow", "on average; 500ms are allowed"), None),
    row(
        "refresh_ignored",
        "refresh_timeout: 500ms, thresholds: { mean: 500ms, max: 500ms }",
        ("fail refresh_unanswered", "renew: 1 of 1 refreshes were not answered within 500ms"),
        Some(Assertion::Answered),
    ),
    row("refresh_refused", "", ("fail refresh_refused", "renew: 2 of 2 refreshes were refused"), None),
    row(
        "refresh_refused_once",
        "",
        ("fail refresh_refused", "renew: 1 of 2 refreshes were refused, 1 accepted"),
        Some(Assertion::Accepted),
    ),
    row(
        "refresh_drops",
        "",
        ("fail session_dropped_by_refresh", "renew: the gateway closed with code 1011"),
        Some(Assertion::Kept),
    ),
    row(
        "refresh_not_applied",
        "",
        ("fail refresh_not_applied", "when the old one expired the gateway closed with code 4401"),
        Some(Assertion::Applied),
    ),
    row(
        "refresh_not_applied",
        "profile: light",
        ("fail refresh_not_applied", "when the old one expired the gateway closed with code 4401"),
        None,
    ),
    // Silence is neither a refusal nor an acceptance.
    row(
        "refresh_ignored",
        "cases: [bad_tokens], bad_tokens: [garbled, expired], refresh_timeout: 300ms, \
         thresholds: { mean: 300ms, max: 300ms }",
        ("unsupported promise", "0 of 2 bad tokens refused; 2 not answered"),
        None,
    ),
    row("refresh_takes=forged", "", accepted("a claim changed behind its signature"), None),
    row("refresh_takes=forged", "bad_tokens: [wrong_key]", accepted("signed with a wrong key"), None),
    row("refresh_takes=unsigned", "", accepted("a token of `alg: none`"), None),
    row("refresh_takes=expired", "", accepted("a token that had expired"), Some(Assertion::BadRefused)),
    row("refresh_takes=not_yet_valid", "", accepted("a token that was not valid yet"), None),
    row("refresh_takes=other_subject", "", accepted("another subject's token"), None),
    row("refresh_takes=other_audience", "", accepted("a token for another audience"), None),
    row("refresh_takes=replayed", "", accepted("a token that another session was refreshed by"), None),
    row("refresh_takes=replayed", "bad_tokens: [garbled, expired]", PASS, None),
    row("refresh_stalls_stream=1200ms", STREAM, LATE, None),
    row("refresh_stalls_stream=800ms", STREAM, PASS, None),
    row(
        "refresh_loses_messages=200ms",
        "",
        ("fail refresh_disturbs", "were never delivered: "),
        Some(Assertion::Undisturbed),
    ),
    row("expired_sessions_live", ENFORCED, SURVIVES, Some(Assertion::Expires)),
    // Nobody promises anything: no accusation.
    row("expired_sessions_live", "", ("pass", "which nobody rules out"), None),
    row("expiry_late=3600ms", "cases: [expiry], expiry_enforced: true, tolerance: 2s", SURVIVES, None),
    row("expiry_late=1600ms", "cases: [expiry], expiry_enforced: true, tolerance: 2s", CLOSED, None),
    row(
        "session_closed_after=2s",
        "cases: [expiry], lifetime: 20s",
        ("fail session_closed", "before its token's expiry: the gateway closed with code 1011"),
        Some(Assertion::NotClosed),
    ),
    row("clock_skew=90s", "expiry_enforced: true", PASS, None),
    row("clock_skew=90s", ENFORCED, CLOSED, None),
    // Who tells the time need not be who looks at tokens.
    row("date_skew=90s", ENFORCED, ("inconclusive budget", "but not by our clock"), None),
    row("date_skew=90s", "cases: [renew]", ("pass", "no session showed which one tokens go by"), None),
    // The token runs out before the time for an answer does.
    row(
        "refresh_ignored",
        "cases: [near_expiry], refresh_timeout: 2s",
        ("fail refresh_unanswered", "near_expiry: 1 of 1 refreshes were not answered"),
        None,
    ),
];

/// How a gateway with this fault would be if it were healthy.
fn healthy(row: &Row) -> (&'static str, &'static str) {
    match row.settings {
        settings if settings.contains("cases: [expiry]") => CLOSED,
        settings if settings.contains("cases: [bad_tokens]") => ("pass", "2 of 2 bad tokens refused"),
        _ => PASS,
    }
}

fn target(index: usize, row: &Row, gateway: &Handle, key: &std::path::Path) -> String {
    let own = |word: &str| row.settings.contains(word);
    let mut settings = String::new();
    for (word, usual) in
        [("profile:", "suite"), ("lifetime:", "4s"), ("tolerance:", "1s"), ("refresh_timeout:", "3s")]
    {
        if !own(word) {
            settings.push_str(&format!("{word} {usual}, "));
        }
    }
    format!(
        "  row-{index}:
    url: {}
    dialect: json
    {AMPLE}
    auth: {{ token: {{ mint: {{ algorithm: HS256, key_file: {key:?}, subject: gateprobe, audience: chat }} }} }}
    checks:
      handshake: {{ interval: 60s, timeout: 5s }}
      heartbeat: {{ pings: 5, every: 50ms }}
      token_refresh: {{ {settings}leeway: 0s, every: 30ms, {} }}
",
        gateway.url(),
        row.settings
    )
}

pub struct Table {
    rows: Vec<Row>,
    gateways: Vec<Handle>,
    bench: Bench,
    _folder: tempfile::TempDir,
}

impl Table {
    pub async fn set(rows: Vec<Row>) -> Self {
        let folder = folder();
        let key = write(folder.path(), "key", SECRET);
        let mut yaml = "lag_bound: 150ms\ntargets:\n".to_owned();
        let mut gateways = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let rules = JwtRules::read(Algorithm::HS256.into(), &key).expect("a key");
            let jwt = Some(rules.with_audience(Some("chat".into())));
            let settings = Settings { json: true, jwt, ..Settings::default() };
            let gateway = gateway::start(settings).await.expect("a gateway");
            yaml.push_str(&target(index, row, &gateway, &key));
            gateways.push(gateway);
        }
        Self { rows, gateways, bench: Bench::new(&yaml), _folder: folder }
    }

    /// What was not as expected.
    async fn differing(&self, expects: fn(&Row) -> (&'static str, &'static str)) -> Vec<String> {
        let runs = self.rows.iter().enumerate().map(|(index, row)| async move {
            let target = format!("row-{index}");
            let mut wrong = Vec::new();
            for check in ["handshake", "heartbeat", "token_refresh"] {
                let (expected, tells) = if check == "token_refresh" { expects(row) } else { ("pass", "") };
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
        let wrong: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(8).collect().await;
        wrong.concat()
    }

    /// How long each row's run takes with its fault.
    pub async fn times(&self) -> Vec<std::time::Duration> {
        let runs = self.rows.iter().enumerate().map(async |(index, row)| {
            let fits = |report: &RunReport| words(report) == row.expected;
            (index, self.settled(&format!("row-{index}"), "token_refresh", fits).await.duration)
        });
        let mut times: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(4).collect().await;
        times.sort_unstable();
        times.into_iter().map(|(_, time)| time).collect()
    }

    /// What the machine disturbed is made again, and a busy one is slow without being late.
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
async fn each_fault_of_tokens_turns_token_refresh_red_and_no_other() {
    let table = Table::set(ROWS.to_vec()).await;
    let mut wrong = table.differing(healthy).await;
    table.switch_on();
    wrong.extend(table.differing(|row| (row.expected, row.tells)).await);
    table.gateways.iter().for_each(Handle::clear_all);
    wrong.extend(table.differing(healthy).await);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_assertion_of_token_refresh_is_needed() {
    let row = |wanted: &Assertion| ROWS.iter().copied().find(|row| row.assertion == Some(*wanted));
    let rows: Vec<Row> = Assertion::ALL.iter().map(|wanted| row(wanted).expect("a row")).collect();
    let mut table = Table::set(rows).await;
    table.bench.edit(|target, spec| {
        let index: usize = target.trim_start_matches("row-").parse().expect("a row");
        if let CheckSpec::TokenRefresh(check) = spec {
            check.without = Some(Assertion::ALL[index]);
        }
    });
    table.switch_on();
    let blind = table.differing(|row| (row.expected, row.tells)).await;
    assert_eq!(blind.len(), Assertion::ALL.len(), "{blind:#?}");
}

/// What nobody promises is told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_outlives_its_token_is_a_finding_where_nobody_promises_otherwise() {
    let row = row("expired_sessions_live", "cases: [expiry]", ("pass", ""), None);
    let table = Table::set(vec![row]).await;
    let finding = async || {
        let report = table.bench.run_check("row-0", "token_refresh").await.remove(0);
        assert_eq!(words(&report), "pass", "{}", report.detail);
        samples(&report, "gateprobe_last_finding", &["expired_session_survives"])
    };
    assert_eq!(finding().await, [0.0]);
    table.switch_on();
    assert_eq!(finding().await, [1.0]);
}
