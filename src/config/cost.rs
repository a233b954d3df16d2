//! What a plan will cost each target, at most.

use serde::Serialize;

use super::plan::Plan;
use super::settings::Resolve;
use crate::checks::{CheckSpec, Cost};
use crate::dialect::Dialect;
use crate::model::aligned;

const DAY: f64 = 86_400.0;

/// One line of the table of costs. Per day, and for each resolved address where `each_address` is set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostRow {
    /// The target; absent in the sum of all.
    pub target: Option<String>,
    /// The check; absent in a target's sum.
    pub check: Option<&'static str>,
    /// Runs.
    pub runs: u64,
    /// Connections opened.
    pub connections: u64,
    /// WebSocket messages and control frames sent.
    pub messages: u64,
    /// Bytes sent and received.
    pub bytes: u64,
    /// The target resolves `all`: the cost comes once for each address.
    pub each_address: bool,
}

impl CostRow {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.connections += other.connections;
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.each_address |= other.each_address;
    }

    fn empty(target: Option<String>) -> Self {
        Self { target, check: None, runs: 0, connections: 0, messages: 0, bytes: 0, each_address: false }
    }
}

/// What a run of a check costs, with the dialect's request before each upgrade and its opening after it.
pub fn cost(check: &CheckSpec, dialect: Option<&Dialect>) -> Cost {
    with_requests(check.cost(), dialect)
}

/// What a check costs in one day of so many runs.
fn cost_of_a_day(check: &CheckSpec, runs: u64, dialect: Option<&Dialect>) -> Cost {
    if let Some(cost) = check.cost_of_a_day() {
        return with_requests(cost, dialect);
    }
    let Cost { connections, concurrent, messages, bytes } = cost(check, dialect);
    Cost { connections: runs * connections, concurrent, messages: runs * messages, bytes: runs * bytes }
}

fn with_requests(cost: Cost, dialect: Option<&Dialect>) -> Cost {
    let Some(dialect) = dialect else { return cost };
    let sessions = cost.connections;
    let (messages, bytes) = dialect.opening();
    let messages = cost.messages + messages * sessions;
    let bytes = cost.bytes + bytes * sessions;
    match dialect.before() {
        // About 1 KiB of request, and of an answer that is a few fields of JSON.
        Some(_) => Cost { connections: 2 * sessions, bytes: bytes + 2_048 * sessions, messages, ..cost },
        None => Cost { messages, bytes, ..cost },
    }
}

/// A row for each check, a sum for each target that has several, and the sum of all.
pub fn costs(plan: &Plan) -> Vec<CostRow> {
    let mut rows = Vec::new();
    let mut total = CostRow::empty(None);
    for target in &plan.targets {
        let mut sum = CostRow::empty(Some(target.name.to_string()));
        let jobs = plan.jobs.iter().filter(|job| job.key.target == target.name);
        let first = rows.len();
        for job in jobs {
            let runs = (DAY / job.check.interval().as_secs_f64()).ceil() as u64;
            let Cost { connections, messages, bytes, .. } =
                cost_of_a_day(&job.check, runs, Some(&target.dialect));
            let row = CostRow {
                target: Some(target.name.to_string()),
                check: Some(job.key.check),
                runs,
                connections,
                messages,
                bytes,
                each_address: target.settings.resolve == Resolve::All,
            };
            sum.add(&row);
            rows.push(row);
        }
        total.add(&sum);
        if rows.len() - first > 1 {
            rows.push(sum);
        }
    }
    rows.push(total);
    rows
}

/// The rows as a table for people.
pub fn cost_table(rows: &[CostRow]) -> String {
    let head = ["target", "check", "runs/day", "connections/day", "messages/day", "bytes/day"];
    let mut lines: Vec<[String; 6]> = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.target.clone().unwrap_or_else(|| "total".into()),
            row.check.unwrap_or("all").to_owned(),
            row.runs.to_string(),
            row.connections.to_string(),
            row.messages.to_string(),
            format!("{}{}", size(row.bytes), if row.each_address { " (for each address)" } else { "" }),
        ]
    }));
    let lines = aligned(&lines, [false, false, true, true, true, false]);
    lines.into_iter().map(|line| line + "\n").collect()
}

fn size(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", bytes as f64 / size as f64),
        None => format!("{bytes} B"),
    }
}
