//! What went over one connection, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one connection. Bytes are those below WebSocket: TCP payload, or plaintext where there is
/// TLS.
#[derive(Debug, Default)]
pub struct Traffic {
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    frames_received: AtomicU64,
    messages_received: AtomicU64,
}

/// One of the things that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Bytes that came.
    BytesReceived,
    /// Bytes that the kernel took.
    BytesSent,
    /// Frames that came, control frames and refused ones too.
    FramesReceived,
    /// Text and binary messages that came whole.
    MessagesReceived,
}

impl Traffic {
    /// Counts.
    pub fn add(&self, quantity: Quantity, count: u64) {
        self.counter(quantity).fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self, quantity: Quantity) -> u64 {
        self.counter(quantity).load(Ordering::Relaxed)
    }

    fn counter(&self, quantity: Quantity) -> &AtomicU64 {
        match quantity {
            Quantity::BytesReceived => &self.bytes_received,
            Quantity::BytesSent => &self.bytes_sent,
            Quantity::FramesReceived => &self.frames_received,
            Quantity::MessagesReceived => &self.messages_received,
        }
    }
}
