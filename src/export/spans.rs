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
