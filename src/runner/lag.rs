//! How late the agent itself was during a run.
//!
//! The watch lives in the run's own task, so that it suffers whatever the run suffers: a busy or frozen
//! runtime, a stopped process, a starved virtual machine.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How often the watch looks. A freeze shorter than this can go unseen, but then it is below every bound.
const TICK: Duration = Duration::from_millis(20);

/// The worst lateness seen so far.
#[derive(Debug, Default)]
pub struct Lag(Cell<Duration>);

impl Lag {
    /// The worst lateness seen so far; tokio's own timer is about 1.1 ms late at all times.
    pub fn worst(&self) -> Duration {
        self.0.get()
    }

    /// Watches until it is dropped.
    pub async fn watch(&self) -> Infallible {
        loop {
            let due = Instant::now() + TICK;
            sleep_until(due).await;
            let late = due.elapsed();
            if late > self.0.get() {
                self.0.set(late);
            }
        }
    }
}
