//! What we asked and what was answered, on one connection; bounded.

use std::collections::VecDeque;

use super::Variables;
use super::definition::Part;

/// Exchanges that wait for an answer, at most: the oldest is forgotten first.
const MOST_OUTSTANDING: usize = 256;

/// Answered exchanges that are remembered, at most.
const MOST_ANSWERED: usize = 256;

/// The least number of an exchange. Smaller ones are left to a dialect's own fixed ids.
const LEAST: u64 = 1_000;

/// An exchange that waits for its answer.
#[derive(Debug)]
pub struct Outstanding {
    /// Its number, which is its nonce.
    pub number: u64,
    /// What it is.
    pub part: Part,
    /// What its answers are held against.
    pub variables: Variables,
}

/// All exchanges of a connection.
#[derive(Debug)]
pub struct Exchanges {
    next: u64,
    outstanding: VecDeque<Outstanding>,
    answered: VecDeque<(Part, u64)>,
}

impl Exchanges {
    /// None yet; they are numbered from here, or from the least number where this is less.
    pub fn numbered_from(first: u64) -> Self {
        Self { next: first.max(LEAST), outstanding: VecDeque::new(), answered: VecDeque::new() }
    }

    /// The number for one more exchange.
    pub fn number(&mut self) -> u64 {
        let number = self.next;
        self.next = number.checked_add(1).unwrap_or(LEAST);
        number
    }

    /// Remembers that an answer is owed.
    pub fn expect(&mut self, exchange: Outstanding) {
        if self.outstanding.len() == MOST_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(exchange);
    }

    /// Those that wait, the oldest first.
    pub fn outstanding(&self, part: Part) -> impl Iterator<Item = &Outstanding> {
        self.outstanding.iter().filter(move |exchange| exchange.part == part)
    }

    /// The numbers of those that were answered, the latest first.
    pub fn answered(&self, part: Part) -> impl Iterator<Item = u64> {
        self.answered.iter().rev().filter(move |(of, _)| *of == part).map(|(_, number)| *number)
    }

    /// Whether all that was asked of a part, and something was, is answered or forgotten.
    pub fn is_answered(&self, part: Part) -> bool {
        self.answered(part).next().is_some() && self.outstanding(part).next().is_none()
    }

    /// Marks one as answered.
    pub fn answer(&mut self, number: u64) -> Option<Outstanding> {
        let exchange = self.take(number)?;
        if self.answered.len() == MOST_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back((exchange.part, number));
        Some(exchange)
    }

    /// Waits for one no longer.
    pub fn take(&mut self, number: u64) -> Option<Outstanding> {
        let at = self.outstanding.iter().position(|exchange| exchange.number == number)?;
        self.outstanding.remove(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut exchanges = Exchanges::numbered_from(0);
        for _ in 0..1_000 {
            let number = exchanges.number();
            exchanges.expect(Outstanding { number, part: Part::Echo, variables: Variables::new() });
        }
        let waiting: Vec<u64> = exchanges.outstanding(Part::Echo).map(|exchange| exchange.number).collect();
        assert_eq!((waiting.len(), waiting[0]), (256, LEAST + 744));
        for number in waiting {
            exchanges.answer(number).expect("it waited");
            let number = exchanges.number();
            exchanges.expect(Outstanding { number, part: Part::Echo, variables: Variables::new() });
            exchanges.answer(number).expect("it waited");
        }
        assert_eq!(exchanges.answered(Part::Echo).count(), 256);
        assert_eq!(exchanges.answered(Part::Refresh).count(), 0);
    }
}
