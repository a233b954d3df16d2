//! What the recorder tells OpenTelemetry.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::super::family::attributes;
use super::super::target_info::TARGET_INFO;
use super::super::{Descriptor, Kind, Scope};
use super::{AGENT_SERIES, Recorder, lock};

impl Recorder {
    /// Lets a meter observe counters and gauges: it is told, at each of its collections, of the series that
    /// Prometheus shows, and forgets those that are gone.
    pub fn observe_by(&self, meter: &Meter) {
        for family in self.families.values() {
            let metric = lock(family).descriptor;
            if matches!(metric.kind, Kind::Histogram { .. }) {
                continue;
            }
            let (family, location) = (Arc::clone(family), self.settings.location.clone());
            observe(meter, metric, move |instrument| {
                // The lock is not held for longer than this line: runs record meanwhile.
                let values = lock(&family).values();
                for (labels, value) in values {
                    instrument.observe(value, &attributes(metric, &labels, location.as_deref()));
                }
            });
        }
        let (info, location) = (self.target_info.clone(), self.settings.location.clone());
        observe(meter, &TARGET_INFO, move |instrument| info.observe(instrument, location.as_deref()));
        for &(metric, ref read) in &self.readings {
            let (read, location) = (Arc::clone(read), self.settings.location.clone());
            observe(meter, metric, move |instrument| {
                instrument.observe(read(), &attributes(metric, &[], location.as_deref()));
            });
        }
    }

    /// Records histograms by a meter from now on, in place of the one before, which gets nothing more when this
    /// returns. The SDK can't forget a histogram's series: whoever exports takes a new meter when
    /// [`Recorder::forgot_series`] says so.
    pub fn record_to(&self, meter: &Meter) {
        let mut histograms = HashMap::new();
        for (&name, family) in &self.families {
            let metric = lock(family).descriptor;
            if let Kind::Histogram { buckets } = metric.kind {
                let builder = meter.f64_histogram(metric.otel_name()).with_description(metric.help);
                let builder = builder.with_unit(metric.unit.ucum()).with_boundaries(buckets.to_vec());
                histograms.insert(name, builder.build());
            }
        }
        let names: Vec<&str> = histograms.keys().copied().collect();
        self.histograms.store(Arc::new(histograms));
        // Who still records by the old ones does so under the family's lock.
        names.iter().filter_map(|name| self.families.get(name)).for_each(|family| drop(lock(family)));
    }

    /// Whether series of histograms went since this was last asked.
    pub fn forgot_series(&self) -> bool {
        self.forgot.swap(false, Ordering::AcqRel)
    }

    /// How many series a metric can have with so many targets.
    pub fn most_series(&self, metric: &Descriptor, targets: usize) -> usize {
        match metric.scope {
            Scope::Agent => AGENT_SERIES,
            Scope::Target | Scope::Job => targets.max(1).saturating_mul(self.settings.series_per_target),
        }
    }
}

/// Registers an observable instrument for a counter or gauge.
fn observe(
    meter: &Meter,
    metric: &'static Descriptor,
    callback: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
) {
    let (name, unit) = (metric.otel_name(), metric.unit.ucum());
    // The SDK keeps the callback; the instrument itself is an empty shell.
    if metric.kind == Kind::Counter {
        let builder = meter.f64_observable_counter(name).with_description(metric.help);
        let _ = builder.with_unit(unit).with_callback(callback).build();
    } else {
        let builder = meter.f64_observable_gauge(name).with_description(metric.help);
        let _ = builder.with_unit(unit).with_callback(callback).build();
    }
}
