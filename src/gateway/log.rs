//! The gateway's log of what it did and when: a bounded ring of events in memory.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use super::clock::monotonic_ns;

/// Something the gateway did or saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Counts events from 0 without a gap; a gap at a reader means that events were dropped.
    pub seq: u64,
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub monotonic_ns: u64,
    /// Counts connections from 1; absent for what concerns the whole gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// What it was.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What an event is. What is "sent" has been handed to the kernel in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The kernel handed over a new connection.
    Accepted,
    /// No connection could be accepted, for instance for want of file descriptors.
    AcceptFailed {
        /// The operating system's error kind.
        error: String,
    },
    /// The TLS handshake is complete.
    TlsDone,
    /// The TLS handshake failed or took too long.
    TlsFailed,
    /// A whole upgrade request was read.
    RequestRead,
    /// A 101 was sent.
    Upgraded,
    /// The upgrade was refused, and the answer sent.
    Rejected {
        /// The HTTP status.
        status: u16,
    },
    /// The hello, or the first message after the 101, was sent.
    FirstMessageSent,
    /// A ping was sent.
    PingSent {
        /// Counts the pings of this connection from 1; also its payload, as 8 bytes big-endian.
        number: u64,
    },
    /// A pong that answers one of the pings came.
    PongReceived {
        /// The ping that it answers.
        number: u64,
    },
    /// A ping stayed unanswered for too long.
    HeartbeatMissed {
        /// The oldest unanswered ping.
        number: u64,
    },
    /// The client broke the protocol.
    Violation {
        /// What it broke.
        what: String,
    },
    /// A Close was sent.
    CloseSent {
        /// Its code, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
    /// A Close came.
    CloseReceived {
        /// Its code, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
    /// The client ended its side (FIN) or reset the connection.
    PeerGone {
        /// A reset rather than a FIN.
        reset: bool,
    },
    /// The gateway ended its side (FIN).
    FinSent,
    /// The gateway let go of the connection.
    TcpClosed {
        /// It did so by a reset.
        reset: bool,
    },
    /// A fault was switched on, or given another value.
    FaultSet {
        /// `name` or `name=value`.
        fault: String,
    },
    /// A fault was switched off.
    FaultCleared {
        /// Its name.
        fault: &'static str,
    },
    /// The gateway began to shut down.
    Draining,
}

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

    /// Stamps and keeps an event; drops the oldest when the ring is full.
    pub fn push(&self, connection: Option<(u64, SocketAddr)>, kind: EventKind) {
        let mut ring = self.lock();
        if ring.events.len() == self.capacity {
            ring.events.pop_front();
        }
        let event = Event {
            seq: ring.next,
            // Taken under the lock, so that the order of the log is the order of the clock.
            monotonic_ns: monotonic_ns(),
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
            log.push(None, EventKind::PingSent { number });
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
        log.push(Some((7, peer)), EventKind::CloseSent { code: Some(1001) });
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
        log.push(None, EventKind::Draining);
        log.push(None, EventKind::Draining);
        assert_eq!(waiter.await.unwrap()[0].seq, 1);
    }
}
