//! The bounded history of runs, in memory: what the HTTP API and `gateprobe check` show. Knows neither
//! how runs come about nor who asks.

mod history;
mod view;

pub use history::{Bounds, History, JobView, Query};
pub use view::{LastRun, PhaseView, RunView};
