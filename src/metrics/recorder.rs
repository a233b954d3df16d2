//! From samples to series: each descriptor of the catalogue becomes a Prometheus collector and an
//! OpenTelemetry instrument. Counters and gauges are read by OpenTelemetry from the very series that
//! Prometheus shows; only histograms are recorded twice.

mod otel;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use opentelemetry::metrics::Histogram;
use prometheus::proto::MetricFamily;
use prometheus::{Registry, TextEncoder};

use super::family::{Dropped, Family, Labels, attributes};
use super::process::Process;
use super::reading::ReadGauge;
use super::subject::{Kept, Subject};
use super::target_info::{TARGET_INFO, TargetInfo};
use super::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
use crate::model::RunReport;

/// What the recorder says about itself; it records these without being told to.
pub static METRICS: &[&Descriptor] = &[&BUILD_INFO, &DROPPED, &TARGET_INFO];

static BUILD_INFO: Descriptor = Descriptor {
    name: "gateprobe_build_info",
    help: "Always 1; carries the version and the source revision that the agent was built from",
    scope: Scope::Agent,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["version", "revision"],
};

static DROPPED: Descriptor = Descriptor {
    name: "gateprobe_metric_series_dropped_total",
    help: "Samples that were not recorded, because a target has too many series or because of a bug",
    scope: Scope::Agent,
    kind: Kind::Counter,
    unit: Unit::None,
    labels: &["reason"],
};

/// The values of the label `reason` of [`DROPPED`]; all but the first tell of a bug.
const REASONS: [&str; 4] = ["limit", "unknown_metric", "bad_labels", "bad_value"];

/// How many series a metric of the agent itself may have; their label values are closed sets.
const AGENT_SERIES: usize = 1000;

/// Bounds and constants of a recorder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The value of the label `location` on every series; no such label if `None`.
    pub location: Option<String>,
    /// How many series a target may have in one metric; samples that would need more are dropped and
    /// counted.
    pub series_per_target: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { location: None, series_per_target: 250 }
    }
}

/// A catalogue that no recorder can be made of.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// A name or label that Prometheus refuses, or two metrics of one name.
    #[error("metric {name}: {source}")]
    Metric {
        /// The metric.
        name: &'static str,
        /// What the Prometheus library said.
        source: prometheus::Error,
    },
}

/// Turns samples into series. All methods are synchronous and quick: no I/O, and no lock is held for
/// longer than one sample takes, except by [`Recorder::gather`] and [`Recorder::encode_text`].
pub struct Recorder {
    registry: Registry,
    families: BTreeMap<&'static str, Arc<Mutex<Family>>>,
    histograms: ArcSwap<HashMap<&'static str, Histogram<f64>>>,
    target_info: TargetInfo,
    kept: ArcSwap<Kept>,
    /// Series of histograms went.
    forgot: AtomicBool,
    readings: Vec<Reading>,
    settings: Settings,
}

