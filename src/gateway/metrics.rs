//! The gateway's own counters, in a registry of its own.

use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::event::EventKind;
use super::fault::FaultKind;
use super::traffic::Quantity;

const BYTES_RECEIVED: &str = "Bytes received: TCP payload, or plaintext where there is TLS.";
const BYTES_SENT: &str = "Bytes sent: TCP payload, or plaintext where there is TLS.";

/// What the gateway counts.
pub struct Metrics {
    registry: Registry,
    accepted: IntCounter,
    open: IntGauge,
    sessions: IntGauge,
    resident: IntGauge,
    upgrades: IntCounter,
    rejections: IntCounterVec,
    closes_sent: IntCounterVec,
    closes_received: IntCounterVec,
    heartbeats_missed: IntCounter,
    idle: IntCounter,
    bytes_received: IntCounter,
    bytes_sent: IntCounter,
    frames_received: IntCounter,
    messages_received: IntCounter,
    tokens_refreshed: IntCounter,
    tokens_refused: IntCounterVec,
    sessions_expired: IntCounter,
    offences: IntCounterVec,
    faults: IntGaugeVec,
}

impl Metrics {
    /// All counters at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let build = Builder(&registry);
        Self {
            accepted: build.counter("connections_total", "TCP connections accepted."),
            open: build.gauge("connections_open", "TCP connections that are open."),
            sessions: build.gauge("sessions_open", "WebSocket sessions that are open."),
            resident: build.gauge("resident_memory_bytes", "Resident memory of the process."),
            upgrades: build.counter("upgrades_total", "Upgrades answered with 101."),
            rejections: build.counters("rejections_total", "Upgrades refused.", "status"),
            closes_sent: build.counters("closes_sent_total", "Close frames sent.", "code"),
            closes_received: build.counters("closes_received_total", "Close frames received.", "code"),
            heartbeats_missed: build
                .counter("heartbeats_missed_total", "Pings that stayed unanswered for too long."),
            idle: build.counter("idle_total", "Clients that sent no data message for too long."),
            bytes_received: build.counter("bytes_received_total", BYTES_RECEIVED),
            bytes_sent: build.counter("bytes_sent_total", BYTES_SENT),
            frames_received: build
                .counter("frames_received_total", "Frames received, control frames and refused ones too."),
            messages_received: build
                .counter("messages_received_total", "Text and binary messages received whole."),
            tokens_refreshed: build.counter("tokens_refreshed_total", "Token refreshes accepted."),
            tokens_refused: build.counters("tokens_refused_total", "Token refreshes refused.", "why"),
            sessions_expired: build
                .counter("sessions_expired_total", "Sessions closed because their token had expired."),
            offences: build.counters("offences_total", "Things that clients did wrong.", "offence"),
            faults: build.gauges("fault_active", "1 while the fault is on.", "fault"),
            registry,
        }
        .with_faults_off()
    }

    /// Counts one event.
    pub fn count(&self, event: &EventKind) {
        match event {
            EventKind::Accepted => self.accepted.inc(),
            EventKind::Upgraded => self.upgrades.inc(),
            EventKind::Rejected { status } => {
                self.rejections.with_label_values(&[&status.to_string()]).inc();
            }
            EventKind::CloseSent { code } => {
                self.closes_sent.with_label_values(&[&code_label(*code)]).inc();
            }
            EventKind::CloseReceived { code } => {
                self.closes_received.with_label_values(&[&code_label(*code)]).inc();
            }
            EventKind::HeartbeatMissed { .. } => self.heartbeats_missed.inc(),
            EventKind::Idle => self.idle.inc(),
            EventKind::TokenRefreshed => self.tokens_refreshed.inc(),
            EventKind::TokenRefused { why } => self.tokens_refused.with_label_values(&[why.name()]).inc(),
            EventKind::SessionExpired => self.sessions_expired.inc(),
            EventKind::Offence { offence } => {
                self.offences.with_label_values(&[offence.name()]).inc();
            }
            _ => {}
        }
    }

    /// Counts what went over a connection.
    pub fn traffic(&self, quantity: Quantity, count: u64) {
        let counter = match quantity {
            Quantity::BytesReceived => &self.bytes_received,
            Quantity::BytesSent => &self.bytes_sent,
            Quantity::FramesReceived => &self.frames_received,
            Quantity::MessagesReceived => &self.messages_received,
        };
        counter.inc_by(count);
    }

    /// Changes the number of open connections.
    pub fn open(&self, change: i64) {
        self.open.add(change);
    }

    /// Changes the number of open sessions.
    pub fn sessions(&self, change: i64) {
        self.sessions.add(change);
    }

    /// Notes whether a fault is on.
    pub fn fault(&self, kind: FaultKind, on: bool) {
        self.faults.with_label_values(&[kind.name()]).set(i64::from(on));
    }

    /// All of them in Prometheus' text format.
    ///
    /// # Errors
    /// None is known; the encoder's own.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes);
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    fn with_faults_off(self) -> Self {
        for kind in FaultKind::ALL {
            self.fault(*kind, false);
        }
        self
    }
}

/// Close codes that have a name of their own; a client may send any of 4,000, and a label for each
/// would be a leak.
fn code_label(code: Option<u16>) -> String {
    match code {
        None => "none".to_owned(),
        Some(code @ (1000..=1015 | 4000 | 4001 | 4401)) => code.to_string(),
        Some(_) => "other".to_owned(),
    }
}

/// `VmRSS` of proc(5), which is in units of 1,024 bytes.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

struct Builder<'a>(&'a Registry);

impl Builder<'_> {
    const VALID: &'static str = "the name is a valid literal, and registered once";

    fn options(name: &str, help: &str) -> Opts {
        Opts::new(format!("gateprobe_gateway_{name}"), help)
    }

    fn add<C: prometheus::core::Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0.register(Box::new(collector.clone())).expect(Self::VALID);
        collector
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::with_opts(Self::options(name, help)).expect(Self::VALID))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(Self::options(name, help)).expect(Self::VALID))
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> IntCounterVec {
        self.add(IntCounterVec::new(Self::options(name, help), &[label]).expect(Self::VALID))
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Self::options(name, help), &[label]).expect(Self::VALID))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_prints() {
        let metrics = Metrics::new();
        metrics.count(&EventKind::Rejected { status: 401 });
        metrics.count(&EventKind::CloseSent { code: Some(4321) });
        metrics.fault(FaultKind::BadAccept, true);
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        for line in [
            "gateprobe_gateway_rejections_total{status=\"401\"} 1",
            "gateprobe_gateway_closes_sent_total{code=\"other\"} 1",
            "gateprobe_gateway_fault_active{fault=\"bad_accept\"} 1",
            "gateprobe_gateway_fault_active{fault=\"no_auth\"} 0",
            "gateprobe_gateway_connections_open 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("resident_memory_bytes 0"));
    }
}
