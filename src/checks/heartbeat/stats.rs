//! Figures of round-trip times. Pure.

use std::time::Duration;

/// The round-trip times of several connections.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    sorted: Vec<Duration>,
    jitter: Option<Duration>,
}

impl Stats {
    /// Of the times of each connection, in the order in which its pings went out.
    pub fn new(connections: Vec<Vec<Duration>>) -> Self {
        let jitter = connections.iter().filter_map(|times| jitter(times)).max();
        let mut sorted = connections.concat();
        sorted.sort_unstable();
        Self { sorted, jitter }
    }

    /// The average.
    pub fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.sorted.len()).ok().filter(|count| *count > 0)?;
        Some(self.sorted.iter().sum::<Duration>() / count)
    }

    /// The smallest time that is not less than a share of all, by nearest rank.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (self.sorted.len() as f64 * share).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).copied()
    }

    /// The longest.
    pub fn max(&self) -> Option<Duration> {
        self.sorted.last().copied()
    }

    /// The jitter of the worst connection.
    pub fn jitter(&self) -> Option<Duration> {
        self.jitter
    }

    /// All of them.
    pub fn times(&self) -> &[Duration] {
        &self.sorted
    }
}

/// RFC 3550, section 6.4.1, with round-trip times in the place of transit times: J += (|D| - J) / 16.
fn jitter(times: &[Duration]) -> Option<Duration> {
    let differences = times.windows(2).map(|pair| pair[0].abs_diff(pair[1]).as_secs_f64());
    let jitter = differences.fold(0.0, |jitter, difference| jitter + (difference - jitter) / 16.0);
    (times.len() > 1).then(|| Duration::from_secs_f64(jitter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(connections: &[&[u64]]) -> Stats {
        let times = |times: &&[u64]| times.iter().map(|ms| Duration::from_millis(*ms)).collect();
        Stats::new(connections.iter().map(times).collect())
    }

    #[test]
    fn quantiles_are_by_nearest_rank_over_all_connections() {
        let stats = stats(&[&[10, 40], &[20, 30]]);
        let millis = |share| stats.quantile(share).expect("some").as_millis();
        assert_eq!([0.5, 0.75, 0.95, 0.99].map(millis), [20, 30, 40, 40]);
        assert_eq!(stats.mean(), Some(Duration::from_millis(25)));
        assert_eq!(Stats::default().mean(), None);
        assert_eq!(Stats::default().quantile(0.5), None);
    }

    #[test]
    fn jitter_is_that_of_rfc_3550_on_the_worst_connection() {
        assert_eq!(stats(&[&[10, 10, 10]]).jitter(), Some(Duration::ZERO));
        // One step of 16 ms raises it by a sixteenth.
        assert_eq!(stats(&[&[10, 26], &[5, 5]]).jitter(), Some(Duration::from_millis(1)));
        assert_eq!(stats(&[&[10]]).jitter(), None);
    }
}
