//! When a silent connection was let go of, and whether that was as promised. Pure.

use std::time::{Duration, Instant};

use super::config::{Mode, Window};
use crate::dialect::Origin;
use crate::model::{End, Verdict};
use crate::session::Level;

/// What was seen of one silent connection.
#[derive(Debug, Clone)]
pub struct Observation {
    /// How it was silent.
    pub mode: Mode,
    /// When the silence began, at the latest: the upgrade, or the last frame that we sent.
    pub began: Instant,
    /// When we stopped to hear heartbeats, at the earliest: before `began` only where a window is shut by asking for
    /// more than we read.
    pub deaf_since: Instant,
    /// The first heartbeat of each level that we did not answer.
    pub unanswered: [Option<Instant>; 2],
    /// What the clock counts from: when the heartbeat that we did not answer had been read, or right before our
    /// last frame was written. Where heartbeats of both levels were left unanswered, [`Observation::settle`] chooses.
    pub origin: Option<Instant>,
    /// By how much the time from `origin` reads too long: one round trip where it counts from our own frame.
    pub uncertainty: Duration,
    /// The first of Close, FIN and RST.
    pub evicted: Option<Eviction>,
    /// FIN or RST.
    pub released: Option<Instant>,
    /// Until when we looked.
    pub until: Instant,
    /// What was wrong apart from all clocks.
    pub broken: Option<Verdict>,
}

/// How a gateway began to let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eviction {
    /// When it had been read, or seen by the kernel.
    pub at: Instant,
    /// By what.
    pub by: By,
    /// It was found by reading on after the window was over: it came some time before, nobody knows when.
    pub censored: bool,
}

/// By what a gateway lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A Close frame, with its code as received, illegal ones too.
    Close(Option<u16>),
    /// The end of TCP without a Close: a hop before the gateway may have done it as well.
    Tcp(End),
}

/// What became of a silent connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Let go of inside the window; the time where it is known exactly.
    Cleaned(Option<Duration>),
    /// Let go of before the window, after this time; none where no heartbeat had been left unanswered.
    Early(Option<Duration>),
    /// Still there after the window, or let go of too late; so long after the silence began to count.
    Leaked(Duration),
    /// Told goodbye in time, and never let go of, for so long.
    HalfClosed(Duration),
    /// We had to stop looking before anything could be known.
    Unknown,
    /// The gateway never sent the heartbeat that this connection would have left unanswered.
    Unasked,
}

impl Observation {
    /// Takes down a heartbeat that will not be answered.
    pub fn left_unanswered(&mut self, level: Level, at: Instant) {
        self.unanswered[usize::from(level == Level::Application)].get_or_insert(at);
        self.origin = self.unanswered.iter().flatten().max().copied();
    }

    /// When the first heartbeat came that we did not answer.
    pub fn first_unanswered(&self) -> Option<Instant> {
        self.unanswered.iter().flatten().min().copied()
    }

    /// A gateway may beat at both levels and promise to clean up by one of them, without saying which: the clock
    /// counts from that which the promise fits, or else from the later one.
    pub fn settle(&mut self, window: &Window, limits: &Limits) {
        let Some(eviction) = self.evicted.filter(|eviction| !eviction.censored) else { return };
        let earliest = window.earliest.map_or(Duration::ZERO, |earliest| earliest.get());
        let fits = |origin: &&Instant| {
            let time = eviction.at.saturating_duration_since(**origin);
            time + limits.tolerance >= earliest && time <= limits.latest(window, true)
        };
        self.origin = self.unanswered.iter().flatten().find(fits).copied().or(self.origin);
    }

    /// The clean-up time, where both its ends are known.
    pub fn time(&self) -> Option<Duration> {
        let evicted = self.evicted.filter(|eviction| !eviction.censored)?;
        Some(evicted.at.saturating_duration_since(self.origin?).saturating_sub(self.uncertainty))
    }

