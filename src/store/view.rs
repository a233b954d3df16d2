//! A run as people and programs read it: the JSON of the HTTP API and of `gateprobe check`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::metrics::{Kind, Sample};
use crate::model::{Event, EventKind, Phase, RunReport, Timeline};

/// Gauges by which a run says how it ended, which is no measurement.
const STANDING: [&str; 2] = ["gateprobe_last_check_", "gateprobe_last_finding"];

/// Measurements kept of a run, at most.
const MEASURED: usize = 24;

/// One finished run, ready for JSON. Of its samples it holds those that sum it up; all are in the metrics.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunView {
    /// The target's name in the config.
    #[serde(serialize_with = "shared")]
    #[schemars(with = "String")]
    pub target: Arc<str>,
    /// The check's kind.
    pub check: &'static str,
    /// Its identity, which is its trace's too (W3C Trace Context): 32 hexadecimal digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("pattern" = "^[0-9a-f]{32}$"))]
    pub id: String,
    /// The resolved address that the run was pinned to, where the target asks for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// `pass`, `fail`, `inconclusive` or `unsupported`.
    pub outcome: &'static str,
    /// The stable reason behind anything but a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The reason in a sentence for people.
    pub explanation: &'static str,
    /// The particulars in one sentence.
    pub detail: String,
    /// What to try next, where more can be said than the explanation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cow<'static, str>>,
    /// Wall-clock time at the start, in RFC 3339 with the offset `Z`.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_seconds: f64,
    /// How long each phase of each connection took, in the order of time.
    pub phases: Vec<PhaseView>,
    /// What was measured, in a number each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<Measured>,
    /// What happened on the wire.
    pub timeline: Timeline,
}

/// One number that a run measured: the value that the run gave a gauge of the check.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Measured {
    /// The metric's name in Prometheus.
    pub metric: &'static str,
    /// The values of its own labels, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub labels: Vec<Cow<'static, str>>,
    /// The value, in the unit in which the metric's name ends.
    pub value: f64,
}

/// One phase of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct PhaseView {
    /// Which of the run's connections, from 0.
    pub connection: u16,
    /// Which phase.
    pub phase: Phase,
    /// When it began, after the run did.
    pub at_seconds: f64,
    /// From its beginning to that of the next one, or to the end of the connection or the run.
    pub duration_seconds: f64,
}

/// A run in a line: everything but its phases and its timeline.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LastRun {
    /// `pass`, `fail`, `inconclusive` or `unsupported`.
    pub outcome: &'static str,
    /// The stable reason behind anything but a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The particulars in one sentence.
    pub detail: String,
    /// Wall-clock time at the start, in RFC 3339 with the offset `Z`.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_seconds: f64,
}

impl From<&RunReport> for RunView {
    fn from(report: &RunReport) -> Self {
        Self {
            target: Arc::clone(&report.job.target),
            check: report.job.check,
            id: match report.trace.trace {
                0 => String::new(),
                trace => format!("{trace:032x}"),
            },
            peer: report.peer.clone(),
            outcome: report.outcome.label(),
            reason: report.outcome.reason(),
            explanation: report.outcome.explain(),
            detail: report.detail.clone(),
            next: report.next.clone(),
            // Fails only for years beyond 9999, which a broken clock may show.
            started_at: Timestamp::try_from(report.started_at).unwrap_or(Timestamp::MAX),
            duration_seconds: report.duration.as_secs_f64(),
            // The timeline is that of the run that confirmed, where there were two.
            phases: phases(&report.timeline, report.duration.saturating_sub(report.first)),
            measured: report.samples.iter().filter_map(Measured::of).take(MEASURED).collect(),
            timeline: report.timeline.clone(),
        }
    }
}

impl Measured {
    /// Of a gauge that says something of the run; none of those that each run sets to say how it stands.
    fn of(sample: &Sample) -> Option<Self> {
        let metric = sample.metric;
        let sums_up = metric.kind == Kind::Gauge
            && metric.name.starts_with("gateprobe_last_")
            && !STANDING.iter().any(|start| metric.name.starts_with(start));
        let (labels, value) = (sample.labels.clone(), sample.value);
        (sums_up && value.is_finite()).then_some(Self { metric: metric.name, labels, value })
    }
}

impl From<&RunView> for LastRun {
    fn from(run: &RunView) -> Self {
        Self {
            outcome: run.outcome,
            reason: run.reason,
            detail: run.detail.clone(),
            started_at: run.started_at,
            duration_seconds: run.duration_seconds,
        }
    }
}

impl RunView {
    /// Roughly the memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let text = self.detail.len() + self.peer.as_ref().map_or(0, String::len);
        let phases = self.phases.capacity() * size_of::<PhaseView>();
        let events = self.timeline.events.capacity() * size_of::<Event>();
        let in_events: usize = self.timeline.events.iter().map(|event| text_bytes(&event.kind)).sum();
        let label = |label: &Cow<'_, str>| size_of::<Cow<'_, str>>() + label.len();
        let measured = |one: &Measured| size_of::<Measured>() + one.labels.iter().map(label).sum::<usize>();
        let measured: usize = self.measured.iter().map(measured).sum();
        size_of::<Self>() + text + self.id.len() + phases + events + in_events + measured
    }
}

