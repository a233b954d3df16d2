//! One job's loop: sleep until it is due or asked for, run it, count the ticks that it overran.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, Wish};
use super::{Cadence, Clock, Turn};

/// Why a tick did not become a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The run before was still going.
    Overrun,
    /// The target is paused.
    Paused,
    /// The run before was asked for patience.
    Backoff,
}

impl Skip {
    /// Every value of the label `reason`.
    pub const ALL: [Self; 3] = [Self::Overrun, Self::Paused, Self::Backoff];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Overrun => "overrun",
            Self::Paused => "paused",
            Self::Backoff => "backoff",
        }
    }
}

/// Is told what the schedule does.
pub trait Observer {
    /// The next tick comes in such a time.
    fn due(&self, time: Duration);
    /// A run starts, so much later than it was due.
    fn starts(&self, lag: Duration);
    /// So many ticks were skipped.
    fn skipped(&self, skip: Skip, ticks: u64);
    /// So many ticks will be left out, since the run that has ended was asked for patience.
    fn backs_off(&self, ticks: u64);
}

/// Drives one job.
#[derive(Debug)]
pub struct Driver {
    /// When the job is due.
    pub cadence: Cadence,
    /// What time it is.
    pub clock: Clock,
    /// Whether the job stays away for a while where a run was asked for patience.
    pub backs_off: bool,
}

impl Driver {
    /// Runs the job at each tick, and when `turn` asks for it, until `stop`. A run that has begun is awaited: cutting
    /// it short is the business of `run` itself.
    pub async fn drive<F: Future<Output = Wish>>(
        &self,
        observer: &impl Observer,
        paused: impl Fn(Duration) -> bool,
        mut run: impl FnMut() -> F,
        turn: &Turn,
        stop: &CancellationToken,
    ) {
        let mut backoff = Backoff::default();
        let mut tick = self.cadence.next(self.clock.now());
        let mut due = tick + self.cadence.jitter(rand::random());
        loop {
            observer.due(due.saturating_sub(self.clock.now()));
            let asked = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = turn.asked() => true,
                () = sleep_until(self.clock.instant(due)) => false,
            };
            let began = self.clock.now();
            // A run that was asked for shortly before its tick is due leaves the tick to come.
            let ticks = !asked || began >= tick;
            if paused(began) {
                turn.decline();
                if ticks {
                    observer.skipped(Skip::Paused, 1);
                }
            } else if !asked && backoff.skips() {
                turn.decline();
                observer.skipped(Skip::Backoff, 1);
            } else {
                if !asked {
                    observer.starts(began.saturating_sub(due));
                }
                let running = turn.begin();
                let wish = run().await;
                drop(running);
                if self.backs_off {
                    let ticks = backoff.after(wish, self.cadence.interval(), rand::random());
                    if ticks > 0 {
                        observer.backs_off(ticks);
                    }
                }
            }
            let now = self.clock.now();
            if !ticks && now < tick {
                continue;
            }
            // The tick itself was no run where one that was asked for went on beyond it.
            let missed = self.cadence.missed(tick, now) + u64::from(!ticks);
            if missed > 0 && !stop.is_cancelled() {
                observer.skipped(Skip::Overrun, missed);
            }
            tick = self.cadence.next(now.max(tick));
            due = tick + self.cadence.jitter(rand::random());
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
        backoff: Cell<u64>,
        announced: RefCell<Vec<u64>>,
        due: Cell<u64>,
        latest: Cell<Duration>,
    }

    impl Observer for Counts {
        fn due(&self, time: Duration) {
            self.due.set(self.due.get() + 1);
            self.latest.set(self.latest.get().max(time));
        }

        fn starts(&self, lag: Duration) {
            self.starts.set(self.starts.get() + 1);
            self.worst_lag.set(self.worst_lag.get().max(lag));
        }

        fn skipped(&self, skip: Skip, ticks: u64) {
            let count = match skip {
                Skip::Overrun => &self.overrun,
                Skip::Paused => &self.paused,
                Skip::Backoff => &self.backoff,
            };
            count.set(count.get() + ticks);
        }

        fn backs_off(&self, ticks: u64) {
            self.announced.borrow_mut().push(ticks);
        }
    }

    fn driver(interval: u64) -> Driver {
        let cadence = Cadence::new(Duration::from_secs(interval), "chat", "handshake", "");
        Driver { cadence, clock: Clock::start_at(Duration::from_secs(1_700_000_000)), backs_off: true }
    }

