//! A gauge whose value is asked for when somebody looks: what goes up and down many times a second, and by many
//! hands, would be wrong by the time that it is written down.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, Metric, MetricFamily, MetricType};

use super::Descriptor;

/// A Prometheus collector over a function.
pub(super) struct ReadGauge {
    desc: Desc,
    metric: &'static Descriptor,
    read: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl ReadGauge {
    pub(super) fn new(
        metric: &'static Descriptor,
        read: Arc<dyn Fn() -> f64 + Send + Sync>,
    ) -> prometheus::Result<Self> {
        let (name, help) = (metric.name.to_owned(), metric.help.to_owned());
        Ok(Self { desc: Desc::new(name, help, Vec::new(), Default::default())?, metric, read })
    }
}

impl Collector for ReadGauge {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut gauge = Gauge::default();
        gauge.set_value((self.read)());
        let mut family = MetricFamily::default();
        family.set_name(self.metric.name.to_owned());
        family.set_help(self.metric.help.to_owned());
        family.set_field_type(MetricType::GAUGE);
        family.set_metric(vec![Metric::from_gauge(gauge)]);
        vec![family]
    }
}
