//! The gateway's own heartbeat on one connection. Pure.

use std::time::{Duration, Instant};

use crate::model::Span;
use crate::session::Level;

/// Beats that are kept, at most.
const MOST: usize = 1_000;

/// The beats of one level.
#[derive(Debug, Clone)]
pub struct Beats {
    /// Of which level.
    pub level: Level,
    /// How often they are promised, if they are.
    pub promised: Option<Span>,
    opened: Instant,
    at: Vec<Instant>,
}

/// What is wrong with a rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// No beat came since the last one, or since the connection was opened.
    Missing {
        /// For how long.
        since: Duration,
    },
    /// A beat came too early or too late.
    Off {
        /// After how long.
        gap: Duration,
    },
}

impl Beats {
    /// None so far.
    pub fn new(level: Level, promised: Option<Span>, opened: Instant) -> Self {
        Self { level, promised, opened, at: Vec::new() }
    }

    /// One came. A gateway that floods us with beats fills no memory.
    pub fn came(&mut self, at: Instant) {
        if self.at.len() < MOST {
            self.at.push(at);
        }
    }

    /// Whether so many came.
    pub fn enough(&self, count: u32) -> bool {
        self.at.len() >= count as usize
    }

    /// The times between beats.
    pub fn intervals(&self) -> impl Iterator<Item = Duration> {
        self.at.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]))
    }

    /// Until when it is worth to wait for the next beat: one that comes later than promised is late, and one that
    /// has not come after twice that time is missing.
    pub fn patience(&self, tolerance: Duration) -> Option<Instant> {
        let interval = self.promised?.get();
        Some(self.last() + (interval + tolerance).max(2 * interval))
    }

    /// What is wrong first, if they were watched until then. A gateway may share one clock among all its
    /// connections, so that the first beat may come at any time before the promised one.
    pub fn rhythm(&self, tolerance: Duration, until: Instant) -> Option<Rhythm> {
        let interval = self.promised?.get();
        let first = self.at.first().map(|at| at.saturating_duration_since(self.opened));
        if let Some(gap) = first.filter(|gap| *gap > interval + tolerance) {
            return Some(Rhythm::Off { gap });
        }
        let off = |gap: &Duration| *gap > interval + tolerance || *gap + tolerance < interval;
        if let Some(gap) = self.intervals().find(off) {
            return Some(Rhythm::Off { gap });
        }
        let since = until.saturating_duration_since(self.last());
        (since > interval + tolerance).then_some(Rhythm::Missing { since })
    }

    fn last(&self) -> Instant {
        self.at.last().copied().unwrap_or(self.opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Duration = Duration::from_millis(200);

    /// One second promised.
    fn rhythm(millis: &[u64], until: u64) -> Option<Rhythm> {
        let opened = Instant::now();
        let mut beats = Beats::new(Level::Protocol, Some(Span::secs(1)), opened);
        millis.iter().for_each(|at| beats.came(opened + Duration::from_millis(*at)));
        beats.rhythm(TOLERANCE, opened + Duration::from_millis(until))
    }

    const fn off(millis: u64) -> Option<Rhythm> {
        Some(Rhythm::Off { gap: Duration::from_millis(millis) })
    }

    #[test]
    fn a_beat_is_late_or_early_beyond_the_tolerance_only() {
        assert_eq!(rhythm(&[1_000, 2_160], 2_200), None, "20 % inside");
        assert_eq!(rhythm(&[1_000, 2_240], 2_300), off(1_240), "20 % beyond");
        assert_eq!(rhythm(&[1_000, 1_840], 1_900), None);
        assert_eq!(rhythm(&[1_000, 1_760], 1_900), off(760));
        assert_eq!(rhythm(&[100, 1_100], 1_200), None, "a shared clock");
        assert_eq!(rhythm(&[1_250], 1_300), off(1_250));
    }

    #[test]
    fn a_beat_that_does_not_come_is_missing() {
        let missing = |millis| Some(Rhythm::Missing { since: Duration::from_millis(millis) });
        assert_eq!(rhythm(&[], 1_160), None);
        assert_eq!(rhythm(&[], 1_240), missing(1_240));
        assert_eq!(rhythm(&[1_000, 2_000], 3_240), missing(1_240));
        let nothing_promised = Beats::new(Level::Protocol, None, Instant::now());
        assert_eq!(nothing_promised.rhythm(TOLERANCE, Instant::now() + Duration::from_secs(99)), None);
    }
}