    async fn drive_for(
        seconds: u64,
        driver: &Driver,
        counts: &Counts,
        paused: impl Fn(Duration) -> bool,
        takes: Duration,
    ) {
        let stop = CancellationToken::new();
        let run = async || {
            sleep(takes).await;
            Wish::GoOn
        };
        let turn = Turn::default();
        let driven = driver.drive(counts, paused, run, &turn, &stop);
        timeout(Duration::from_secs(seconds), driven).await.expect_err("drives until stopped");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_runs_once_an_interval_and_on_time() {
        let counts = Counts::default();
        drive_for(3_600, &driver(30), &counts, |_| false, Duration::from_secs(1)).await;
        assert!((119..=121).contains(&counts.starts.get()), "{}", counts.starts.get());
        assert!(counts.worst_lag.get() <= Duration::from_millis(2), "{:?}", counts.worst_lag.get());
        assert_eq!(counts.overrun.get() + counts.paused.get(), 0);
        assert_eq!(counts.due.get(), counts.starts.get() + 1, "it is told before each run");
        assert!(counts.latest.get() <= Duration::from_secs(32), "{:?}", counts.latest.get());
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
        assert!((59..=62).contains(&counts.due.get()), "a pause is no standstill: {}", counts.due.get());
        assert!((29..=31).contains(&counts.starts.get()));
    }

    /// Runs each tick for two hours and a half; every run that starts within this time asks for patience.
    async fn starts_of_a_gateway_that_asks_for_patience(
        backs_off: bool,
        until: Duration,
    ) -> (Vec<u64>, Counts) {
        let (counts, stop, starts) = (Counts::default(), CancellationToken::new(), RefCell::new(Vec::new()));
        let driver = Driver { backs_off, ..driver(60) };
        let began = driver.clock.now();
        let run = async || {
            let at = driver.clock.now() - began;
            starts.borrow_mut().push(at.as_secs() / 60);
            if at < until { Wish::Patience } else { Wish::GoOn }
        };
        let turn = Turn::default();
        let driven = driver.drive(&counts, |_| false, run, &turn, &stop);
        timeout(Duration::from_secs(9_000), driven).await.expect_err("drives until stopped");
        (starts.into_inner(), counts)
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_backs_off_comes_back_ever_later_until_it_is_welcome() {
        let hour = Duration::from_secs(3_600);
        let (starts, counts) = starts_of_a_gateway_that_asks_for_patience(true, hour).await;
        let announced = counts.announced.borrow();
        assert!((5..=9).contains(&announced.len()), "{announced:?}");
        for (ticks, least) in announced.iter().zip([1, 1, 2, 4, 8, 16, 16, 16, 16]) {
            assert!((least..=2 * least).contains(ticks), "{announced:?}");
        }
        // Each tick is a run or left out, and from the first welcome on each is a run again.
        assert_eq!(counts.backoff.get(), announced.iter().sum::<u64>());
        assert!((149..=151).contains(&(counts.starts.get() + counts.backoff.get())));
        assert!(starts.windows(2).skip(announced.len()).all(|pair| pair[1] - pair[0] <= 2), "{starts:?}");
        assert_eq!(counts.overrun.get() + counts.paused.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_does_not_back_off_keeps_its_cadence() {
        let (starts, counts) = starts_of_a_gateway_that_asks_for_patience(false, Duration::MAX).await;
        assert!((149..=151).contains(&starts.len()));
        assert_eq!((counts.backoff.get(), counts.announced.borrow().len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_the_run_and_starts_no_other() {
        let (counts, stop, ended) = (Counts::default(), CancellationToken::new(), RefCell::new(0));
        let driver = driver(10);
        let run = || async {
            stop.cancel();
            sleep(Duration::from_secs(5)).await;
            *ended.borrow_mut() += 1;
            Wish::GoOn
        };
        driver.drive(&counts, |_| false, run, &Turn::default(), &stop).await;
        assert_eq!((counts.starts.get(), *ended.borrow()), (1, 1));
    }

    /// Drives for ten intervals; asks for a run at these times, in seconds after the start.
    async fn asked_for(
        driver: &Driver,
        at: &[u64],
        paused: bool,
        takes: u64,
    ) -> (Vec<(u64, u64)>, Vec<bool>, Counts) {
        let (counts, turn, stop) = (Counts::default(), Turn::default(), CancellationToken::new());
        let (runs, began) = (RefCell::new(Vec::new()), tokio::time::Instant::now());
        let run = async || {
            let from = began.elapsed().as_secs();
            sleep(Duration::from_secs(takes)).await;
            runs.borrow_mut().push((from, began.elapsed().as_secs()));
            Wish::GoOn
        };
        let driven = driver.drive(&counts, |_| paused, run, &turn, &stop);
        let ask = async {
            let mut taken = Vec::new();
            for at in at {
                tokio::time::sleep_until(began + Duration::from_secs(*at)).await;
                taken.push(turn.ask().is_ok());
            }
            taken
        };
        let both = async { tokio::join!(timeout(Duration::from_secs(600), driven), ask) };
        let (_, taken) = both.await;
        (runs.into_inner(), taken, counts)
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_asked_for_comes_at_once_and_no_tick_is_lost() {
        let driver = driver(60);
        let (before, _, _) = asked_for(&driver, &[], false, 1).await;
        let (runs, taken, counts) = asked_for(&driver, &[before[1].0 + 20], false, 1).await;
        assert_eq!(taken, [true]);
        assert_eq!(runs.len(), before.len() + 1, "{runs:?}");
        assert!(runs.iter().any(|(from, _)| *from == before[1].0 + 20), "{runs:?}");
        assert_eq!(counts.overrun.get() + counts.paused.get(), 0);
        assert_eq!(counts.starts.get(), before.len() as u64, "it was not late, since it was not due");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_never_runs_twice_at_once_and_a_tick_that_passes_meanwhile_is_counted() {
        let driver = driver(60);
        let (before, _, _) = asked_for(&driver, &[], false, 1).await;
        // Begins 10 s before a tick and takes 40 s; asked again in the middle.
        let first = before[1].0 - 10;
        let (runs, taken, counts) = asked_for(&driver, &[first, first + 5], false, 40).await;
        assert_eq!(taken, [true, false]);
        assert!(runs.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{runs:?}");
        assert_eq!(counts.overrun.get(), 1, "{runs:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_runs_that_are_asked_for() {
        let (runs, taken, counts) = asked_for(&driver(60), &[20, 90], true, 1).await;
        assert_eq!((runs.len(), taken), (0, vec![true, true]), "and it can be asked for again");
        assert!((9..=10).contains(&counts.paused.get()), "ticks only: {}", counts.paused.get());
    }
}
