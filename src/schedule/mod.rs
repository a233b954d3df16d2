//! When each job runs. Knows nothing of what a check does.

mod backoff;
mod cadence;
mod clock;
mod driver;
mod turn;

pub use backoff::Wish;
pub use cadence::Cadence;
pub use clock::Clock;
pub use driver::{Driver, Observer, Skip};
pub use turn::{InProgress, Turn};
