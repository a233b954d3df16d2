//! Faults on malformed input: each turns `malformed` red with the reason meant for it, names the vectors that it
//! concerns and no others, and leaves the other checks green.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use gateprobe::checks::CheckSpec;
use gateprobe::checks::malformed::Assertion;
use gateprobe::gateway::{self, Fault, Handle, Settings, Token};
use gateprobe::model::{Cause, Failure, Outcome, RunReport};

use super::TOKEN;
use crate::support::{self, Bench, words};

/// One fault on malformed input.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The fault as `gateprobe gateway --fault` takes it.
    pub fault: &'static str,
    /// Which vectors are sent.
    pub sent: &'static str,
    /// The outcome and its reason.
    pub expected: &'static str,
    /// The vectors that must be named, and no others.
    named: Named,
    /// The assertion that finds it.
    assertion: Option<Assertion>,
}

/// Which vectors a run must name.
#[derive(Debug, Clone, Copy)]
enum Named {
    /// All that are sent.
    All,
    /// All but these.
    But(&'static [&'static str]),
    /// These.
    Only(&'static [&'static str]),
    /// This one, and the run ends with it.
    Last(&'static str),
}

use Named::{All, But, Last, Only};

const fn row(fault: &'static str, sent: &'static str, expected: &'static str, named: Named) -> Row {
    Row { fault, sent, expected, named, assertion: None }
}

impl Row {
    const fn by(self, assertion: Assertion) -> Self {
        Self { assertion: Some(assertion), ..self }
    }
}

/// Some of several groups, in the order in which they are sent.
const SOME: &str = "vectors: [rsv1, control_fragmented, continuation_alone, utf8_ff, json_bare_words]";
const HANDSHAKE: &str = "groups: [handshake]";
const ACCEPTED: &str = "fail malformed_accepted";

pub const ROWS: &[Row] = &[
    // Each group taken as good.
    row(
        "malformed_accepted=handshake",
        "groups: [handshake], skip: [header_slow]",
        ACCEPTED,
        But(&["connection_missing", "header_16k"]),
    ),
    row("malformed_accepted=slow_header", HANDSHAKE, "fail malformed_hang", Only(&["header_slow"])),
    // A frame that is announced over the limit is a matter of size.
    row(
        "malformed_accepted=framing",
        "groups: [framing], skip: [announced_over_limit]",
        ACCEPTED,
        But(&["length_16_not_minimal", "length_64_not_minimal"]),
    )
    .by(Assertion::NotAccepted),
    row(
        "malformed_accepted=encoding",
        "groups: [encoding]",
        ACCEPTED,
        But(&["text_split_in_character", "deflate_over_limit"]),
    ),
    row(
        "malformed_accepted=application",
        "groups: [application]",
        ACCEPTED,
        But(&["nesting_10", "nesting_100", "nesting_500", "nesting_1000"]),
    ),
    row("malformed_accepted=size", "groups: [size]", ACCEPTED, All),
    // One of each.
    row("malformed_accepted=control_fragmented", SOME, ACCEPTED, Only(&["control_fragmented"])),
    row("malformed_accepted=bad_json", SOME, ACCEPTED, Only(&["json_bare_words"])),
    row("malformed_error=nothing_to_continue", SOME, "fail malformed_error", Only(&["continuation_alone"]))
        .by(Assertion::NoError),
    row("malformed_error=bad_key", HANDSHAKE, "fail malformed_error", Only(&["key_missing", "key_short"])),
    row("malformed_hang=control_fragmented", SOME, "fail malformed_hang", Only(&["control_fragmented"]))
        .by(Assertion::NoHang),
    row("malformed_hang=bad_method", HANDSHAKE, "fail malformed_hang", Only(&["method_post"])),
    row("malformed_hang=no_token", HANDSHAKE, "fail malformed_hang", Only(&["token_missing"])),
    row(
        "malformed_wrong_code=nothing_to_continue",
        SOME,
        "fail malformed_reaction",
        Only(&["continuation_alone"]),
    )
    .by(Assertion::ReactsRightly),
    row("malformed_wrong_code=bad_version", HANDSHAKE, "fail malformed_reaction", Only(&["version_12"])),
    // The run stops.
    row("malformed_crash=nothing_to_continue", SOME, "fail malformed_crash", Last("continuation_alone"))
        .by(Assertion::Survives),
    row("malformed_crash=bad_version", HANDSHAKE, "fail malformed_crash", Last("version_12")),
    row("malformed_hurts=nothing_to_continue", SOME, "fail collateral_damage", Last("continuation_alone"))
        .by(Assertion::BystanderServed),
];