    /// What became of it, by the window that is promised. `beat_within` is how long the first heartbeat may take.
    pub fn fate(&self, window: &Window, limits: &Limits) -> Fate {
        if self.mode == Mode::HalfDead && self.origin.is_none() {
            return Fate::Unasked;
        }
        let Some(eviction) = self.evicted else {
            let silent = self.until.saturating_duration_since(self.origin.unwrap_or(self.began));
            let silent = silent.saturating_sub(self.uncertainty);
            let known = silent >= limits.latest(window, self.origin.is_some());
            return if known { Fate::Leaked(silent) } else { Fate::Unknown };
        };
        let time = self.time();
        let since = |begin| eviction.at.saturating_duration_since(begin);
        let earliest = window.earliest.map_or(Duration::ZERO, |earliest| earliest.get());
        // The time reads too long by at most the uncertainty: what may be right is not accused.
        let longest = time.map_or(since(self.deaf_since), |time| time + self.uncertainty);
        if !eviction.censored && longest + limits.tolerance < earliest {
            return Fate::Early(time);
        }
        // What was found by the drain came in time: the drain begins when the time is over.
        let taken = time.unwrap_or(since(self.began));
        if !eviction.censored && taken > limits.latest(window, self.origin.is_some()) {
            return Fate::Leaked(taken);
        }
        let held = self.until.saturating_duration_since(eviction.at);
        match self.released {
            Some(_) => Fate::Cleaned(time),
            None if held >= limits.release => Fate::HalfClosed(held),
            None => Fate::Unknown,
        }
    }
}

/// The limits beside the window itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How far from the window is still inside.
    pub tolerance: Duration,
    /// How long the first heartbeat may take.
    pub beat_within: Duration,
    /// How long after the eviction TCP must be ended.
    pub release: Duration,
}