/// Serialises what is behind an `Arc`, which serde does only with a feature that warns of copies.
pub(super) fn shared<T, S>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + ?Sized,
    S: Serializer,
{
    T::serialize(value, serializer)
}

fn phases(timeline: &Timeline, run: Duration) -> Vec<PhaseView> {
    let events = &timeline.events;
    let mut phases = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let EventKind::Phase { phase } = event.kind else { continue };
        let ends = |later: &&Event| {
            later.connection == event.connection
                && matches!(later.kind, EventKind::Phase { .. } | EventKind::Ended { .. })
        };
        let end = match events[at + 1..].iter().find(ends) {
            Some(later) => later.at(),
            // Its end was dropped with other events, and a guess would be a lie.
            None if timeline.dropped > 0 => continue,
            None => run,
        };
        let (at_seconds, duration_seconds) =
            (event.at().as_secs_f64(), end.saturating_sub(event.at()).as_secs_f64());
        phases.push(PhaseView { connection: event.connection, phase, at_seconds, duration_seconds });
    }
    phases
}

fn text_bytes(kind: &EventKind) -> usize {
    match kind {
        EventKind::Resolved { addresses } => {
            addresses.iter().map(|address| address.len() + size_of::<String>()).sum()
        }
        EventKind::Connecting { address } | EventKind::Connected { address } => address.len(),
        EventKind::ConnectFailed { address, error } => address.len() + error.len(),
        EventKind::TlsUp { version } => version.len(),
        EventKind::Note { text } => text.len(),
        EventKind::Phase { .. }
        | EventKind::Http { .. }
        | EventKind::Frame { .. }
        | EventKind::Ended { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;
    use crate::model::{End, Failure, JobKey, Outcome, Side};

    fn event(at_ms: u64, connection: u16, kind: EventKind) -> Event {
        Event { at_ns: at_ms * 1_000_000, connection, kind }
    }

    fn enter(at_ms: u64, connection: u16, phase: Phase) -> Event {
        event(at_ms, connection, EventKind::Phase { phase })
    }

    fn report(events: Vec<Event>, dropped: u64) -> RunReport {
        RunReport {
            job: JobKey { target: "edge".into(), check: "handshake", config_hash: 7 },
            peer: None,
            started_at: UNIX_EPOCH + Duration::from_millis(1_700_000_000_250),
            duration: Duration::from_millis(100),
            outcome: Outcome::Fail(Failure::UpgradeTimeout),
            detail: "no response after 0.1 s".to_owned(),
            next: None,
            timeline: Timeline { events, dropped },
            first: Duration::ZERO,
            trace: Default::default(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn a_run_in_json() {
        let events = vec![
            enter(0, 0, Phase::Tcp),
            event(5, 0, EventKind::Connected { address: "192.0.2.1:443".to_owned() }),
            enter(10, 0, Phase::Upgrade),
        ];
        let json = serde_json::to_value(RunView::from(&report(events, 0))).unwrap();
        let expected = json!({
            "target": "edge",
            "check": "handshake",
            "outcome": "fail",
            "reason": "upgrade_timeout",
            "explanation": Failure::UpgradeTimeout.explain(),
            "detail": "no response after 0.1 s",
            "started_at": "2023-11-14T22:13:20.25Z",
            "duration_seconds": 0.1,
            "phases": [
                {"connection": 0, "phase": "tcp", "at_seconds": 0.0, "duration_seconds": 0.01},
                {"connection": 0, "phase": "upgrade", "at_seconds": 0.01, "duration_seconds": 0.09},
            ],
            "timeline": {
                "events": [
                    {"at_ns": 0, "connection": 0, "event": "phase", "phase": "tcp"},
                    {"at_ns": 5_000_000, "connection": 0, "event": "connected", "address": "192.0.2.1:443"},
                    {"at_ns": 10_000_000, "connection": 0, "event": "phase", "phase": "upgrade"},
                ],
                "dropped": 0,
            },
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn phases_are_told_apart_by_connection_and_end_with_it() {
        let ended = EventKind::Ended { by: Side::Gateway, how: End::Fin };
        let events = vec![
            enter(0, 0, Phase::Tcp),
            enter(10, 1, Phase::Tcp),
            enter(20, 0, Phase::Close),
            event(30, 1, ended),
        ];
        let seconds = |dropped| {
            let view = RunView::from(&report(events.clone(), dropped));
            view.phases.iter().map(|phase| phase.duration_seconds).collect::<Vec<_>>()
        };
        assert_eq!(seconds(0), [0.02, 0.02, 0.08]);
        assert_eq!(seconds(3), [0.02, 0.02], "the end of the last one was not kept");
    }
}