fn like() -> Settings {
    Settings {
        token: Token::new(TOKEN),
        origins: vec!["https://app.example.com".to_owned()],
        handshake_timeout: Duration::from_secs(1),
        close_timeout: Duration::from_millis(500),
        json: true,
        deflate: true,
        ..Settings::default()
    }
}

fn target(index: usize, row: &Row, gateway: &Handle, token: &std::path::Path) -> String {
    format!(
        "  row-{index}:
    url: {}
    dialect: json
    auth: {{ token: {{ file: {token:?} }} }}
    budget: {{ connections_per_second: 200, messages_per_second: 1000, bytes_per_second: 50000000 }}
    checks:
      handshake: {{ interval: 60s, timeout: 5s }}
      malformed: {{ every: 10ms, within: 1s, slow_within: 3s, message_limit: 64KiB, connect_timeout: 2s, caution: true, foreign_origin: true, {} }}
",
        gateway.url(),
        row.sent
    )
}

/// What a run says of its vectors: those that were sent, and those that were not met as they should be.
fn seen(report: &RunReport) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let vectors =
        report.samples.iter().filter(|sample| sample.metric.name == "gateprobe_malformed_vectors_total");
    let (mut sent, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for sample in vectors {
        let [vector, reaction, verdict] = &sample.labels[..] else { panic!("{:?}", sample.labels) };
        if reaction != "not_asked" {
            sent.insert(&**vector);
        }
        if !["ok", "not_judged"].contains(&&**verdict) {
            wrong.insert(&**vector);
        }
    }
    (sent, wrong)
}

impl Row {
    /// What a run with the fault should have said, where it did not.
    fn complaint(&self, report: &RunReport) -> Option<String> {
        let (said, detail) = (words(report), &report.detail);
        let complaint = |why: &str| Some(format!("{} [{}]: {said} ({detail}): {why}", self.fault, self.sent));
        if said != self.expected {
            return complaint(self.expected);
        }
        let (sent, wrong) = seen(report);
        let expected: BTreeSet<&str> = match self.named {
            Named::All => sent.clone(),
            Named::But(right) => sent.iter().copied().filter(|name| !right.contains(name)).collect(),
            Named::Only(names) => names.iter().copied().collect(),
            // What hurts only others is met as it should be.
            Named::Last(name) => {
                let stopped = self.stopped(report, &sent, name);
                return if stopped { None } else { complaint(&format!("not {name} alone, or not the last")) };
            }
        };
        if wrong != expected {
            let (extra, missing) = (wrong.difference(&expected), expected.difference(&wrong));
            let why = format!(
                "too many {:?}, too few {:?}",
                extra.collect::<Vec<_>>(),
                missing.collect::<Vec<_>>()
            );
            return complaint(&why);
        }
        let first = expected.iter().any(|name| detail.contains(&format!("{name}: ")));
        if first { None } else { complaint("the detail names none") }
    }

    /// Whether the run ended with this vector, and says so.
    fn stopped(&self, report: &RunReport, sent: &BTreeSet<&str>, name: &str) -> bool {
        let detail = &report.detail;
        let named =
            detail.starts_with(&format!("{name}: ")) || detail.starts_with(&format!("after {name}: "));
        let order = gateprobe::checks::malformed::Vector::all().map(|vector| vector.name);
        let behind: Vec<&str> = order.skip_while(|other| *other != name).skip(1).collect();
        named && sent.contains(name) && !sent.iter().any(|other| behind.contains(other))
    }
}

