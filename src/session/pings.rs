//! The pings of one connection and what came back for each. Pure.

use std::time::{Duration, Instant};

/// Strays and duplicates are counted, never kept, so that only what we sent ourselves takes memory.
#[derive(Debug, Default, Clone)]
pub struct Pings {
    sent: Vec<Ping>,
    /// So many of the first ones wait for nothing any more, and are not looked at again.
    settled: usize,
    duplicated: u64,
    mismatched: u64,
}

#[derive(Debug, Clone, Copy)]
struct Ping {
    id: u64,
    at: Instant,
    answer: Option<Instant>,
    superseded: bool,
}

/// What became of the pings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answered in time.
    pub answered: u64,
    /// Not answered in time.
    pub lost: u64,
    /// Not answered, but a later ping was: RFC 6455, section 5.5.3 allows that.
    pub superseded: u64,
    /// Further answers to what was answered already.
    pub duplicated: u64,
    /// Answers that answer nothing that was asked.
    pub mismatched: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            lost: self.lost + other.lost,
            superseded: self.superseded + other.superseded,
            duplicated: self.duplicated + other.duplicated,
            mismatched: self.mismatched + other.mismatched,
        }
    }
}

impl Pings {
    /// A ping went out, right after `at`.
    pub fn sent(&mut self, id: u64, at: Instant) {
        self.sent.push(Ping { id, at, answer: None, superseded: false });
    }

    /// An answer came.
    pub fn answered(&mut self, id: u64, at: Instant) {
        // The latest ones are the likeliest.
        match self.sent.iter_mut().rfind(|ping| ping.id == id) {
            None => self.mismatched += 1,
            Some(Ping { answer: Some(_), .. }) => self.duplicated += 1,
            Some(ping) => ping.answer = Some(at),
        }
        let waiting = self.sent[self.settled..].iter().take_while(|ping| !ping.waits());
        self.settled += waiting.count();
    }

    /// An answer came that speaks for all earlier pings as well, as a pong does.
    pub fn answered_up_to(&mut self, id: u64, at: Instant) {
        self.answered(id, at);
        if let Some(later) = self.sent[self.settled..].iter().rposition(|ping| ping.id == id) {
            let answered = self.settled + later;
            self.sent[self.settled..answered].iter_mut().for_each(|ping| ping.superseded = true);
            self.settled = answered + 1;
        }
    }

    /// An answer came that is none; `repeated` where it is a further one to what was answered already.
    pub fn stray(&mut self, repeated: bool) {
        if repeated {
            self.duplicated += 1;
        } else {
            self.mismatched += 1;
        }
    }

    /// When the oldest ping that still waits for its answer went out.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.sent[self.settled..].iter().find(|ping| ping.waits()).map(|ping| ping.at)
    }

    /// When the last ping went out.
    pub fn last_sent(&self) -> Option<Instant> {
        self.sent.last().map(|ping| ping.at)
    }

    /// The round-trip times, in the order in which the pings went out; late ones too.
    pub fn rtts(&self) -> impl Iterator<Item = Duration> {
        self.sent.iter().filter_map(|ping| Some(ping.answer?.saturating_duration_since(ping.at)))
    }

    /// What became of the pings, if an answer may take as long as `patience`. A ping that is younger than that
    /// and still waits counts nowhere.
    pub fn tally(&self, now: Instant, patience: Duration) -> Tally {
        let mut tally =
            Tally { duplicated: self.duplicated, mismatched: self.mismatched, ..Tally::default() };
        for ping in &self.sent {
            match ping.answer {
                Some(answer) if answer.saturating_duration_since(ping.at) <= patience => tally.answered += 1,
                Some(_) => tally.lost += 1,
                None if ping.superseded => tally.superseded += 1,
                None if now.saturating_duration_since(ping.at) >= patience => tally.lost += 1,
                None => {}
            }
        }
        tally
    }
}

impl Ping {
    fn waits(&self) -> bool {
        self.answer.is_none() && !self.superseded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1_000);

    fn at(began: Instant, millis: u64) -> Instant {
        began + Duration::from_millis(millis)
    }

    #[test]
    fn a_pong_answers_the_latest_ping_and_supersedes_the_earlier_ones() {
        let (began, mut pings) = (Instant::now(), Pings::default());
        for id in 0..3 {
            pings.sent(id, at(began, 100 * id));
        }
        pings.answered_up_to(2, at(began, 250));
        let tally = pings.tally(at(began, 9_000), PATIENCE);
        assert_eq!(tally, Tally { answered: 1, superseded: 2, ..Tally::default() });
        assert_eq!(pings.rtts().collect::<Vec<_>>(), [Duration::from_millis(50)]);
        assert_eq!(pings.waiting_since(), None);
        // The others may still be answered, one by one.
        pings.answered_up_to(0, at(began, 300));
        assert_eq!(pings.tally(at(began, 9_000), PATIENCE).answered, 2);
    }

    #[test]
    fn what_an_application_left_out_is_lost() {
        let (began, mut pings) = (Instant::now(), Pings::default());
        pings.sent(1, began);
        pings.sent(2, at(began, 100));
        pings.answered(2, at(began, 150));
        assert_eq!(pings.waiting_since(), Some(began));
        assert_eq!(pings.tally(at(began, 999), PATIENCE).lost, 0, "it may still come");
        assert_eq!(pings.tally(at(began, 1_000), PATIENCE).lost, 1);
    }

    #[test]
    fn late_double_and_foreign_answers_are_told_apart() {
        let (began, mut pings) = (Instant::now(), Pings::default());
        pings.sent(1, began);
        pings.answered(1, at(began, 1_200));
        pings.answered(1, at(began, 1_201));
        pings.answered(7, at(began, 1_202));
        pings.stray(true);
        let tally = pings.tally(at(began, 1_300), PATIENCE);
        assert_eq!(tally, Tally { lost: 1, duplicated: 2, mismatched: 1, ..Tally::default() });
    }
}
