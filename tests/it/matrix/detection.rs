//! docs/detection.md: what each check says of each fault, as the matrix has it, and how long it took.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gateprobe::gateway::{Fault, FaultKind};
use gateprobe::model::Failure;

use super::{ROWS, flapping, hold, malformed, network_switch, session, token_refresh};

/// A row of the page.
struct Line {
    fault: &'static str,
    check: &'static str,
    says: &'static str,
    /// What else the gateway is like, and the settings of the check.
    with: [&'static str; 2],
}

/// Every row of the matrix. A check with a table of its own adds it here, and to [`measure`].
fn lines() -> Vec<Line> {
    let handshake = ROWS.iter().map(|row| {
        let settings = if row.check.is_empty() { row.target } else { row.check };
        Line { fault: row.fault, check: "handshake", says: row.expected, with: [row.gateway, settings] }
    });
    let session = session::rows().into_iter().map(|row| {
        let (check, says, with) = row.told();
        Line { fault: row.fault, check, says, with }
    });
    let hold = hold::ROWS.iter().map(|row| Line {
        fault: row.fault,
        check: "hold",
        says: row.expected,
        with: row.with(),
    });
    let flapping = flapping::ROWS.iter().map(|row| Line {
        fault: row.fault,
        check: "flapping",
        says: row.expected,
        with: row.with(),
    });
    let malformed = malformed::ROWS.iter().map(|row| Line {
        fault: row.fault,
        check: "malformed",
        says: row.expected,
        with: ["", row.sent],
    });
    let switch = network_switch::ROWS.iter().map(|row| Line {
        fault: row.fault,
        check: "network_switch",
        says: row.expected,
        with: ["", row.settings],
    });
    let refresh = token_refresh::ROWS.iter().map(|row| Line {
        fault: row.fault,
        check: "token_refresh",
        says: row.expected,
        with: ["", row.settings],
    });
    let rest = hold.chain(flapping).chain(malformed).chain(switch).chain(refresh);
    handshake.chain(session).chain(rest).collect()
}

/// Whether a check finds a fault, whatever its value, with this reason.
pub fn finds(kind: FaultKind, reason: &str) -> bool {
    let of_kind = |line: &Line| line.fault.parse::<Fault>().is_ok_and(|fault| fault.kind() == kind);
    lines().iter().any(|line| of_kind(line) && line.says.split(['|', ' ']).any(|word| word == reason))
}

impl Line {
    /// All but the time.
    fn text(&self) -> String {
        let explained = self.fault.split(' ').map(|fault| {
            let fault: Fault = fault.parse().expect("a fault");
            fault.kind().help().replace('|', "\\|")
        });
        let explained: Vec<String> = explained.collect();
        let (fault, check) = (self.fault.replace(' ', "`, `"), self.check);
        let says = self.says.replace('|', " or ");
        let with = self.with.iter().filter(|part| !part.is_empty()).map(|part| format!("`{part}`"));
        let with: Vec<String> = with.collect();
        let (explained, with) = (explained.join("; "), with.join(", "));
        format!("| `{fault}` | {explained} | {with} | `{check}` | {says} | {} |", self.runs())
    }

    /// Critical findings are seen twice before they count.
    fn runs(&self) -> u32 {
        let reason = self.says.strip_prefix("fail ").unwrap_or_default();
        let twice = |failure: &Failure| failure.is_critical() || *failure == Failure::CollateralDamage;
        match Failure::ALL.iter().find(|failure| failure.reason() == reason) {
            Some(failure) if twice(failure) => 2,
            _ => 1,
        }
    }
}

const BEGIN: &str = "<!-- generated: matrix -->\n";
const END: &str = "<!-- end -->";
const HEAD: &str = "| fault | what the gateway does then | with | check | says | runs | took |\n\
                    |---|---|---|---|---|--:|--:|\n";

fn page() -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/detection.md");
    let text = fs::read_to_string(&path).expect("docs/detection.md");
    (path, text)
}

fn table(text: &str) -> &str {
    let from = text.find(BEGIN).expect("a beginning") + BEGIN.len();
    &text[from..from + text[from..].find(END).expect("an end")]
}

fn write_page(table: &str) {
    let (path, text) = page();
    let (before, rest) = text.split_once(BEGIN).expect("a beginning");
    let (_, after) = rest.split_once(END).expect("an end");
    fs::write(path, [before, BEGIN, table, END, after].concat()).expect("written");
}

/// The page has the rows that the matrix has; the times are those of the last `make detection`.
#[test]
fn the_page_of_the_matrix_is_fresh() {
    let (_, text) = page();
    let known = |line: &Line| {
        let row = table(&text).lines().find(|row| row.starts_with(&line.text()));
        row.map_or_else(|| format!("{} |", line.text()), str::to_owned)
    };
    let rows: Vec<String> = lines().iter().map(known).collect();
    let fresh = format!("{HEAD}{}\n", rows.join("\n"));
    if table(&text) != fresh {
        write_page(&fresh);
        panic!("docs/detection.md was stale; it is fresh now but for the times (make detection), commit it");
    }
}

/// Measures how long each fault takes to be found, and writes the page.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: on an idle machine, by make detection"]
async fn measure() {
    let mut times = Vec::new();
    let handshake = super::Table::set().await;
    for (row, gateway) in ROWS.iter().zip(&handshake.gateways) {
        gateway.set_fault(row.fault.parse().expect("a fault")).expect("a fault that shows");
    }
    times.extend(handshake.run().await.into_iter().map(|report| report.duration));
    let session = session::Table::set(session::rows()).await;
    session.switch_on();
    times.extend(session.times().await);
    let hold = hold::Table::set(hold::ROWS.to_vec()).await;
    times.extend(hold.met().await.into_iter().map(|report| report.duration));
    times.extend(flapping::Table::set(flapping::ROWS.to_vec()).await.times().await);
    let malformed = malformed::Table::set(malformed::ROWS.to_vec()).await;
    malformed.switch_on();
    times.extend(malformed.times().await);
    let switch = network_switch::Table::set(network_switch::ROWS.to_vec()).await;
    switch.switch_on();
    times.extend(switch.times().await);
    let refresh = token_refresh::Table::set(token_refresh::ROWS.to_vec()).await;
    refresh.switch_on();
    times.extend(refresh.times().await);
    let lines = lines();
    assert_eq!(lines.len(), times.len(), "each table is measured, in the order of the page");
    let mut fresh = HEAD.to_owned();
    for (line, time) in lines.iter().zip(times) {
        writeln!(fresh, "{} {} |", line.text(), shown(time)).expect("a string");
    }
    write_page(&fresh);
}

fn shown(time: Duration) -> String {
    match time.as_millis() {
        millis @ ..1_000 => format!("{millis} ms"),
        millis => format!("{:.1} s", millis as f64 / 1e3),
    }
}
