//! What the exports say of themselves.

use crate::metrics::{Descriptor, Kind, Scope, Unit};

/// Exports by result.
pub static EXPORTS: Descriptor = Descriptor {
    name: "gateprobe_agent_exports_total",
    help: "Exports by OTLP: one for each batch of spans and for each round of metrics, whatever it took to send.",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["signal", "result"],
};

/// When an export last succeeded.
pub static LAST_SUCCESS: Descriptor = Descriptor {
    name: "gateprobe_agent_export_last_success_timestamp_seconds",
    help: "When an export by OTLP last succeeded.",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::TimestampSeconds,
    labels: &["signal"],
};

/// Spans that went nowhere.
pub static SPANS_DROPPED: Descriptor = Descriptor {
    name: "gateprobe_agent_spans_dropped_total",
    help: "Spans that were never exported: the queue was full, or the collector would not have them.",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &[],
};

/// All of them.
pub static METRICS: &[&Descriptor] = &[&EXPORTS, &LAST_SUCCESS, &SPANS_DROPPED];
