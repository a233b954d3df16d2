//! From the recorder to OpenTelemetry's metrics.
//!
//! Two meter providers. Counters and gauges are observed from the series that Prometheus shows: theirs lives as long
//! as the agent, so that what is counted is counted from one start. Histograms are aggregated by the SDK, which can't
//! forget a series: theirs is made anew when series went. What the old one still held is exported first, so nothing
//! is lost, and the new one begins at zero with a start of its own, so nothing counts twice.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Stream,
    Temporality as SdkTemporality,
};

use super::settings::Temporality;
use crate::metrics::Recorder;

/// Buckets of an exponential histogram at the most, and its finest scale: the specification's defaults.
const BUCKETS: u32 = 160;
const SCALE: i8 = 20;
/// Old histograms that still wait for a collector that takes them.
const MOST_RETIRED: usize = 4;
/// Targets for which there is room from the start.
const LEAST_TARGETS: usize = 8;
/// The name of our instrumentation scope.
pub(super) const SCOPE: &str = "gateprobe";

/// All meters.
pub(super) struct Meters {
    recorder: Arc<Recorder>,
    resource: Resource,
    temporality: SdkTemporality,
    targets: Arc<AtomicUsize>,
    /// For so many targets there is room.
    room: usize,
    totals: Provider,
    histograms: Provider,
    retired: VecDeque<Provider>,
}

/// What one request carries.
pub(super) struct Batch {
    data: ResourceMetrics,
    /// It was the last of a provider that has retired.
    retired: bool,
}

impl Batch {
    pub(super) fn data(&self) -> &ResourceMetrics {
        &self.data
    }
}

impl Meters {
    pub(super) fn new(
        recorder: &Arc<Recorder>,
        resource: &Resource,
        temporality: Temporality,
        targets: Arc<AtomicUsize>,
    ) -> Self {
        let (temporality, room) = (SdkTemporality::from(temporality), room_for(&targets));
        let totals = Provider::new(recorder, resource, temporality, room);
        let histograms = Provider::new(recorder, resource, temporality, room);
        totals.observe(recorder);
        histograms.record(recorder);
        Self {
            recorder: Arc::clone(recorder),
            resource: resource.clone(),
            temporality,
            targets,
            room,
            totals,
            histograms,
            retired: VecDeque::new(),
        }
    }

    /// What is to be exported now, in this order.
    pub(super) fn collect(&mut self) -> Vec<Batch> {
        self.make_room();
        if self.recorder.forgot_series() {
            self.renew_histograms();
        }
        let retired = self.retired.iter().map(|provider| (provider, true));
        let providers = retired.chain([(&self.histograms, false), (&self.totals, false)]);
        let batches = providers.map(|(provider, retired)| Batch { data: provider.collect(), retired });
        batches.filter(|batch| batch.retired || batch.data.scope_metrics().next().is_some()).collect()
    }

    /// The collector has it.
    pub(super) fn sent(&mut self, batch: Batch) {
        if batch.retired {
            self.retired.pop_front();
        }
    }

    fn renew_histograms(&mut self) {
        let fresh = Provider::new(&self.recorder, &self.resource, self.temporality, self.room);
        fresh.record(&self.recorder);
        let old = std::mem::replace(&mut self.histograms, fresh);
        self.retire(old);
    }

    /// The SDK's limit on series is set once for each meter. A plan that has outgrown it gets new ones: the counters
    /// go on where they were, with a later start.
    fn make_room(&mut self) {
        if self.targets.load(Ordering::Relaxed) <= self.room {
            return;
        }
        self.room = room_for(&self.targets);
        let fresh = Provider::new(&self.recorder, &self.resource, self.temporality, self.room);
        fresh.observe(&self.recorder);
        let old = std::mem::replace(&mut self.totals, fresh);
        self.retire(old);
        self.renew_histograms();
    }

    fn retire(&mut self, old: Provider) {
        if self.retired.len() == MOST_RETIRED {
            self.retired.pop_front();
        }
        self.retired.push_back(old);
    }
}

fn room_for(targets: &AtomicUsize) -> usize {
    (targets.load(Ordering::Relaxed) * 3 / 2).max(LEAST_TARGETS)
}

/// A meter provider that is read when we want.
struct Provider {
    provider: SdkMeterProvider,
    reader: Reader,
}

impl Provider {
    fn new(recorder: &Recorder, resource: &Resource, temporality: SdkTemporality, targets: usize) -> Self {
        let reader = Reader(Arc::new(ManualReader::builder().with_temporality(temporality).build()));
        let limits: HashMap<String, usize> = recorder
            .descriptors()
            .map(|metric| (metric.otel_name(), recorder.most_series(metric, targets)))
            .collect();
        let provider = SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_reader(reader.clone())
            .with_view(move |instrument: &Instrument| {
                stream(instrument, limits.get(instrument.name()).copied())
            })
            .build();
        Self { provider, reader }
    }

    fn observe(&self, recorder: &Recorder) {
        recorder.observe_by(&self.provider.meter(SCOPE));
        // The SDK reserves memory for as many series as the limit allows, until the first collection. And what was
        // counted up to now is not to be told as what was counted since the export before.
        self.collect();
    }

