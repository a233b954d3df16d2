//! Metrics as data: a metric is a `static` descriptor beside its owner, a run carries samples by
//! descriptor, and the recorder alone knows the libraries behind them.

mod descriptor;

pub use descriptor::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
