//! How late the agent itself was during a run.
//!
//! The watch lives in the run's own task, so that it suffers whatever the run suffers: a busy or frozen
//! runtime, a stopped process, a starved virtual machine.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How often the watch looks. A freeze shorter than this can go unseen, but then it is below every bound.
const TICK: Duration = Duration::from_millis(20);

/// The worst lateness seen so far, in nanoseconds.
#[derive(Debug, Default)]
pub struct Lag(AtomicU64);

impl Lag {
    /// The worst lateness seen so far; tokio's own timer is about 1.1 ms late at all times.
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Watches until it is dropped.
    pub async fn watch(&self) -> Infallible {
        loop {
            let due = Instant::now() + TICK;
            sleep_until(due).await;
            let late = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.0.fetch_max(late, Ordering::Relaxed);
        }
    }
}
