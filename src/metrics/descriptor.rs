//! What a metric is, apart from any library.

use std::borrow::Cow;

/// What a metric's series are about; decides the labels that come before its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The agent itself: no labels but its own.
    Agent,
    /// A target: label `target`.
    Target,
    /// A check of a target: labels `target`, `check` and `peer` (empty, and so absent, unless the target
    /// resolves `all`).
    Job,
}

impl Scope {
    /// The labels that every metric of this scope has.
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Agent => &[],
            Self::Target => &["target"],
            Self::Job => &["target", "check", "peer"],
        }
    }
}

/// Counter, gauge or histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only ever goes up; a sample is added. The name ends in `_total`.
    Counter,
    /// A sample replaces the value. Absent until measured.
    Gauge,
    /// A sample is observed.
    Histogram {
        /// Upper bounds of the buckets, in the metric's unit.
        buckets: &'static [f64],
    },
}

/// The base unit, which is also the end of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A ratio from 0 to 1.
    Ratio,
    /// Seconds since 1970.
    TimestampSeconds,
    /// A plain number, or a flag of 0 and 1.
    None,
}

impl Unit {
    /// The suffix that a metric's name carries (before `_total`).
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Seconds => "_seconds",
            Self::Bytes => "_bytes",
            Self::Ratio => "_ratio",
            Self::TimestampSeconds => "_timestamp_seconds",
            Self::None => "",
        }
    }

    /// The unit in UCUM, as OpenTelemetry wants it. A plain number has none: the way back to Prometheus
    /// appends `_ratio` to the name of a gauge whose unit is `1`.
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Seconds | Self::TimestampSeconds => "s",
            Self::Bytes => "By",
            Self::Ratio => "1",
            Self::None => "",
        }
    }
}

/// A metric. Each owner declares its own as `pub static` and lists them in its `METRICS` slice.
#[derive(Debug, PartialEq)]
pub struct Descriptor {
    /// The whole name in Prometheus; `gateprobe_` is its prefix.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// What its series are about.
    pub scope: Scope,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// The base unit.
    pub unit: Unit,
    /// Labels of its own, after those of the scope.
    pub labels: &'static [&'static str],
}

impl Descriptor {
    /// All labels, in the order of a sample's values: the scope's, then its own.
    pub fn all_labels(&self) -> impl Iterator<Item = &'static str> {
        self.scope.labels().iter().chain(self.labels).copied()
    }

    /// The name in OpenTelemetry: `gateprobe.` as its namespace, and without `_total` and the unit, which
    /// OTLP carries beside the name and from which Prometheus builds its own name again.
    pub fn otel_name(&self) -> String {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        let unit = match self.unit {
            Unit::TimestampSeconds => "_seconds",
            unit => unit.suffix(),
        };
        let name = name.strip_suffix(unit).unwrap_or(name);
        match name.strip_prefix("gateprobe_") {
            Some(rest) => format!("gateprobe.{rest}"),
            None => name.to_owned(),
        }
    }
}

/// A label's value: a reason from a closed set, or a name from the config.
pub type LabelValue = Cow<'static, str>;

/// One measured value of a metric, with the values of its own labels (those of the scope are the job's).
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which metric.
    pub metric: &'static Descriptor,
    /// The values of `metric.labels`, in that order.
    pub labels: Vec<LabelValue>,
    /// In the metric's unit.
    pub value: f64,
}

impl Sample {
    /// A sample of a metric without labels of its own.
    pub fn new(metric: &'static Descriptor, value: f64) -> Self {
        Self { metric, labels: Vec::new(), value }
    }

    /// A sample with the values of the metric's own labels, in their order.
    pub fn labelled<const N: usize>(
        metric: &'static Descriptor,
        labels: [&'static str; N],
        value: f64,
    ) -> Self {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        Self { metric, labels: labels.into_iter().map(Cow::Borrowed).collect(), value }
    }
}
