//! All series of one metric: a Prometheus collector, the handles of its series by label values, and the
//! limit on how many a target may have.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use opentelemetry::KeyValue;
use prometheus::core::Collector;
use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts};

use super::{Descriptor, Kind, LabelValue, Scope};

/// The values of all labels of a series, in the order of [`Descriptor::all_labels`].
pub(super) type Labels = Vec<LabelValue>;

/// Why a sample was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// The target has its full number of series of this metric.
    Limit,
    /// As many values as labels were expected.
    Labels,
    /// A counter can't go down, and nothing is recorded that is not a finite number.
    Value,
}

/// All series of one metric.
pub(super) struct Family {
    pub(super) descriptor: &'static Descriptor,
    collector: Vector,
    /// The labels are shared with whoever reads the values without holding up those who record.
    series: HashMap<Arc<Labels>, Handle>,
    series_of_target: HashMap<LabelValue, usize>,
    /// Whether the log has been told that this metric reached its limit.
    pub(super) limit_was_logged: bool,
}

enum Vector {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Family {
    /// An empty family; fails if the descriptor's name or labels are none that Prometheus knows.
    pub(super) fn new(descriptor: &'static Descriptor) -> prometheus::Result<Self> {
        let labels: Vec<&str> = descriptor.all_labels().collect();
        let (name, help) = (descriptor.name, descriptor.help);
        let collector = match descriptor.kind {
            Kind::Counter => Vector::Counter(CounterVec::new(Opts::new(name, help), &labels)?),
            Kind::Gauge => Vector::Gauge(GaugeVec::new(Opts::new(name, help), &labels)?),
            Kind::Histogram { buckets } => {
                let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
                Vector::Histogram(HistogramVec::new(opts, &labels)?)
            }
        };
        let (series, series_of_target) = (HashMap::new(), HashMap::new());
        Ok(Self { descriptor, collector, series, series_of_target, limit_was_logged: false })
    }

    /// What a Prometheus registry takes; it shares its series with this family.
    pub(super) fn collector(&self) -> Box<dyn Collector> {
        match &self.collector {
            Vector::Counter(vec) => Box::new(vec.clone()),
            Vector::Gauge(vec) => Box::new(vec.clone()),
            Vector::Histogram(vec) => Box::new(vec.clone()),
        }
    }

    /// Adds, sets or observes, as the metric's kind asks for.
    pub(super) fn record(&mut self, labels: Labels, value: f64, limit: usize) -> Result<(), Dropped> {
        if !value.is_finite() || (self.descriptor.kind == Kind::Counter && value < 0.0) {
            return Err(Dropped::Value);
        }
        match self.series(labels, limit)? {
            Handle::Counter(counter) => counter.inc_by(value),
            Handle::Gauge(gauge) => gauge.set(value),
            Handle::Histogram(histogram) => histogram.observe(value),
        }
        Ok(())
    }

    /// Makes a counter or histogram exist at 0. A gauge stays absent: its 0 would be a lie.
    pub(super) fn create(&mut self, labels: Labels, limit: usize) -> Result<(), Dropped> {
        match self.descriptor.kind {
            Kind::Gauge => Ok(()),
            Kind::Counter | Kind::Histogram { .. } => self.series(labels, limit).map(drop),
        }
    }

    /// Removes each series whose label values are not to be kept; says how many.
    pub(super) fn retain(&mut self, keep: impl Fn(&[LabelValue]) -> bool) -> usize {
        let gone: Vec<Arc<Labels>> = self.series.keys().filter(|labels| !keep(labels)).cloned().collect();
        let removed = gone.len();
        for labels in gone {
            self.series.remove(&labels);
            self.forget_in_count(&labels);
            let values: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
            // Fails only for a series that is not there.
            let _ = match &self.collector {
                Vector::Counter(vec) => vec.remove_label_values(&values),
                Vector::Gauge(vec) => vec.remove_label_values(&values),
                Vector::Histogram(vec) => vec.remove_label_values(&values),
            };
        }
        removed
    }

    /// The labels and the value of each series of a counter or gauge. Quick also where there are many: nothing is
    /// copied.
    pub(super) fn values(&self) -> Vec<(Arc<Labels>, f64)> {
        let value = |handle: &Handle| match handle {
            Handle::Counter(counter) => Some(counter.get()),
            Handle::Gauge(gauge) => Some(gauge.get()),
            Handle::Histogram(_) => None,
        };
        self.series.iter().filter_map(|(labels, handle)| Some((Arc::clone(labels), value(handle)?))).collect()
    }

    fn series(&mut self, labels: Labels, limit: usize) -> Result<&Handle, Dropped> {
        if labels.len() != self.descriptor.all_labels().count() {
            return Err(Dropped::Labels);
        }
        let target = target_of(self.descriptor, &labels);
        let vacant = match self.series.entry(Arc::new(labels)) {
            Entry::Occupied(handle) => return Ok(handle.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let count = self.series_of_target.entry(target).or_default();
        if *count >= limit {
            return Err(Dropped::Limit);
        }
        let values: Vec<&str> = vacant.key().iter().map(AsRef::as_ref).collect();
        let handle = match &self.collector {
            Vector::Counter(vec) => vec.get_metric_with_label_values(&values).map(Handle::Counter),
            Vector::Gauge(vec) => vec.get_metric_with_label_values(&values).map(Handle::Gauge),
            Vector::Histogram(vec) => vec.get_metric_with_label_values(&values).map(Handle::Histogram),
        };
        let handle = handle.map_err(|_| Dropped::Labels)?;
        *count += 1;
        Ok(vacant.insert(handle))
    }

    fn forget_in_count(&mut self, labels: &[LabelValue]) {
        let target = target_of(self.descriptor, labels);
        if let Entry::Occupied(mut count) = self.series_of_target.entry(target) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// A series' labels as OpenTelemetry attributes; an empty value is no attribute, as in Prometheus.
pub(super) fn attributes(
    descriptor: &Descriptor,
    labels: &[LabelValue],
    location: Option<&str>,
) -> Vec<KeyValue> {
    let own = descriptor.all_labels().zip(labels).filter(|(_, value)| !value.is_empty());
    let own = own.map(|(name, value)| KeyValue::new(name, value.clone().into_owned()));
    own.chain(location.map(|location| KeyValue::new("location", location.to_owned()))).collect()
}

/// What the limit is counted by: the target, or nothing for the agent's own metrics.
fn target_of(descriptor: &Descriptor, labels: &[LabelValue]) -> LabelValue {
    match descriptor.scope {
        Scope::Agent => Cow::Borrowed(""),
        Scope::Target | Scope::Job => labels.first().cloned().unwrap_or_default(),
    }
}
