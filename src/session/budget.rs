//! A target's budget: what gateprobe may ask of one gateway, over all its checks together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The limits of a budget. Absent means unlimited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Connections open at once.
    pub connections: usize,
    /// New connections a second.
    pub connections_per_second: Option<f64>,
    /// Messages and control frames sent a second.
    pub messages_per_second: Option<f64>,
    /// Payload bytes sent a second.
    pub bytes_per_second: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10,
            connections_per_second: Some(5.0),
            messages_per_second: None,
            bytes_per_second: None,
        }
    }
}

/// The budget of one target, shared by all its checks.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    open: Arc<Semaphore>,
    connects: Pace,
    messages: Pace,
    bytes: Pace,
    sessions: AtomicUsize,
    all: OpenConnections,
}

/// How many connections there are to all gateways, those that are being dialled too: each holds a permit of its
/// target's budget. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct OpenConnections(Arc<AtomicUsize>);

/// A WebSocket session, for as long as this lives.
#[derive(Debug)]
pub(super) struct Counted(Arc<Budget>);

/// The right to hold one connection; given back when dropped.
#[derive(Debug)]
pub struct Permit(#[allow(dead_code)] OwnedSemaphorePermit, OpenConnections);

impl Budget {
    /// A budget that is wholly unspent.
    pub fn new(limits: Limits) -> Self {
        Self::counted_in(limits, &OpenConnections::default())
    }

    /// The same, with its connections counted among all.
    pub fn counted_in(limits: Limits, all: &OpenConnections) -> Self {
        Self {
            limits,
            open: Arc::new(Semaphore::new(limits.connections.max(1))),
            connects: Pace::new(limits.connections_per_second),
            messages: Pace::new(limits.messages_per_second),
            bytes: Pace::new(limits.bytes_per_second),
            sessions: AtomicUsize::new(0),
            all: all.clone(),
        }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Connections that may be opened now without waiting for one to end.
    pub fn connections_left(&self) -> usize {
        self.open.available_permits()
    }

    /// WebSocket sessions with the target that are open now, of all its checks.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// One more session.
    pub(super) fn count_session(self: &Arc<Self>) -> Counted {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(self))
    }

    /// Waits until one more connection is within the budget.
    pub async fn connect(&self) -> Permit {
        // The semaphore is never closed, so that the only way out is a permit.
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.open).acquire_owned().await {
                break permit;
            }
        };
        let now = Instant::now();
        if let Some(at) = self.connects.book(now, 1.0) {
            tokio::time::sleep_until(at).await;
        }
        self.all.0.fetch_add(1, Ordering::Relaxed);
        Permit(permit, self.all.clone())
    }

    /// Books one more message of so many payload bytes, and tells until when it must wait; none where it may go
    /// at once, since even a sleep of no length takes a tick of the timer.
    pub fn book(&self, bytes: usize) -> Option<Instant> {
        let now = Instant::now();
        self.messages.book(now, 1.0).max(self.bytes.book(now, bytes as f64))
    }
}

impl OpenConnections {
    /// How many there are now.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.1.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A rate limit by the generic cell rate algorithm (ITU-T I.371) with a burst of one second's worth, at
/// least one unit: fair in the order of arrival, and nothing to refill.
#[derive(Debug)]
struct Pace {
    seconds_per_unit: Option<f64>,
    burst: Duration,
    /// When the next unit would be due if all were spent evenly.
    due: Mutex<Option<Instant>>,
}

impl Pace {
    fn new(per_second: Option<f64>) -> Self {
        let seconds_per_unit = per_second.filter(|rate| *rate > 0.0).map(|rate| 1.0 / rate);
        let spare = seconds_per_unit.map_or(0.0, |each| (1.0 - each).max(0.0));
        Self { seconds_per_unit, burst: Duration::from_secs_f64(spare), due: Mutex::new(None) }
    }

    /// Books the units and tells when they may be used, where that is later than now.
    fn book(&self, now: Instant, units: f64) -> Option<Instant> {
        let worth = Duration::from_secs_f64(self.seconds_per_unit? * units);
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let booked = due.map_or(now, |due| due.max(now));
        *due = Some(booked + worth);
        booked.checked_sub(self.burst).filter(|at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, rate: f64) -> Limits {
        Limits { connections, connections_per_second: Some(rate), ..Limits::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn new_connections_are_paced_after_a_burst_of_one_second() {
        let budget = Budget::new(limits(100, 2.0));
        let began = Instant::now();
        let mut at = Vec::new();
        for _ in 0..6 {
            let _permit = budget.connect().await;
            at.push(began.elapsed().as_millis());
        }
        assert_eq!(at, [0, 0, 500, 1000, 1500, 2000]);
    }

    #[tokio::test]
    async fn connections_of_all_budgets_are_counted_while_their_permits_live() {
        let all = OpenConnections::default();
        let budgets = [Budget::counted_in(limits(2, 9.0), &all), Budget::counted_in(limits(2, 9.0), &all)];
        let first = budgets[0].connect().await;
        let second = budgets[1].connect().await;
        assert_eq!(all.count(), 2);
        // A budget that a reload has replaced may have connections that live on.
        drop(budgets);
        drop(first);
        assert_eq!(all.count(), 1);
        drop(second);
        assert_eq!(all.count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_rates_wait_their_whole_turn() {
        let budget = Budget::new(limits(100, 0.1));
        let began = Instant::now();
        for _ in 0..3 {
            let _permit = budget.connect().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_at_once_are_bounded_and_given_back() {
        let budget = Budget::new(limits(1, 1_000.0));
        let first = budget.connect().await;
        assert_eq!(budget.connections_left(), 0);
        let waiting = tokio::time::timeout(Duration::from_secs(60), budget.connect()).await;
        assert!(waiting.is_err(), "a second connection while the first is open");
        drop(first);
        drop(budget.connect().await);
        assert_eq!(budget.connections_left(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_and_messages_are_paced_apart() {
        let limits =
            Limits { messages_per_second: Some(1_000.0), bytes_per_second: Some(100.0), ..Limits::default() };
        let budget = Budget::new(limits);
        let began = Instant::now();
        for _ in 0..4 {
            if let Some(at) = budget.book(100) {
                tokio::time::sleep_until(at).await;
            }
        }
        // tokio's timer ticks once a millisecond.
        let took = began.elapsed().as_millis();
        assert!((2_010..=3_001).contains(&took), "{took} ms for 400 bytes at 100 a second");
    }
}