pub struct Table {
    rows: Vec<Row>,
    gateways: Vec<Handle>,
    bench: Bench,
    _folder: tempfile::TempDir,
}

impl Table {
    pub async fn set(rows: Vec<Row>) -> Self {
        let folder = support::folder();
        let token = support::write(folder.path(), "token", TOKEN);
        let mut yaml = "lag_bound: 200ms\ntargets:\n".to_owned();
        let mut gateways = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let gateway = gateway::start(like()).await.expect("a gateway");
            yaml.push_str(&target(index, row, &gateway, &token));
            gateways.push(gateway);
        }
        Self { rows, gateways, bench: Bench::new(&yaml), _folder: folder }
    }

    /// Runs the checks of every row, some rows at a time; tells what is not as it should be.
    async fn complaints(&self, complaint: impl Fn(&Row, &RunReport) -> Option<String>) -> Vec<String> {
        let complaint = &complaint;
        let runs = self.rows.iter().enumerate().map(async |(index, row)| {
            let target = format!("row-{index}");
            let handshake = self.undisturbed(&target, "handshake").await;
            assert_eq!(words(&handshake), "pass", "{}: {}", row.fault, handshake.detail);
            let mut wrong = None;
            // A busy machine is slow without being late; what is truly wrong is so three times.
            for _ in 0..3 {
                let report = self.undisturbed(&target, "malformed").await;
                assert_ne!(report.outcome.reason(), Some(Failure::Unclassified.reason()), "{}", row.fault);
                wrong = complaint(row, &report);
                if wrong.is_none() {
                    break;
                }
            }
            wrong
        });
        let wrong: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(6).collect().await;
        wrong.into_iter().flatten().collect()
    }

    /// How long each row's run takes with its fault.
    pub async fn times(&self) -> Vec<Duration> {
        let runs = (0..self.rows.len()).map(async |index| {
            (index, self.undisturbed(&format!("row-{index}"), "malformed").await.duration)
        });
        let mut times: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(4).collect().await;
        times.sort_unstable();
        times.into_iter().map(|(_, time)| time).collect()
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

    pub fn switch_on(&self) {
        for (row, gateway) in self.rows.iter().zip(&self.gateways) {
            let fault: Fault = row.fault.parse().expect("a fault");
            gateway.set_fault(fault).expect("a fault that shows");
        }
    }
}

fn healthy(row: &Row, report: &RunReport) -> Option<String> {
    let said = words(report);
    (said != "pass").then(|| format!("without {} [{}]: {said} ({})", row.fault, row.sent, report.detail))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_on_malformed_input_is_found_and_named() {
    let table = Table::set(ROWS.to_vec()).await;
    let mut wrong = table.complaints(healthy).await;
    table.switch_on();
    wrong.extend(table.complaints(Row::complaint).await);
    table.gateways.iter().for_each(Handle::clear_all);
    wrong.extend(table.complaints(healthy).await);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// With one assertion left out, the row that is meant for it does not find its fault any more.
#[tokio::test(flavor = "multi_thread")]
async fn each_assertion_on_malformed_input_is_needed() {
    let row_of = |assertion: &Assertion| {
        let row = ROWS.iter().find(|row| row.assertion == Some(*assertion));
        *row.unwrap_or_else(|| panic!("no row for {assertion:?}"))
    };
    let mut table = Table::set(Assertion::ALL.iter().map(row_of).collect()).await;
    table.bench.edit(|target, spec| {
        let index: usize = target.trim_start_matches("row-").parse().expect("a row");
        if let CheckSpec::Malformed(check) = spec {
            check.without = Some(Assertion::ALL[index]);
        }
    });
    table.switch_on();
    for (index, row) in table.rows.iter().enumerate() {
        let report = table.undisturbed(&format!("row-{index}"), "malformed").await;
        assert_ne!(
            words(&report),
            row.expected,
            "{} is found without its assertion: {}",
            row.fault,
            report.detail
        );
    }
}
