//! One run of one check: deadline, cancellation, report.

mod lag;
mod throttle;
mod witness;

pub use lag::Lag;
pub use throttle::Throttle;
pub use witness::Witness;
