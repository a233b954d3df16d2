//! The bounded history of runs, in memory: what the HTTP API and `gateprobe check` show. Knows neither
//! how runs come about nor who asks.

mod failures;
mod feed;
mod history;
mod view;

pub use feed::{Feed, News};
pub use history::{Bounds, History, JobRuns, JobView, Query};
pub use view::{LastRun, Measured, PhaseView, RunView};
