//! A run as a trace: a span for the run, and below it one for each phase of each of its connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::meters::SCOPE;
use crate::model::{Event, EventKind, Outcome, Phase, RunReport};

/// The gateway as the config names it; the URL's path and query stay out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `ws` or `wss`.
    pub scheme: String,
    /// The host, an IPv6 address without brackets.
    pub address: String,
    /// The port.
    pub port: u16,
}

/// All spans of a run, the run's own first. They hold only what the evidence holds: codes, sizes and addresses.
pub(super) fn spans(report: &RunReport, server: &Server, location: Option<&str>) -> Vec<SpanData> {
    let trace = Trace { id: TraceId::from(report.trace.trace), root: SpanId::from(report.trace.span) };
    let mut spans = vec![trace.run(report, server, location)];
    if report.first > Duration::ZERO {
        spans.push(trace.part("first run", report.started_at, report.started_at + report.first));
    }
    let began = report.started_at + report.first;
    for (connection, events) in by_connection(&report.timeline.events) {
        let end = report.duration.saturating_sub(report.first);
        for stage in stages(&events, end) {
            let span = trace.part(stage.phase.label(), began + stage.from, began + stage.until);
            let number = KeyValue::new("gateprobe.connection", i64::from(connection));
            let attributes = std::iter::once(number).chain(facts(stage.events)).collect();
            spans.push(SpanData { attributes, ..span });
        }
    }
    spans
}

struct Trace {
    id: TraceId,
    root: SpanId,
}

impl Trace {
    fn run(&self, report: &RunReport, server: &Server, location: Option<&str>) -> SpanData {
        let outcome = report.outcome;
        let mut attributes = vec![
            KeyValue::new("gateprobe.target", report.job.target.to_string()),
            KeyValue::new("gateprobe.check", report.job.check),
            KeyValue::new("gateprobe.outcome", outcome.label()),
            KeyValue::new("server.address", server.address.clone()),
            KeyValue::new("server.port", i64::from(server.port)),
            KeyValue::new("url.scheme", server.scheme.clone()),
            KeyValue::new("network.protocol.name", "websocket"),
        ];
        attributes.extend(outcome.reason().map(|reason| KeyValue::new("gateprobe.reason", reason)));
        attributes.extend(report.peer.clone().map(|peer| KeyValue::new("gateprobe.peer", peer)));
        attributes.extend(location.map(|location| KeyValue::new("gateprobe.location", location.to_owned())));
        if report.timeline.dropped > 0 {
            let dropped = i64::try_from(report.timeline.dropped).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new("gateprobe.events_dropped", dropped));
        }
        let status = match outcome {
            Outcome::Fail(failure) => {
                attributes.push(KeyValue::new("error.type", failure.reason()));
                Status::error(failure.explain())
            }
            _ => Status::Unset,
        };
        let (from, until) = (report.started_at, report.started_at + report.duration);
        let span = self.span(self.root, SpanId::INVALID, report.job.check, from, until);
        SpanData { span_kind: SpanKind::Client, attributes, status, ..span }
    }

    /// A span below the run's own.
    fn part(&self, name: &'static str, from: SystemTime, until: SystemTime) -> SpanData {
        self.span(SpanId::from(rand::random::<u64>().max(1)), self.root, name, from, until)
    }

    fn span(
        &self,
        id: SpanId,
        parent: SpanId,
        name: &'static str,
        start_time: SystemTime,
        end_time: SystemTime,
    ) -> SpanData {
        SpanData {
            span_context: SpanContext::new(self.id, id, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time,
            end_time,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder(SCOPE)
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}

fn by_connection(events: &[Event]) -> BTreeMap<u16, Vec<&Event>> {
    let mut connections = BTreeMap::<u16, Vec<&Event>>::new();
    for event in events {
        connections.entry(event.connection).or_default().push(event);
    }
    connections
}

/// A phase of one connection, with what happened in it.
struct Stage<'a> {
    phase: Phase,
    from: Duration,
    until: Duration,
    events: &'a [&'a Event],
}

