//! What was measured, for the terminal and as a page.

use std::fmt::Write;

use super::rows::{Goal, Row};

/// One row with its figures.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which row.
    pub row: Row,
    /// Our figure.
    pub ours: f64,
    /// The limit's.
    pub limit: f64,
    /// What else is worth to be told.
    pub remark: String,
}

const COLUMNS: [&str; 6] = ["row", "measured", "limit", "ratio", "goal", "met"];

/// What the page says besides the figures.
const HOW_TO_READ: &str = "\
## How to read it

- The limit is measured in the same run by the same process model, on the same machine: what a program could do that
  has nothing to do but this. So a slow machine moves both figures, and their ratio tells about gateprobe.
- The peer is a process of its own that answers with as little work as it can. All goes over the loopback, so that
  there is no network in the figures; in the round trip there are two wake-ups of the kernel's scheduler.
- Round trip: stamped right before the write and right after the read, so that it can not be less than the true one.
  The goal is a difference to the limit. What is above it is the runtime: a blocking socket is woken in its read, an
  asynchronous one in `epoll_wait`, and reads after that.
- Memory: private pages that were written to, after minus before, divided by the connections between. The first
  thousand connections are there before, so that what is needed once is not counted. The kernel's socket buffers
  are not in it. Memory that the TLS handshakes had and gave back to the allocator is.
- CPU: user and system time of the whole process, the kernel's work for its system calls with it, divided by the
  pings that the peer counted.
- While a time is measured, a process of the idle scheduling class keeps each processor awake: a virtual processor
  that halts must be woken by the hypervisor, which takes longer than what is measured and counts as steal.
- Times: a window in which the hypervisor took more than 5 % of the processors for others is thrown away and
  repeated, at most so often; of several windows the one with the median difference is shown.

Other tools, measured once on a machine with two cores: k6 needs 60 to 100 µs of CPU a heartbeat and 82 to 211 KiB
of memory a connection.
";

/// The table, in columns for the terminal.
pub fn terminal(findings: &[Finding]) -> String {
    let lines: Vec<[String; 6]> =
        std::iter::once(COLUMNS.map(str::to_owned)).chain(findings.iter().map(Finding::cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// The page.
pub fn page(findings: &[Finding], machine: &str, date: &str, thrown_away: &[String]) -> String {
    let mut text = format!(
        "# Performance\n\nMeasured on {date} by `make bench`, which writes this page. Machine: {machine}.\n\n\
         | {} |\n|---|---|---|---|---|---|\n",
        COLUMNS.join(" | ")
    );
    for finding in findings {
        let _ = writeln!(text, "| {} |", finding.cells().join(" | "));
    }
    text += "\n| row | what was measured | the limit | remark |\n|---|---|---|---|\n";
    for Finding { row, remark, .. } in findings {
        let _ = writeln!(text, "| {} | {} | {} | {remark} |", row.name, row.ours, row.limit);
    }
    text += "\nWindows that were thrown away: ";
    text += &if thrown_away.is_empty() { "none".to_owned() } else { thrown_away.join("; ") };
    text + ".\n\n" + HOW_TO_READ
}

impl Finding {
    /// With the figures as they are shown, so that the page bears its own verdicts.
    pub fn new(row: Row, ours: f64, limit: f64, remark: String) -> Self {
        let scale = 10_f64.powi(row.digits as i32);
        let [ours, limit] = [ours, limit].map(|figure| (figure * scale).round() / scale);
        Self { row, ours, limit, remark }
    }

    fn cells(&self) -> [String; 6] {
        let Row { name, unit, digits, goal, .. } = self.row;
        let figure = |value: f64| format!("{value:.digits$} {unit}");
        let measured = match goal {
            Goal::Above(_) => format!("{} ({:+.digits$})", figure(self.ours), self.ours - self.limit),
            Goal::AtMost(_) => figure(self.ours),
        };
        let wanted = match goal {
            Goal::Above(most) => format!("limit + 0 to {most} {unit}"),
            Goal::AtMost(most) => format!("at most {most} {unit}"),
        };
        let met = if goal.is_met(self.ours, self.limit) { "yes" } else { "no" };
        let ratio = format!("{:.2}", self.ours / self.limit);
        [name.to_owned(), measured, figure(self.limit), ratio, wanted, met.to_owned()]
    }
}
