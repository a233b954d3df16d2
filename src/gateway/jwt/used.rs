//! The tokens that refreshes have used. No clock: whoever calls brings the time.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::credential::TokenId;

/// So many are known at most; beyond, those are forgotten that end first.
const MOST: usize = 10_000;

/// Tokens that were used, each known for as long as it could be used again.
#[derive(Debug, Default)]
pub struct UsedTokens {
    ends: HashMap<TokenId, Duration>,
    by_end: BTreeSet<(Duration, TokenId)>,
}

impl UsedTokens {
    /// Whether a token was used.
    pub fn contains(&self, id: TokenId) -> bool {
        self.ends.contains_key(&id)
    }

    /// Notes that a token was used, which nobody takes any more from `end` on; both times are since the Unix epoch.
    pub fn insert(&mut self, id: TokenId, end: Duration, now: Duration) {
        // One that is used again, by a fault, is known for the longer of its times.
        let end = self.ends.get(&id).map_or(end, |known| end.max(*known));
        if let Some(known) = self.ends.insert(id, end) {
            self.by_end.remove(&(known, id));
        }
        self.by_end.insert((end, id));
        while self.by_end.len() > MOST || self.by_end.first().is_some_and(|(end, _)| *end <= now) {
            let Some((_, id)) = self.by_end.pop_first() else { return };
            self.ends.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gateway::jwt::Credential;

    fn id(number: usize) -> TokenId {
        Credential::new(&number.to_string(), json!({ "exp": 1 }).as_object().unwrap()).unwrap().id
    }

    #[test]
    fn a_token_is_known_until_its_end() {
        let second = Duration::from_secs;
        let mut used = UsedTokens::default();
        used.insert(id(1), second(10), second(0));
        used.insert(id(2), second(20), second(9));
        assert!(used.contains(id(1)) && used.contains(id(2)) && !used.contains(id(3)));
        used.insert(id(2), second(5), second(10));
        assert!(!used.contains(id(1)) && used.contains(id(2)));
        used.insert(id(3), second(30), second(20));
        assert!(!used.contains(id(2)) && used.contains(id(3)));
        assert_eq!((used.ends.len(), used.by_end.len()), (1, 1));
    }

    #[test]
    fn there_is_an_end_to_how_many_are_known() {
        let mut used = UsedTokens::default();
        for number in 0..=MOST {
            used.insert(id(number), Duration::from_secs(1_000 + number as u64), Duration::ZERO);
        }
        assert_eq!((used.ends.len(), used.by_end.len()), (MOST, MOST));
        assert!(!used.contains(id(0)) && used.contains(id(1)) && used.contains(id(MOST)));
    }
}
