//! What a drill tells: a line for each step as it happens, and all of them at the end.

use std::fmt;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::Subject;
use crate::cli::output::Output;
use crate::cli::render::Style;
use crate::gateway::Fault;

/// A step of a drill, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// All is green, and there is no alert.
    Ready,
    /// The fault is on.
    FaultOn,
    /// A check has turned red.
    Red,
    /// Prometheus has its failures.
    Metric,
    /// The alert is pending.
    Pending,
    /// The alert fires.
    Firing,
    /// Alertmanager has the alert.
    Alertmanager,
    /// Somebody was told.
    Notified,
    /// The fault is off, which was looked at.
    FaultOff,
    /// The checks are green again.
    Green,
    /// Prometheus has no failures any more.
    MetricBack,
    /// The alert has ended.
    Resolved,
    /// Alertmanager has let go of the alert.
    AlertmanagerClear,
    /// Somebody was told that it is over.
    NotifiedOfEnd,
}

impl Step {
    /// Its name in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::FaultOn => "fault on",
            Self::Red => "red",
            Self::Metric => "metric",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Alertmanager => "alertmanager",
            Self::Notified => "notified",
            Self::FaultOff => "fault off",
            Self::Green => "green",
            Self::MetricBack => "metric back",
            Self::Resolved => "resolved",
            Self::AlertmanagerClear => "alertmanager clear",
            Self::NotifiedOfEnd => "notified of end",
        }
    }
}

/// A step that did not come; the report says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing(pub Step);

/// What became of a step.
#[derive(Debug, Clone, Serialize)]
struct Row {
    step: Step,
    seen: bool,
    /// When it was seen, or given up.
    at: Timestamp,
    /// Since the switch before it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_seconds: Option<f64>,
    detail: String,
}

/// All that a drill tells.
pub struct Report {
    output: Output,
    style: Style,
    rows: Vec<Row>,
    switched: Option<Instant>,
}

impl Report {
    /// An empty one.
    pub fn new(output: Output) -> Self {
        Self { output, style: Style::for_stdout(), rows: Vec::new(), switched: None }
    }

    /// A line for whoever watches.
    pub fn say(&self, line: fmt::Arguments<'_>) {
        // Where nobody reads any more, the drill goes on to its end all the same: the fault has to go.
        let _ = match self.output {
            Output::Text => writeln!(std::io::stdout(), "{line}"),
            Output::Json => writeln!(std::io::stderr(), "{line}"),
        };
    }

    /// What there is instead of a step that has not come yet.
    pub fn waiting(&self, step: Step, instead: &str) {
        self.say(format_args!("{:>9}  {:<18}  waiting: {instead}", "", step.name()));
    }

    /// The time from which the next steps count: that of a switch.
    pub fn switch(&mut self, at: Instant) {
        self.switched = Some(at);
    }

    /// Puts down what became of a step.
    ///
    /// # Errors
    /// When it did not come.
    pub fn step(&mut self, step: Step, seen: Result<String, String>) -> Result<(), Missing> {
        let after_seconds = self.switched.map(|at| (at.elapsed().as_secs_f64() * 1e3).round() / 1e3);
        let (seen, detail) = match seen {
            Ok(detail) => (true, detail),
            Err(instead) => (false, instead),
        };
        let row = Row { step, seen, at: Timestamp::now(), after_seconds, detail };
        self.say(format_args!("{}", self.line(&row)));
        self.rows.push(row);
        if seen { Ok(()) } else { Err(Missing(step)) }
    }

    /// Adds to what is said of the last step.
    pub fn hint(&mut self, hint: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.detail = format!("{}; {hint}", row.detail);
        }
        self.say(format_args!("{:>9}  {hint}", ""));
    }

    /// All of it at the end; `why` it is no success, where it is none.
    pub fn finish(&self, subject: &Subject, fault: &Fault, fault_off: bool, why: Option<&str>) {
        match self.output {
            Output::Text => self.table(fault, fault_off, why),
            Output::Json => {
                let missing = self.rows.iter().find(|row| !row.seen).map(|row| row.step);
                let all = json!({
                    "fault": fault.to_string(),
                    "target": subject.target,
                    "check": subject.check,
                    "alert": subject.alert,
                    "passed": why.is_none(),
                    "missing": missing,
                    "fault_off": fault_off,
                    "steps": self.rows,
                });
                let _ = writeln!(std::io::stdout(), "{all:#}");
            }
        }
    }

    fn table(&self, fault: &Fault, fault_off: bool, why: Option<&str>) {
        self.say(format_args!("\n{:>9}  {:<18}  {:>9}  WHAT WAS SEEN", "AT (UTC)", "STEP", "AFTER"));
        for row in &self.rows {
            self.say(format_args!("{}", self.line(row)));
        }
        let verdict = match why {
            None => self.style.paint("pass", "every step was seen"),
            Some(why) => self.style.paint("fail", why),
        };
        let off = if fault_off { "is off" } else { "MAY STILL BE ON" };
        self.say(format_args!("\n{verdict}; the fault {fault} {off}"));
    }

    fn line(&self, row: &Row) -> String {
        let time = row.at.strftime("%H:%M:%S");
        let after = row.after_seconds.map(|seconds| format!("{seconds:.1} s")).unwrap_or_default();
        let detail = match row.seen {
            true => row.detail.clone(),
            false => self.style.paint("fail", &format!("did not come: {}", row.detail)),
        };
        format!("{time:>9}  {:<18}  {after:>9}  {detail}", row.step.name())
    }
}