impl Limits {
    /// How long a silence may last: from the origin where it is known, else from the silence's begin.
    pub fn latest(&self, window: &Window, origin_known: bool) -> Duration {
        let beat = match window.origin {
            Origin::UnansweredBeat if !origin_known => self.beat_within,
            _ => Duration::ZERO,
        };
        beat + window.latest.get() + self.tolerance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;

    const LIMITS: Limits = Limits {
        tolerance: Duration::from_millis(1_000),
        beat_within: Duration::from_secs(20),
        release: Duration::from_secs(2),
    };

    fn window(origin: Origin) -> Window {
        Window { origin, earliest: Some(Span::secs(5)), latest: Span::secs(5) }
    }

    /// Silent from 0, a beat at 3 s, evicted and released at so many milliseconds.
    fn seen(evicted: Option<u64>, released: Option<u64>, until: u64) -> Observation {
        let began = Instant::now();
        let at = |millis: u64| began + Duration::from_millis(millis);
        let eviction = |millis| Eviction { at: at(millis), by: By::Close(Some(1011)), censored: false };
        Observation {
            mode: Mode::Mute,
            began,
            deaf_since: began,
            unanswered: [Some(at(3_000)), None],
            origin: Some(at(3_000)),
            uncertainty: Duration::ZERO,
            evicted: evicted.map(eviction),
            released: released.map(at),
            until: at(until),
            broken: None,
        }
    }

    fn fate(seen: &Observation) -> Fate {
        seen.fate(&window(Origin::UnansweredBeat), &LIMITS)
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_window_holds_on_both_sides_with_its_tolerance() {
        let evicted = |millis: u64| fate(&seen(Some(3_000 + millis), Some(3_001 + millis), 20_000));
        assert_eq!(evicted(5_000), Fate::Cleaned(Some(ms(5_000))));
        // 20 % of the tolerance inside and beyond, on either side.
        assert_eq!(evicted(5_800), Fate::Cleaned(Some(ms(5_800))));
        assert_eq!(evicted(6_200), Fate::Leaked(ms(6_200)));
        assert_eq!(evicted(4_200), Fate::Cleaned(Some(ms(4_200))));
        assert_eq!(evicted(3_800), Fate::Early(Some(ms(3_800))));
    }

    #[test]
    fn who_is_never_let_go_of_is_leaked_once_we_know() {
        assert_eq!(fate(&seen(None, None, 8_900)), Fate::Unknown);
        assert_eq!(fate(&seen(None, None, 9_000)), Fate::Leaked(ms(6_000)));
        let beatless = Observation { origin: None, ..seen(None, None, 25_900) };
        assert_eq!(fate(&beatless), Fate::Unknown, "the first beat may still come");
        let beatless = Observation { origin: None, ..seen(None, None, 26_000) };
        assert_eq!(fate(&beatless), Fate::Leaked(ms(26_000)));
    }

    #[test]
    fn goodbye_is_not_enough() {
        assert_eq!(fate(&seen(Some(8_000), None, 9_600)), Fate::Unknown);
        assert_eq!(fate(&seen(Some(8_000), None, 10_400)), Fate::HalfClosed(ms(2_400)));
        assert_eq!(fate(&seen(Some(8_000), Some(9_900), 9_900)), Fate::Cleaned(Some(ms(5_000))));
    }

    #[test]
    fn a_clock_that_counts_from_our_own_frame_is_corrected_by_a_round_trip() {
        let mut seen = seen(Some(9_300), Some(9_300), 9_300);
        seen.uncertainty = ms(400);
        assert_eq!(seen.time(), Some(ms(5_900)));
        assert_eq!(seen.fate(&window(Origin::LastClientData), &LIMITS), Fate::Cleaned(Some(ms(5_900))));
    }

    #[test]
    fn what_the_drain_finds_is_cleaned_without_a_time() {
        let mut seen = seen(Some(9_100), Some(9_100), 9_100);
        seen.evicted = seen.evicted.map(|eviction| Eviction { censored: true, ..eviction });
        assert_eq!(fate(&seen), Fate::Cleaned(None));
    }

    #[test]
    fn of_two_levels_the_one_that_the_promise_fits_counts() {
        let window = window(Origin::UnansweredBeat);
        let both = |evicted: u64| {
            let mut seen = seen(Some(evicted), Some(evicted), evicted);
            let beat = |millis| seen.began + ms(millis);
            (seen.unanswered, seen.origin) = ([Some(beat(3_000)), Some(beat(7_000))], Some(beat(7_000)));
            seen.settle(&window, &LIMITS);
            seen.fate(&window, &LIMITS)
        };
        assert_eq!(both(8_000), Fate::Cleaned(Some(ms(5_000))), "by its pings");
        assert_eq!(both(12_000), Fate::Cleaned(Some(ms(5_000))), "by the dialect's heartbeat");
        assert_eq!(both(14_000), Fate::Leaked(ms(7_000)), "by neither");
        assert_eq!(both(6_900), Fate::Early(Some(Duration::ZERO)));
    }

    #[test]
    fn what_may_be_right_within_the_uncertainty_is_not_early() {
        let mut seen = seen(Some(9_000), Some(9_000), 9_000);
        seen.uncertainty = ms(3_000);
        assert_eq!(seen.fate(&window(Origin::LastClientData), &LIMITS), Fate::Cleaned(Some(ms(3_000))));
    }

    #[test]
    fn who_was_never_asked_is_not_leaked() {
        let half_dead = Observation { mode: Mode::HalfDead, origin: None, ..seen(None, None, 90_000) };
        assert_eq!(fate(&half_dead), Fate::Unasked);
    }

    #[test]
    fn an_end_before_any_heartbeat_is_early_only_where_that_is_promised() {
        let beatless = Observation { origin: None, ..seen(Some(1_000), Some(1_000), 1_000) };
        assert_eq!(fate(&beatless), Fate::Early(None));
        let any_time = Window { earliest: None, ..window(Origin::UnansweredBeat) };
        assert_eq!(beatless.fate(&any_time, &LIMITS), Fate::Cleaned(None));
    }

    #[test]
    fn a_heartbeat_that_came_while_the_window_was_being_shut_may_be_the_origin() {
        let stalled = Observation { origin: None, ..seen(Some(3_000), Some(3_000), 3_000) };
        assert_eq!(fate(&stalled), Fate::Early(None));
        let deaf_since = |millis| stalled.began.checked_sub(ms(millis)).expect("a clock that old");
        let stalled = |millis| Observation { deaf_since: deaf_since(millis), ..stalled.clone() };
        assert_eq!(fate(&stalled(800)), Fate::Early(None));
        assert_eq!(fate(&stalled(1_200)), Fate::Cleaned(None));
    }
}