/// The phases of a connection. Each ends where the next one begins, the last one with the connection or the run.
fn stages<'a>(events: &'a [&'a Event], end: Duration) -> Vec<Stage<'a>> {
    let is_phase = |event: &&Event| matches!(event.kind, EventKind::Phase { .. });
    let begin = events.iter().position(is_phase).unwrap_or(events.len());
    let mut stages = Vec::new();
    let mut rest = &events[begin..];
    while let Some(Event { kind: EventKind::Phase { phase }, .. }) = rest.first() {
        let length = rest[1..].iter().position(is_phase).map_or(rest.len(), |next| next + 1);
        let (own, after) = rest.split_at(length);
        let ended = own.iter().find(|event| matches!(event.kind, EventKind::Ended { .. }));
        let until = ended.or(after.first()).map_or(end, |event| event.at());
        let from = own[0].at();
        stages.push(Stage { phase: *phase, from, until: until.max(from), events: own });
        rest = after;
    }
    stages
}

/// What the events of a phase say in the words of the semantic conventions.
fn facts(events: &[&Event]) -> Vec<KeyValue> {
    let mut facts = Vec::new();
    for event in events {
        match &event.kind {
            EventKind::Connected { address } => {
                if let Ok(address) = address.parse::<SocketAddr>() {
                    facts.push(KeyValue::new("network.peer.address", address.ip().to_string()));
                    facts.push(KeyValue::new("network.peer.port", i64::from(address.port())));
                    facts.push(KeyValue::new("network.transport", "tcp"));
                    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
                    facts.push(KeyValue::new("network.type", family));
                }
            }
            EventKind::TlsUp { version } => {
                let number = version.strip_prefix("TLSv").unwrap_or(version).to_owned();
                facts.push(KeyValue::new("tls.protocol.name", "tls"));
                facts.push(KeyValue::new("tls.protocol.version", number));
            }
            EventKind::Http { status } => {
                // Of several, the last one is the answer: those before it were interim or redirects.
                facts.retain(|fact| fact.key.as_str() != "http.response.status_code");
                facts.push(KeyValue::new("http.response.status_code", i64::from(*status)));
            }
            _ => {}
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{End, Failure, JobKey, Side, Timeline, TraceContext};

    fn event(at_ms: u64, connection: u16, kind: EventKind) -> Event {
        Event { at_ns: at_ms * 1_000_000, connection, kind }
    }

    fn enter(at_ms: u64, connection: u16, phase: Phase) -> Event {
        event(at_ms, connection, EventKind::Phase { phase })
    }

    fn report(outcome: Outcome, events: Vec<Event>, first_ms: u64) -> RunReport {
        RunReport {
            job: JobKey { target: "edge".into(), check: "zombie", config_hash: 0 },
            peer: None,
            started_at: SystemTime::UNIX_EPOCH,
            duration: Duration::from_millis(100 + first_ms),
            outcome,
            detail: "s3cr3t".to_owned(),
            next: None,
            timeline: Timeline { events, dropped: 0 },
            first: Duration::from_millis(first_ms),
            trace: TraceContext { trace: 7, span: 8 },
            samples: Vec::new(),
        }
    }

    fn of(report: &RunReport) -> Vec<SpanData> {
        let server = Server { scheme: "wss".into(), address: "gw.example".into(), port: 443 };
        spans(report, &server, Some("lab"))
    }

    /// Name, start and end in milliseconds.
    fn times(spans: &[SpanData]) -> Vec<(String, u64, u64)> {
        let ms =
            |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).expect("later").as_millis() as u64;
        spans.iter().map(|span| (span.name.to_string(), ms(span.start_time), ms(span.end_time))).collect()
    }

    fn get(span: &SpanData, name: &str) -> Option<String> {
        span.attributes.iter().find(|pair| pair.key.as_str() == name).map(|pair| pair.value.to_string())
    }

    fn events() -> Vec<Event> {
        vec![
            enter(0, 0, Phase::Tcp),
            event(9, 0, EventKind::Connected { address: "[2001:db8::1]:443".into() }),
            enter(10, 0, Phase::Upgrade),
            event(12, 0, EventKind::Http { status: 100 }),
            enter(15, 1, Phase::Tcp),
            event(19, 0, EventKind::Http { status: 101 }),
            enter(20, 0, Phase::Session),
            event(60, 0, EventKind::Ended { by: Side::Gateway, how: End::Fin }),
        ]
    }

    #[test]
    fn each_phase_ends_where_the_next_one_of_its_connection_begins() {
        let spans = of(&report(Outcome::Pass, events(), 0));
        let expected =
            [("zombie", 0, 100), ("tcp", 0, 10), ("upgrade", 10, 20), ("session", 20, 60), ("tcp", 15, 100)];
        assert_eq!(times(&spans), expected.map(|(name, from, until)| (name.to_owned(), from, until)));
        assert_eq!(get(&spans[1], "network.peer.address").as_deref(), Some("2001:db8::1"));
        assert_eq!(get(&spans[1], "network.type").as_deref(), Some("ipv6"));
        assert_eq!(get(&spans[2], "http.response.status_code").as_deref(), Some("101"));
        assert_eq!(get(&spans[4], "gateprobe.connection").as_deref(), Some("1"));
        assert!(spans[1..].iter().all(|span| span.parent_span_id == spans[0].span_context.span_id()));
        assert_eq!(get(&spans[0], "gateprobe.location").as_deref(), Some("lab"));
    }

    #[test]
    fn a_finding_that_was_seen_twice_shows_both_runs() {
        let spans = of(&report(Outcome::Pass, vec![enter(1, 0, Phase::Tcp)], 50));
        let expected = [("zombie", 0, 150), ("first run", 0, 50), ("tcp", 51, 150)];
        assert_eq!(times(&spans), expected.map(|(name, from, until)| (name.to_owned(), from, until)));
    }

    #[test]
    fn only_a_failure_is_an_error_and_no_detail_is_told() {
        let failed = of(&report(Outcome::Fail(Failure::UpgradeTimeout), events(), 0));
        assert_eq!(get(&failed[0], "error.type").as_deref(), Some("upgrade_timeout"));
        assert!(matches!(failed[0].status, Status::Error { .. }));
        let cause = crate::model::Cause::EgressLost;
        let unclear = of(&report(Outcome::Inconclusive(cause), events(), 0));
        assert_eq!(get(&unclear[0], "error.type"), None);
        assert_eq!(get(&unclear[0], "gateprobe.reason").as_deref(), Some("egress_lost"));
        assert_eq!(unclear[0].status, Status::Unset);
        assert!(!format!("{failed:?}{unclear:?}").contains("s3cr3t"));
    }
}
