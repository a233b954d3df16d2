//! The gateway's log of what it did and when: a bounded ring of events in memory.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::event::{Event, EventKind};
use super::kernel::monotonic_ns;

/// A ring of the newest events.
#[derive(Debug)]
pub struct Log {
    ring: Mutex<Ring>,
    added: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Event>,
    next: u64,
}

impl Log {
    /// A log that keeps `capacity` events, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { ring: Mutex::default(), added: Notify::new(), capacity: capacity.max(1) }
    }

    /// Keeps an event that happened at `at`, in nanoseconds of `CLOCK_MONOTONIC`, or now; drops the
    /// oldest when the ring is full.
    pub fn push(&self, connection: Option<(u64, SocketAddr)>, at: Option<u64>, kind: EventKind) {
        let mut ring = self.lock();
        if ring.events.len() == self.capacity {
            ring.events.pop_front();
        }
        let event = Event {
            seq: ring.next,
            // Taken under the lock, so that what happens now is in the order of the clock.
            monotonic_ns: at.unwrap_or_else(monotonic_ns),
            connection: connection.map(|(id, _)| id),
            peer: connection.map(|(_, peer)| peer),
            kind,
        };
        ring.next += 1;
        ring.events.push_back(event);
        drop(ring);
        self.added.notify_waiters();
    }

    /// The events that are still kept, from number `since` on.
    pub fn since(&self, since: u64) -> Vec<Event> {
        let ring = self.lock();
        let first = ring.next - ring.events.len() as u64;
        let skip = usize::try_from(since.saturating_sub(first)).unwrap_or(usize::MAX);
        ring.events.iter().skip(skip).cloned().collect()
    }

    /// Waits until there is an event with number `since` or later, and gives them all.
    pub async fn wait_since(&self, since: u64) -> Vec<Event> {
        loop {
            let added = self.added.notified();
            tokio::pin!(added);
            // Registered before looking, or an event in between would be missed.
            added.as_mut().enable();
            let events = self.since(since);
            if !events.is_empty() {
                return events;
            }
            added.await;
        }
    }

    /// How many events have been dropped so far.
    pub fn dropped(&self) -> u64 {
        let ring = self.lock();
        ring.next - ring.events.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_and_counts_the_dropped() {
        let log = Log::new(3);
        for number in 1..=5 {
            log.push(None, None, EventKind::PingSent { number });
        }
        assert_eq!(log.dropped(), 2);
        let seqs = |since| log.since(since).iter().map(|e| e.seq).collect::<Vec<_>>();
        assert_eq!(seqs(0), [2, 3, 4]);
        assert_eq!(seqs(4), [4]);
        assert!(seqs(5).is_empty());
        assert!(seqs(u64::MAX).is_empty());
    }

    #[test]
    fn an_event_is_one_flat_line_of_json() {
        let log = Log::new(3);
        let peer = "127.0.0.1:9".parse().unwrap();
        log.push(Some((7, peer)), None, EventKind::CloseSent { code: Some(1001) });
        let line = serde_json::to_value(&log.since(0)[0]).unwrap();
        assert_eq!(line["event"], "close_sent");
        assert_eq!(line["code"], 1001);
        assert_eq!((&line["connection"], &line["peer"]), (&7.into(), &"127.0.0.1:9".into()));
        assert!(line["monotonic_ns"].as_u64().unwrap() > 0);
    }

    #[tokio::test]
    async fn a_waiter_is_woken() {
        let log = std::sync::Arc::new(Log::new(3));
        let waiter = tokio::spawn({
            let log = log.clone();
            async move { log.wait_since(1).await }
        });
        log.push(None, None, EventKind::Draining);
        log.push(None, None, EventKind::Draining);
        assert_eq!(waiter.await.unwrap()[0].seq, 1);
    }
}