    fn record(&self, recorder: &Recorder) {
        recorder.record_to(&self.provider.meter(SCOPE));
    }

    fn collect(&self) -> ResourceMetrics {
        let mut data = ResourceMetrics::default();
        if let Err(error) = self.reader.collect(&mut data) {
            tracing::error!(%error, "metrics could not be collected: please report this");
        }
        data
    }
}

fn stream(instrument: &Instrument, limit: Option<usize>) -> Option<Stream> {
    let mut stream = Stream::builder().with_cardinality_limit(limit?);
    if instrument.kind() == InstrumentKind::Histogram {
        // Over the life of an agent, the least and the greatest value say nothing.
        let aggregation = Aggregation::Base2ExponentialHistogram {
            max_size: BUCKETS,
            max_scale: SCALE,
            record_min_max: false,
        };
        stream = stream.with_aggregation(aggregation);
    }
    stream.build().ok()
}

/// The SDK takes its reader for itself; this one can be kept.
#[derive(Debug, Clone)]
struct Reader(Arc<ManualReader>);

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> SdkTemporality {
        self.0.temporality(kind)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};

    use super::*;
    use crate::metrics::{Descriptor, Kind, Sample, Scope, Settings, Unit};

    static SEEN: Descriptor = Descriptor {
        name: "gateprobe_seen_total",
        help: "Seen",
        scope: Scope::Job,
        kind: Kind::Counter,
        unit: Unit::None,
        labels: &["what"],
    };

    static TOOK: Descriptor = Descriptor {
        name: "gateprobe_took_seconds",
        help: "Took",
        scope: Scope::Job,
        kind: Kind::Histogram { buckets: &[1.0] },
        unit: Unit::Seconds,
        labels: &["what"],
    };

    /// Each target has so many series of each metric.
    const SERIES: usize = 250;

    fn record(recorder: &Recorder, targets: std::ops::Range<usize>) {
        for target in targets {
            for what in 0..SERIES {
                for metric in [&SEEN, &TOOK] {
                    let labels = vec![Cow::Owned(what.to_string())];
                    recorder.record_job(&format!("t{target}"), "c", &Sample { metric, labels, value: 1.0 });
                }
            }
        }
    }

    /// Of each batch: whether it has retired, its series of the histogram, and the sum of the counter.
    fn told(batches: &[Batch]) -> Vec<(bool, usize, f64)> {
        let one = |batch: &Batch| {
            let (mut series, mut sum) = (0, 0.0);
            for metric in batch.data.scope_metrics().flat_map(|scope| scope.metrics()) {
                match metric.data() {
                    AggregatedMetrics::F64(MetricData::ExponentialHistogram(histogram)) => {
                        series += histogram.data_points().count();
                    }
                    AggregatedMetrics::F64(MetricData::Sum(data)) if metric.name() == "gateprobe.seen" => {
                        let whole = data.data_points().filter(|point| point.attributes().count() == 3);
                        sum += whole.map(|point| point.value()).sum::<f64>();
                    }
                    _ => {}
                }
            }
            (batch.retired, series, sum)
        };
        batches.iter().map(one).collect()
    }

    #[test]
    fn the_sdk_has_room_for_all_and_forgets_what_is_gone() {
        let recorder = Arc::new(Recorder::new(&[&SEEN, &TOOK], Settings::default()).expect("good"));
        let targets = Arc::new(AtomicUsize::new(20));
        let resource = Resource::builder_empty().build();
        let mut meters = Meters::new(&recorder, &resource, Temporality::Cumulative, Arc::clone(&targets));
        record(&recorder, 0..20);
        let all = 20 * SERIES;
        assert_eq!(told(&meters.collect()), [(false, all, 0.0), (false, 0, all as f64)]);

        recorder.retain(|target, _| target == "t0");
        record(&recorder, 0..1);
        let batches = meters.collect();
        let left = 2.0 * SERIES as f64;
        assert_eq!(told(&batches)[0], (true, all, 0.0), "what it had, once more");
        assert_eq!(told(&batches).last(), Some(&(false, 0, left)), "counted from the one start");
        // Not taken by the collector: it comes again.
        let batches = meters.collect();
        assert!(told(&batches)[0].0);
        batches.into_iter().for_each(|batch| meters.sent(batch));
        record(&recorder, 0..1);
        assert_eq!(told(&meters.collect()), [(false, SERIES, 0.0), (false, 0, 1.5 * left)]);
    }

    #[test]
    fn a_plan_that_outgrows_the_room_gets_more() {
        let recorder = Arc::new(Recorder::new(&[&SEEN, &TOOK], Settings::default()).expect("good"));
        let targets = Arc::new(AtomicUsize::new(1));
        let resource = Resource::builder_empty().build();
        let mut meters = Meters::new(&recorder, &resource, Temporality::Cumulative, Arc::clone(&targets));
        record(&recorder, 0..1);
        targets.store(50, Ordering::Relaxed);
        meters.collect().into_iter().for_each(|batch| meters.sent(batch));
        record(&recorder, 1..50);
        let (series, sum) = (49 * SERIES, 50.0 * SERIES as f64);
        assert_eq!(told(&meters.collect()), [(false, series, 0.0), (false, 0, sum)]);
    }
}
