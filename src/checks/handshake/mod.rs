//! The `handshake` check: can a client get in, how long does each step take, and does the gateway keep to
//! RFC 6455 and to what the target promises.

mod config;

pub use config::{Expect, Expectation, FirstMessage, Handshake, MessageKind, Thresholds};
