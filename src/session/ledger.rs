//! What was published to a stream and what of it was delivered, across connections. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Numbers that are told in full, at most.
const TOLD: usize = 20;

/// The messages of one stream, by the numbers that we gave them.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    messages: BTreeMap<u64, Entry>,
    /// The largest number that was delivered so far.
    highest: Option<u64>,
    /// Deliveries of what we never published.
    foreign: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    published: Instant,
    /// When the gateway said that it has it.
    acknowledged: Option<Instant>,
    delivered: Option<Instant>,
    /// Deliveries after the first.
    repeated: u32,
    /// A later one had been delivered before it.
    overtaken: bool,
    /// Nobody owes it any more.
    excused: bool,
}

impl Entry {
    fn is_owed(&self) -> bool {
        self.acknowledged.is_some() && !self.excused
    }
}

/// What became of the messages.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Account {
    /// How many were delivered at least once.
    pub delivered: u64,
    /// The gateway had acknowledged them, and never delivered them.
    pub lost: Vec<u64>,
    /// Delivered more than once.
    pub duplicated: Vec<u64>,
    /// Delivered after a later one.
    pub reordered: Vec<u64>,
    /// Over with the session that they belonged to.
    pub excused: u64,
    /// Neither acknowledged nor delivered, and not over with a session: nobody knows whether the gateway ever had them.
    pub unknown: Vec<u64>,
    /// Deliveries of what was never published here.
    pub foreign: u64,
}

impl Ledger {
    /// A message goes out, right after `at`.
    pub fn published(&mut self, sequence: u64, at: Instant) {
        let entry = Entry {
            published: at,
            acknowledged: None,
            delivered: None,
            repeated: 0,
            overtaken: false,
            excused: false,
        };
        self.messages.entry(sequence).or_insert(entry);
    }

    /// The gateway has said that it has the message.
    pub fn acknowledged(&mut self, sequence: u64, at: Instant) {
        if let Some(entry) = self.messages.get_mut(&sequence) {
            entry.acknowledged.get_or_insert(at);
        }
    }

    /// The message came.
    pub fn delivered(&mut self, sequence: u64, at: Instant) {
        let Some(entry) = self.messages.get_mut(&sequence) else {
            self.foreign += 1;
            return;
        };
        if entry.delivered.is_some() {
            entry.repeated = entry.repeated.saturating_add(1);
            return;
        }
        entry.delivered = Some(at);
        entry.overtaken = self.highest.is_some_and(|highest| highest > sequence);
        self.highest = self.highest.max(Some(sequence));
    }

    /// What was published so far and did not come is owed no more: the session that it belonged to is over.
    pub fn forgive(&mut self) {
        for entry in self.messages.values_mut().filter(|entry| entry.delivered.is_none()) {
            entry.excused = true;
        }
    }

    /// Whether all that the gateway owes was delivered.
    pub fn is_settled(&self) -> bool {
        self.messages.values().all(|entry| !entry.is_owed() || entry.delivered.is_some())
    }

    /// Whether of each message that matters it is known that the gateway has it.
    pub fn is_answered(&self) -> bool {
        let known =
            |entry: &Entry| entry.acknowledged.is_some() || entry.delivered.is_some() || entry.excused;
        self.messages.values().all(known)
    }

    /// How many messages were published.
    pub fn publications(&self) -> usize {
        self.messages.len()
    }

    /// How many messages the gateway has acknowledged.
    pub fn acknowledgements(&self) -> usize {
        self.messages.values().filter(|entry| entry.acknowledged.is_some()).count()
    }

    /// Of what was published from then until then and acknowledged: how many messages, and how many of them were
    /// delivered.
    pub fn between(&self, from: Instant, until: Instant) -> (usize, usize) {
        let within = |entry: &&Entry| entry.published >= from && entry.published < until;
        let owed = self.messages.values().filter(within).filter(|entry| entry.is_owed());
        owed.fold((0, 0), |(owed, came), entry| (owed + 1, came + usize::from(entry.delivered.is_some())))
    }

    /// When the first delivery came after this moment.
    pub fn first_after(&self, moment: Instant) -> Option<Instant> {
        self.messages.values().filter_map(|entry| entry.delivered).filter(|at| *at > moment).min()
    }

    /// From the write to the delivery, for each message that was delivered, in the order of their numbers.
    pub fn latencies(&self) -> impl Iterator<Item = Duration> {
        self.messages.values().filter_map(|entry| {
            entry.delivered.map(|delivered| delivered.saturating_duration_since(entry.published))
        })
    }

    /// When each message was written that was delivered, and how long that took, in the order of their numbers.
    pub fn times(&self) -> impl Iterator<Item = (Instant, Duration)> {
        self.messages.values().filter_map(|entry| {
            let delivered = entry.delivered?;
            Some((entry.published, delivered.saturating_duration_since(entry.published)))
        })
    }

