//! `gateprobe_target_info`: the one metric whose label names come from the config.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::{Descriptor, Kind, Scope, Unit};

/// The config's own labels of each target, for joins and for the routing of alerts.
pub(super) static TARGET_INFO: Descriptor = Descriptor {
    name: "gateprobe_target_info",
    help: "Always 1; carries the labels that the config gives to a target",
    scope: Scope::Target,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &[],
};

/// True for what a label of a target may be called: the Prometheus data model's label names, without those
/// that begin with two underscores.
pub fn valid_label_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with("__")
}

/// A Prometheus collector over the labels of each target.
#[derive(Clone)]
pub(super) struct TargetInfo {
    desc: Desc,
    targets: Arc<RwLock<BTreeMap<String, BTreeMap<String, String>>>>,
}

impl TargetInfo {
    pub(super) fn new() -> prometheus::Result<Self> {
        let (name, help) = (TARGET_INFO.name.to_owned(), TARGET_INFO.help.to_owned());
        let desc = Desc::new(name, help, vec!["target".to_owned()], Default::default())?;
        Ok(Self { desc, targets: Arc::default() })
    }

    /// Replaces all targets. A label that Prometheus would refuse, or that would shadow `target`, is left
    /// out: the config refuses such a one with its place, and one slip must not cost the whole scrape.
    pub(super) fn set(&self, targets: BTreeMap<String, BTreeMap<String, String>>) {
        let usable = |name: &str| valid_label_name(name) && !matches!(name, "target" | "location");
        let targets = targets.into_iter().map(|(target, mut labels)| {
            labels.retain(|name, value| usable(name) && !value.is_empty());
            (target, labels)
        });
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = targets.collect();
    }

    /// Tells OpenTelemetry the same.
    pub(super) fn observe(&self, instrument: &dyn AsyncInstrument<f64>, location: Option<&str>) {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        for (target, labels) in targets.iter() {
            let mut attributes = vec![KeyValue::new("target", target.clone())];
            attributes.extend(labels.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone())));
            attributes.extend(location.map(|location| KeyValue::new("location", location.to_owned())));
            instrument.observe(1.0, &attributes);
        }
    }
}

impl Collector for TargetInfo {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        let metrics = targets.iter().map(|(target, labels)| {
            let own = labels.iter().map(|(name, value)| pair(name, value));
            let mut gauge = Gauge::default();
            gauge.set_value(1.0);
            let mut metric = Metric::from_gauge(gauge);
            metric.set_label(own.chain([pair("target", target)]).collect());
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name(TARGET_INFO.name.to_owned());
        family.set_help(TARGET_INFO.help.to_owned());
        family.set_field_type(MetricType::GAUGE);
        family.set_metric(metrics.collect());
        vec![family]
    }
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_names_follow_prometheus() {
        for good in ["team", "_x", "tier2", "A"] {
            assert!(valid_label_name(good), "{good}");
        }
        for bad in ["", "2nd", "a-b", "a.b", "__name__", "größe", "a b"] {
            assert!(!valid_label_name(bad), "{bad}");
        }
    }
}