/// A gauge of the agent whose value is asked for when somebody looks.
pub type Reading = (&'static Descriptor, Arc<dyn Fn() -> f64 + Send + Sync>);

impl Recorder {
    /// A recorder for the metrics of `catalogue`, its own [`METRICS`] and those of the process.
    /// Fails if two metrics share a name, or if a name or label is none that Prometheus knows.
    pub fn new(catalogue: &[&'static Descriptor], settings: Settings) -> Result<Self, RecorderError> {
        Self::with_readings(catalogue, Vec::new(), settings)
    }

    /// The same, with gauges that are read when somebody looks; they may stand in the catalogue as well.
    pub fn with_readings(
        catalogue: &[&'static Descriptor],
        readings: Vec<Reading>,
        settings: Settings,
    ) -> Result<Self, RecorderError> {
        let labels = settings.location.iter().map(|at| ("location".to_owned(), at.clone())).collect();
        let of = |name| move |source| RecorderError::Metric { name, source };
        let registry = Registry::new_custom(None, Some(labels)).map_err(of("gateprobe"))?;
        let mut families = BTreeMap::new();
        let own = METRICS.iter().filter(|own| !catalogue.contains(own));
        let is_read = |metric: &Descriptor| readings.iter().any(|(read, _)| read.name == metric.name);
        let metrics = catalogue.iter().chain(own);
        let metrics = metrics.filter(|metric| metric.name != TARGET_INFO.name && !is_read(metric));
        for &metric in metrics {
            let family = Family::new(metric).map_err(of(metric.name))?;
            registry.register(family.collector()).map_err(of(metric.name))?;
            families.insert(metric.name, Arc::new(Mutex::new(family)));
        }
        let target_info = TargetInfo::new().map_err(of(TARGET_INFO.name))?;
        registry.register(Box::new(target_info.clone())).map_err(of(TARGET_INFO.name))?;
        for (metric, read) in &readings {
            let gauge = ReadGauge::new(metric, Arc::clone(read)).map_err(of(metric.name))?;
            registry.register(Box::new(gauge)).map_err(of(metric.name))?;
        }
        let process = Process::new().map_err(of("process"))?;
        registry.register(Box::new(process)).map_err(of("process"))?;
        let recorder = Self {
            registry,
            families,
            histograms: ArcSwap::default(),
            target_info,
            kept: ArcSwap::from_pointee(Kept::new(|_, _| true)),
            forgot: AtomicBool::new(false),
            readings,
            settings,
        };
        recorder.begin();
        Ok(recorder)
    }

    /// The value of the label `location`, where there is one.
    pub fn location(&self) -> Option<&str> {
        self.settings.location.as_deref()
    }

    /// Every metric, the recorder's own too; not those of the process.
    pub fn descriptors(&self) -> impl Iterator<Item = &'static Descriptor> {
        let readings = self.readings.iter().map(|(metric, _)| *metric);
        let families = self.families.values().map(|family| lock(family).descriptor);
        families.chain(readings).chain([&TARGET_INFO])
    }

    /// Records what a run measured, under the labels of its job.
    pub fn record(&self, report: &RunReport) {
        let (target, check) = (&*report.job.target, report.job.check);
        let subject = Subject::Job { target, check, peer: report.peer.as_deref() };
        for sample in &report.samples {
            self.take(subject, sample);
        }
    }

    /// Records a sample about a job, outside of its runs.
    pub fn record_job(&self, target: &str, check: &str, sample: &Sample) {
        self.take(Subject::Job { target, check, peer: None }, sample);
    }

    /// Records a sample about a target as a whole.
    pub fn record_target(&self, target: &str, sample: &Sample) {
        self.take(Subject::Target(target), sample);
    }

    /// Records a sample about the agent itself.
    pub fn record_agent(&self, sample: &Sample) {
        self.take(Subject::Agent, sample);
    }

    /// Makes counters and histograms of a job exist at 0, each with the values of its own labels: a
    /// counter that first appears at 1 is invisible to `rate()`. Gauges stay absent until measured.
    pub fn precreate(
        &self,
        target: &str,
        check: &str,
        peer: Option<&str>,
        series: impl IntoIterator<Item = (&'static Descriptor, Vec<LabelValue>)>,
    ) {
        for (metric, own) in series {
            self.change(Subject::Job { target, check, peer }, metric, &own, Family::create);
        }
    }

    /// The config's own labels of each target, by target; replaces all from before.
    pub fn set_target_info(&self, targets: BTreeMap<String, BTreeMap<String, String>>) {
        self.target_info.set(targets);
    }

    /// Removes the series of each target and check that is gone. `keep` is asked with `None` for what
    /// belongs to the target as a whole. It stays in force until the next call, so that the last report of
    /// a removed job, which may come late, can't bring its series back.
    pub fn retain(&self, keep: impl Fn(&str, Option<&str>) -> bool + Send + Sync + 'static) {
        let keep = Arc::new(Kept::new(keep));
        self.kept.store(Arc::clone(&keep));
        for family in self.families.values() {
            let mut family = lock(family);
            let scope = family.descriptor.scope;
            let removed = family.retain(|labels| keep.allows(scope, labels));
            self.note_forgotten(&family, removed);
        }
    }

    /// Removes the series of one metric for each target and check that it no longer holds for. A later sample
    /// brings it back.
    pub fn retain_jobs(&self, metric: &Descriptor, keep: impl Fn(&str, &str) -> bool) {
        if let Some(family) = self.families.get(metric.name).filter(|_| metric.scope == Scope::Job) {
            lock(family).retain(|labels| keep(&labels[0], &labels[1]));
        }
    }

    /// Removes the series of each address of a target that it no longer resolves to.
    pub fn retain_peers(&self, target: &str, keep: impl Fn(&str) -> bool) {
        for family in self.families.values() {
            let mut family = lock(family);
            if family.descriptor.scope == Scope::Job {
                let removed = family.retain(|labels| {
                    let (of, peer) = (&labels[0], &labels[2]);
                    of != target || peer.is_empty() || keep(peer)
                });
                self.note_forgotten(&family, removed);
            }
        }
    }

    /// Removes what gauges say of a job as a whole, where each of its addresses says it for itself. A later sample brings
    /// it back.
    pub fn forget_nameless(&self, gauges: &[&Descriptor], target: &str, check: &str) {
        for family in gauges.iter().filter_map(|gauge| self.families.get(gauge.name)) {
            lock(family).retain(|labels| labels[..3] != [target, check, ""]);
        }
    }

    fn note_forgotten(&self, family: &Family, removed: usize) {
        if removed > 0 && matches!(family.descriptor.kind, Kind::Histogram { .. }) {
            self.forgot.store(true, Ordering::Release);
        }
    }

    /// All series as the Prometheus library hands them out. Takes milliseconds where there are many
    /// thousands: not for an async task.
    pub fn gather(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        for metric in families.iter_mut().flat_map(|family| family.mut_metric()) {
            // To Prometheus, an empty label is no label; why show it?
            if metric.get_label().iter().any(|label| label.value().is_empty()) {
                let labels = metric.take_label();
                metric.set_label(labels.into_iter().filter(|label| !label.value().is_empty()).collect());
            }
        }
        families
    }

    /// All series in the text format 0.0.4; costs what [`Recorder::gather`] does.
    pub fn encode_text(&self) -> String {
        let mut text = String::new();
        // Fails only for a family without a name or series, and `gather` leaves those out.
        if let Err(error) = TextEncoder::new().encode_utf8(&self.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }

    fn begin(&self) {
        // By build.rs.
        let build = [env!("CARGO_PKG_VERSION"), env!("GATEPROBE_REVISION")];
        self.record_agent(&Sample::labelled(&BUILD_INFO, build, 1.0));
        for reason in REASONS {
            self.record_agent(&Sample::labelled(&DROPPED, [reason], 0.0));
        }
    }

    fn take(&self, subject: Subject<'_>, sample: &Sample) {
        self.change(subject, sample.metric, &sample.labels, |family, labels, limit| {
            let histograms = self.histograms.load();
            let histogram = histograms.get(sample.metric.name).map(|instrument| {
                (instrument, attributes(sample.metric, &labels, self.settings.location.as_deref()))
            });
            family.record(labels, sample.value, limit)?;
            if let Some((instrument, attributes)) = histogram {
                instrument.record(sample.value, &attributes);
            }
            Ok(())
        });
    }

    fn change(
        &self,
        subject: Subject<'_>,
        metric: &'static Descriptor,
        own: &[LabelValue],
        apply: impl FnOnce(&mut Family, Labels, usize) -> Result<(), Dropped>,
    ) {
        let Some(family) = self.families.get(metric.name) else {
            self.count_dropped("unknown_metric", metric);
            debug_assert!(false, "{} is not in the catalogue", metric.name);
            return;
        };
        let result = {
            let mut family = lock(family);
            let labels = subject.labels(metric.scope, own);
            // Asked under the family's lock: `retain` changes the rule first and removes afterwards.
            if !labels.as_ref().is_none_or(|labels| self.kept.load().allows(metric.scope, labels)) {
                return;
            }
            let limit = match metric.scope {
                Scope::Agent => AGENT_SERIES,
                Scope::Target | Scope::Job => self.settings.series_per_target,
            };
            let result = labels.ok_or(Dropped::Labels).and_then(|labels| apply(&mut family, labels, limit));
            if result == Err(Dropped::Limit) && !std::mem::replace(&mut family.limit_was_logged, true) {
                tracing::warn!(
                    metric = metric.name,
                    limit,
                    "a target has too many series; some are not recorded"
                );
            }
            result
        };
        match result {
            Ok(()) => {}
            Err(Dropped::Limit) => self.count_dropped("limit", metric),
            Err(Dropped::Value) => self.count_dropped("bad_value", metric),
            Err(Dropped::Labels) => {
                self.count_dropped("bad_labels", metric);
                debug_assert!(false, "{} has other labels", metric.name);
            }
        }
    }

    fn count_dropped(&self, reason: &'static str, metric: &Descriptor) {
        if reason != "limit" {
            tracing::error!(metric = metric.name, reason, "a sample was not recorded: please report this");
        }
        if let Some(family) = self.families.get(DROPPED.name) {
            // Its few label values are far below any limit.
            let _ = lock(family).record(vec![Cow::Borrowed(reason)], 1.0, AGENT_SERIES);
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn lock(family: &Mutex<Family>) -> MutexGuard<'_, Family> {
    // A panic elsewhere leaves at worst one sample unrecorded.
    family.lock().unwrap_or_else(PoisonError::into_inner)
}