    /// What became of all of them.
    pub fn account(&self) -> Account {
        let mut account = Account { foreign: self.foreign, ..Account::default() };
        for (sequence, entry) in &self.messages {
            match (entry.delivered, entry.acknowledged) {
                (Some(_), _) => account.delivered += 1,
                (None, _) if entry.excused => account.excused += 1,
                (None, Some(_)) => account.lost.push(*sequence),
                (None, None) => account.unknown.push(*sequence),
            }
            if entry.repeated > 0 {
                account.duplicated.push(*sequence);
            }
            if entry.overtaken {
                account.reordered.push(*sequence);
            }
        }
        account
    }
}

/// Numbers for people: all of them where they are few, else the first ones; runs as `3-7`.
pub fn tell(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let run = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let told: Vec<String> = runs.iter().take(TOLD).map(run).collect();
    let more = if runs.len() > TOLD { ", ..." } else { "" };
    format!("{}{more}", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(acknowledged: &[u64], delivered: &[u64]) -> Ledger {
        let began = Instant::now();
        let mut ledger = Ledger::default();
        for sequence in acknowledged {
            let at = began + Duration::from_millis(*sequence);
            ledger.published(*sequence, at);
            ledger.acknowledged(*sequence, at);
        }
        for (order, sequence) in delivered.iter().enumerate() {
            ledger.delivered(*sequence, began + Duration::from_millis(1_000 + order as u64));
        }
        ledger
    }

    #[test]
    fn each_fate_is_told_by_its_numbers() {
        let ledger = filled(&[1, 2, 3, 4, 5, 6], &[1, 3, 2, 5, 5, 5, 6, 77]);
        let account = ledger.account();
        assert_eq!(account.delivered, 5);
        assert_eq!((account.lost, account.duplicated, account.reordered), (vec![4], vec![5], vec![2]));
        assert_eq!((account.unknown, account.foreign), (vec![], 1));
        assert!(!ledger.is_settled());
        assert!(filled(&[1, 2], &[1, 2]).is_settled());
    }

    #[test]
    fn what_was_never_acknowledged_is_neither_lost_nor_missed() {
        let mut ledger = filled(&[1], &[1]);
        ledger.published(2, Instant::now());
        ledger.published(3, Instant::now());
        ledger.delivered(3, Instant::now());
        assert!(ledger.is_settled());
        let account = ledger.account();
        assert_eq!((account.delivered, account.unknown, account.lost), (2, vec![2], vec![]));
    }

    #[test]
    fn a_gap_is_looked_at_apart() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let mut ledger = Ledger::default();
        for (sequence, millis) in [(1, 0), (2, 10), (3, 20), (4, 30)] {
            ledger.published(sequence, at(millis));
            ledger.acknowledged(sequence, at(millis + 1));
        }
        ledger.delivered(1, at(5));
        ledger.delivered(4, at(35));
        assert_eq!(ledger.between(at(10), at(30)), (2, 0));
        assert_eq!(ledger.between(at(0), at(40)), (4, 2));
        assert_eq!(ledger.first_after(at(6)), Some(at(35)));
        assert_eq!(ledger.latencies().collect::<Vec<_>>(), [at(5) - at(0), at(35) - at(30)]);
    }

    #[test]
    fn numbers_are_told_in_runs() {
        assert_eq!(tell(&[]), "");
        assert_eq!(tell(&[7]), "7");
        assert_eq!(tell(&[1, 2, 3, 9, 11, 12]), "1-3, 9, 11-12");
        let odd: Vec<u64> = (0..100).map(|n| 2 * n).collect();
        assert!(tell(&odd).ends_with("36, 38, ..."), "{}", tell(&odd));
        assert_eq!(tell(&[u64::MAX, 0]), format!("{}, 0", u64::MAX));
    }

    proptest! {
        #[test]
        fn every_message_has_exactly_one_fate(
            published in proptest::collection::btree_set(0_u64..50, 0..50),
            delivered in proptest::collection::vec(0_u64..60, 0..120),
        ) {
            let numbers: Vec<u64> = published.iter().copied().collect();
            let account = filled(&numbers, &delivered).account();
            prop_assert_eq!(account.delivered as usize + account.lost.len(), published.len());
            prop_assert!(account.lost.iter().all(|number| !delivered.contains(number)));
            let foreign = delivered.iter().filter(|number| !published.contains(number)).count();
            prop_assert_eq!(account.foreign as usize, foreign);
            let sorted = delivered.is_sorted();
            prop_assert!(!sorted || account.reordered.is_empty());
        }
    }
}
