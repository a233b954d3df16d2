//! When each job runs. Knows nothing of what a check does.

mod backoff;
mod cadence;
mod clock;
mod driver;

pub use backoff::Wish;
pub use cadence::Cadence;
pub use clock::Clock;
pub use driver::{Driver, Observer, Skip};
