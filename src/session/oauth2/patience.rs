//! When a token endpoint that gave no token is asked again.

use std::time::Duration;

use tokio::time::Instant;

use super::error::OAuth2Error;

/// After the first failure; twice as long after each further one.
const FIRST: Duration = Duration::from_secs(1);
/// As long at most, unless the endpoint asks for more.
const LONGEST: Duration = Duration::from_secs(60);

/// The failures since the last success.
#[derive(Debug, Default)]
pub struct Patience {
    failures: u32,
    last: Option<(OAuth2Error, Instant)>,
}

impl Patience {
    /// Why it is not asked now, and for how long.
    pub fn refuses(&self, now: Instant) -> Option<(&OAuth2Error, Duration)> {
        let (error, until) = self.last.as_ref()?;
        let wait = until.saturating_duration_since(now);
        (!wait.is_zero()).then_some((error, wait))
    }

    /// Notes a failure. Each of them, not only 429 and 5xx: a server may lock a client out that keeps on showing it
    /// the wrong secret.
    pub fn lost(&mut self, error: OAuth2Error, now: Instant) {
        let own = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        let wait = error.retry_after().map_or(own, |asked| asked.max(own));
        self.failures = self.failures.saturating_add(1);
        self.last = Some((error, now + wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, retry_after: Option<Duration>) -> OAuth2Error {
        OAuth2Error::Status { status, code: None, retry_after }
    }

    #[test]
    fn each_failure_is_waited_for_longer_up_to_a_minute() {
        let now = Instant::now();
        let mut patience = Patience::default();
        assert!(patience.refuses(now).is_none());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            patience.lost(status(500, None), now);
            let wait = Duration::from_secs(seconds);
            assert_eq!(patience.refuses(now).map(|(_, wait)| wait), Some(wait));
            assert!(patience.refuses(now + wait).is_none(), "then it is asked");
        }
    }

    #[test]
    fn the_endpoint_may_ask_for_more() {
        let now = Instant::now();
        let mut patience = Patience::default();
        let hour = Duration::from_secs(3600);
        patience.lost(status(429, Some(hour)), now);
        assert_eq!(patience.refuses(now).map(|(_, wait)| wait), Some(hour));
        patience.lost(status(429, Some(Duration::ZERO)), now);
        assert_eq!(patience.refuses(now).map(|(_, wait)| wait), Some(Duration::from_secs(2)), "no less");
    }
}
