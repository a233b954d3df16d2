//! Metrics as data: a metric is a `static` descriptor beside its owner, a run carries samples by
//! descriptor, and the recorder alone knows the libraries behind them.

mod descriptor;
mod family;
mod lint;
mod process;
mod reading;
mod recorder;
mod subject;
mod target_info;
#[cfg(test)]
pub(crate) mod text_format;

pub use descriptor::{Descriptor, Kind, LabelValue, Sample, Scope, Unit};
pub use lint::lint;
pub use recorder::{METRICS, Reading, Recorder, RecorderError, Settings};
pub use target_info::valid_label_name;
