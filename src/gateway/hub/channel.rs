//! One channel: what was published to it lately, and what its faults make of it.

use std::collections::VecDeque;

use serde_json::Value;

use crate::gateway::fault::{FaultKind, FaultSet};

/// Messages that are kept for who may come back.
const HISTORY: usize = 10_000;

/// One channel.
#[derive(Debug, Default)]
pub struct Channel {
    history: VecDeque<(Value, String)>,
    /// Older messages than those of the history have been there.
    forgotten: bool,
    published: u64,
    /// It is delivered behind the next one.
    held: Option<String>,
}

impl Channel {
    /// Keeps a message; gives what is delivered now, in this order.
    pub fn publish(&mut self, sequence: Value, text: String, faults: &FaultSet) -> Vec<String> {
        self.published += 1;
        let hit =
            |kind| faults.number(kind).is_some_and(|every| self.published.is_multiple_of(every.get().into()));
        let held = self.held.take();
        if hit(FaultKind::MessagesLost) {
            return held.into_iter().collect();
        }
        let repeated = hit(FaultKind::MessagesDuplicated);
        let swapped = hit(FaultKind::MessagesReordered);
        if self.history.len() == HISTORY {
            self.history.pop_front();
            self.forgotten = true;
        }
        self.history.push_back((sequence, text.clone()));
        if swapped && held.is_none() {
            self.held = Some(text);
            return Vec::new();
        }
        let again = repeated.then(|| text.clone());
        std::iter::once(text).chain(again).chain(held).collect()
    }

    /// What came after the message of this number; none where that is not known any more. Without a number, all
    /// there is.
    pub fn since(&self, last: Option<&Value>) -> Option<Vec<String>> {
        let texts = |skip: usize| self.history.iter().skip(skip).map(|(_, text)| text.clone()).collect();
        let Some(last) = last else { return (!self.forgotten).then(|| texts(0)) };
        match self.history.iter().rposition(|(sequence, _)| sequence == last) {
            Some(at) => Some(texts(at + 1)),
            // Nothing was heard yet.
            None => (!self.forgotten).then(|| texts(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_history_is_bounded_and_says_where_it_has_a_gap() {
        let mut channel = Channel::default();
        let none = FaultSet::default();
        for sequence in 0..HISTORY as u64 {
            channel.publish(json!(sequence), sequence.to_string(), &none);
        }
        assert_eq!(channel.since(None).map(|missed| missed.len()), Some(HISTORY));
        assert_eq!(channel.since(Some(&json!(HISTORY - 2))), Some(vec![(HISTORY - 1).to_string()]));
        channel.publish(json!(HISTORY), "one more".into(), &none);
        assert_eq!(channel.since(Some(&json!(0))), None, "it has gone");
        assert_eq!(channel.since(None), None);
        assert_eq!(channel.since(Some(&json!(HISTORY))), Some(vec![]));
    }
}
