//! One job's loop: sleep until it is due, run it, count the ticks that it overran.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::{Cadence, Clock};

/// Why a tick did not become a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The run before was still going.
    Overrun,
    /// The target is paused.
    Paused,
}

impl Skip {
    /// Every value of the label `reason`.
    pub const ALL: [Self; 2] = [Self::Overrun, Self::Paused];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Overrun => "overrun",
            Self::Paused => "paused",
        }
    }
}

/// Is told what the schedule does.
pub trait Observer {
    /// A run starts, so much later than it was due.
    fn starts(&self, lag: Duration);
    /// So many ticks were skipped.
    fn skipped(&self, skip: Skip, ticks: u64);
}

/// Drives one job.
#[derive(Debug)]
pub struct Driver {
    /// When the job is due.
    pub cadence: Cadence,
    /// What time it is.
    pub clock: Clock,
}

impl Driver {
    /// Runs the job at each tick until `stop`. A run that has begun is awaited: cutting it short is the
    /// business of `run` itself.
    pub async fn drive<F: Future<Output = ()>>(
        &self,
        observer: &impl Observer,
        paused: impl Fn(Duration) -> bool,
        mut run: impl FnMut() -> F,
        stop: &CancellationToken,
    ) {
        let mut tick = self.cadence.next(self.clock.now());
        loop {
            let due = tick + self.cadence.jitter(rand::random());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(self.clock.instant(due)) => {}
            }
            if paused(self.clock.now()) {
                observer.skipped(Skip::Paused, 1);
            } else {
                observer.starts(self.clock.now().saturating_sub(due));
                run().await;
            }
            let now = self.clock.now();
            let missed = self.cadence.missed(tick, now);
            if missed > 0 && !stop.is_cancelled() {
                observer.skipped(Skip::Overrun, missed);
            }
            tick = self.cadence.next(now.max(tick));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::{sleep, timeout};

    use super::*;

    #[derive(Default)]
    struct Counts {
        starts: Cell<u64>,
        worst_lag: Cell<Duration>,
        overrun: Cell<u64>,
        paused: Cell<u64>,
    }

    impl Observer for Counts {
        fn starts(&self, lag: Duration) {
            self.starts.set(self.starts.get() + 1);
            self.worst_lag.set(self.worst_lag.get().max(lag));
        }

        fn skipped(&self, skip: Skip, ticks: u64) {
            let count = match skip {
                Skip::Overrun => &self.overrun,
                Skip::Paused => &self.paused,
            };
            count.set(count.get() + ticks);
        }
    }

    fn driver(interval: u64) -> Driver {
        let cadence = Cadence::new(Duration::from_secs(interval), "chat", "handshake", "");
        Driver { cadence, clock: Clock::start_at(Duration::from_secs(1_700_000_000)) }
    }

    async fn drive_for(
        seconds: u64,
        driver: &Driver,
        counts: &Counts,
        paused: impl Fn(Duration) -> bool,
        takes: Duration,
    ) {
        let stop = CancellationToken::new();
        let driven = driver.drive(counts, paused, || sleep(takes), &stop);
        timeout(Duration::from_secs(seconds), driven).await.expect_err("drives until stopped");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_runs_once_an_interval_and_on_time() {
        let counts = Counts::default();
        drive_for(3_600, &driver(30), &counts, |_| false, Duration::from_secs(1)).await;
        assert!((119..=121).contains(&counts.starts.get()), "{}", counts.starts.get());
        assert!(counts.worst_lag.get() <= Duration::from_millis(2), "{:?}", counts.worst_lag.get());
        assert_eq!(counts.overrun.get() + counts.paused.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_overruns_its_interval_skips_ticks_and_they_are_counted() {
        let counts = Counts::default();
        drive_for(900, &driver(10), &counts, |_| false, Duration::from_secs(25)).await;
        let (starts, overrun) = (counts.starts.get(), counts.overrun.get());
        assert!((29..=31).contains(&starts), "{starts} runs");
        assert!((58..=62).contains(&overrun), "{overrun} skipped");
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_target_is_left_alone_and_that_is_counted() {
        let counts = Counts::default();
        let until = Duration::from_secs(1_700_000_000 + 300);
        drive_for(600, &driver(10), &counts, |now| now < until, Duration::from_secs(1)).await;
        assert!((29..=31).contains(&counts.paused.get()));
        assert!((29..=31).contains(&counts.starts.get()));
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_the_run_and_starts_no_other() {
        let (counts, stop, ended) = (Counts::default(), CancellationToken::new(), RefCell::new(0));
        let driver = driver(10);
        let run = || async {
            stop.cancel();
            sleep(Duration::from_secs(5)).await;
            *ended.borrow_mut() += 1;
        };
        driver.drive(&counts, |_| false, run, &stop).await;
        assert_eq!((counts.starts.get(), *ended.borrow()), (1, 1));
    }
}
