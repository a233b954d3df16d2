//! Of the judge as a whole.

mod bench;
mod compared;
mod missing;
mod power;
mod stops;
mod thresholds;
pub(crate) mod world;
