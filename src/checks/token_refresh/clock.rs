//! When a token expires by the gateway's clock, told by ours. Pure.

use std::time::{Duration, Instant, SystemTime};

/// How far the gateway's clock is ahead of ours, in seconds: between these two.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Skew {
    pub least: f64,
    pub most: f64,
}

/// Our two clocks at one moment, and the gateway's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    system: SystemTime,
    monotonic: Instant,
    /// None where the gateway does not tell the time: then it is taken for ours.
    pub skew: Option<Skew>,
}

/// The first and the last moment, on our clock, at which the gateway's may show a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub earliest: Instant,
    pub latest: Instant,
    /// When our own clock shows it: whoever tells the time, a proxy say, need not be who looks at tokens.
    pub ours: Instant,
}

impl Skew {
    /// Of a gateway whose clock showed `date`, in whole seconds (RFC 9110, section 5.6.7), at some time between when
    /// it was asked and when it had answered.
    pub(super) fn of(date: SystemTime, asked: SystemTime, answered: SystemTime) -> Self {
        Self { least: seconds(date, answered), most: seconds(date, asked) + 1.0 }
    }

    /// By how much tokens must live longer to live as long as they should for a gateway that is ahead.
    pub(super) fn ahead(self) -> Duration {
        Duration::try_from_secs_f64(self.most.ceil()).unwrap_or_default()
    }
}

impl Clock {
    /// As our clocks stand now.
    pub(super) fn now(skew: Option<Skew>) -> Self {
        Self { system: SystemTime::now(), monotonic: Instant::now(), skew }
    }

    /// When the gateway's clock shows this time.
    pub(super) fn moment(&self, at: SystemTime) -> Moment {
        let ahead = seconds(at, self.system);
        let Skew { least, most } = self.skew.unwrap_or_default();
        Moment {
            earliest: self.after(ahead - most),
            latest: self.after(ahead - least),
            ours: self.after(ahead),
        }
    }

    fn after(&self, seconds: f64) -> Instant {
        let apart = Duration::try_from_secs_f64(seconds.abs()).unwrap_or_default();
        let moment = match seconds < 0.0 {
            true => self.monotonic.checked_sub(apart),
            false => self.monotonic.checked_add(apart),
        };
        moment.unwrap_or(self.monotonic)
    }
}

impl Moment {
    /// The first moment at which any of the clocks may show it.
    pub(super) fn first(&self) -> Instant {
        self.earliest.min(self.ours)
    }

    /// Whether the gateway's clock shows it sooner than ours by so much: where the clock that it tells is not the one
    /// that it looks at tokens by, nothing has expired yet.
    pub(super) fn is_doubtful(&self, tolerance: Duration) -> bool {
        self.ours.saturating_duration_since(self.latest) > tolerance
    }

    /// From this moment to that one, in seconds, negative where that is earlier; the middle of what may be.
    pub(super) fn until(&self, at: Instant) -> f64 {
        let middle = self.earliest + self.latest.saturating_duration_since(self.earliest) / 2;
        match at.checked_duration_since(middle) {
            Some(after) => after.as_secs_f64(),
            None => -middle.saturating_duration_since(at).as_secs_f64(),
        }
    }
}

/// How much later one is than the other.
fn seconds(one: SystemTime, other: SystemTime) -> f64 {
    match one.duration_since(other) {
        Ok(later) => later.as_secs_f64(),
        Err(earlier) => -earlier.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_date_of_whole_seconds_leaves_a_second_open() {
        let skew = Skew::of(at(1_000.0), at(1_000.2), at(1_000.3));
        assert!((skew.least + 0.3).abs() < 1e-6 && (skew.most - 0.8).abs() < 1e-6, "{skew:?}");
        let ahead = Skew::of(at(1_030.0), at(1_000.2), at(1_000.3));
        assert_eq!(ahead.ahead(), Duration::from_secs(31));
        assert_eq!(Skew::of(at(970.0), at(1_000.0), at(1_000.0)).ahead(), Duration::ZERO);
    }

    #[test]
    fn without_a_date_its_clock_is_ours() {
        let clock = Clock::now(None);
        let moment = clock.moment(clock.system + Duration::from_secs(9));
        assert_eq!(moment.earliest, moment.latest);
        assert!((moment.until(clock.monotonic + Duration::from_secs(11)) - 2.0).abs() < 1e-6);
        assert!((moment.until(clock.monotonic) + 9.0).abs() < 1e-6);
    }

    proptest! {
        /// Whatever the gateway's clock shows, the true moment lies between the two.
        #[test]
        fn the_truth_is_within(skew in -500.0_f64..500.0, asked in 0.0_f64..5.0, way in 0.0_f64..2.0, share in 0.0_f64..1.0) {
            let base = 1_000_000.0;
            let answered = asked + way;
            let read = asked + way * share;
            let date = (base + read + skew).floor();
            let seen = Skew::of(at(date), at(base + asked), at(base + answered));
            prop_assert!(seen.least <= skew + 1e-6 && skew <= seen.most + 1e-6, "{seen:?} {skew}");
            let clock = Clock { system: at(base + answered), monotonic: Instant::now() + Duration::from_secs(2_000), skew: Some(seen) };
            let moment = clock.moment(at(base + 600.0 + skew));
            let truth = clock.monotonic + Duration::from_secs(600) - Duration::from_secs_f64(answered);
            let slack = Duration::from_millis(1);
            prop_assert!(moment.earliest <= truth + slack && truth <= moment.latest + slack);
        }
    }
}
