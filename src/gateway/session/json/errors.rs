//! How many errors a client has made of late.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// So many errors within the span are a flood.
const LIMIT: usize = 20;
const SPAN: Duration = Duration::from_secs(1);

/// The errors of one client within the last second.
#[derive(Debug, Default)]
pub struct Errors(VecDeque<Instant>);

impl Errors {
    /// Counts one more; `true` when that makes it a flood.
    pub fn is_flood(&mut self, now: Instant) -> bool {
        if self.0.len() == LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(now);
        let oldest = self.0.front().copied().unwrap_or(now);
        self.0.len() == LIMIT && now.saturating_duration_since(oldest) < SPAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_within_a_second_are_a_flood() {
        let start = Instant::now();
        let floods = |gap: u64| {
            let mut errors = Errors::default();
            let times = (0..30).map(|number| start + Duration::from_millis(number * gap));
            times.map(|at| errors.is_flood(at)).position(|flood| flood)
        };
        assert_eq!(floods(10), Some(19));
        assert_eq!(floods(52), Some(19));
        assert_eq!(floods(53), None);
    }
}
