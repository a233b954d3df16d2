//! The reference gateway: a WebSocket server that does everything right (RFC 6455), and whatever
//! you want wrong, on demand.
//!
//! The demo, fire drills and the detection tests run against it. It shares no code with the rest of
//! the crate, and has its own HTTP reader and frame codec, so that one bug can't sit on both sides.
//!
//! ```
//! # use gateprobe::gateway::{self, Fault, FaultKind, Settings};
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let gateway = gateway::start(Settings::default()).await?;
//! println!("healthy: {}", gateway.url());
//! gateway.set_fault(Fault::UpgradeStatus(503))?;
//! gateway.clear_fault(FaultKind::UpgradeStatus);
//! gateway.shutdown().await;
//! # Ok::<(), gateway::Error>(()) }).unwrap();
//! ```
//!
//! A connection passes `accept` (TCP, TLS), `upgrade` and `session`, each over a `link` that drives
//! both directions at once; `ending` ends it. `shared` holds what connections have in common.

mod accept;
mod answer;
mod arrival;
mod clock;
mod control;
mod damage;
mod deflate;
mod duration;
mod ending;
mod error;
mod event;
mod fault;
mod frame;
mod handle;
mod heartbeat;
mod http;
mod hub;
mod jwt;
mod kernel;
mod leak;
mod link;
mod log;
mod message;
mod metrics;
mod offence;
mod peer;
mod session;
mod settings;
mod shared;
mod tls;
mod traffic;
mod upgrade;

#[cfg(test)]
mod tests;

pub use duration::{format_duration, parse_duration};
pub use error::Error;
pub use event::{Event, EventKind, Level, Payload};
pub use fault::{Fault, FaultError, FaultKind, catalogue};
pub use handle::{Handle, LogReader, start};
pub use jwt::{JwtRules, TakenTokens, TokenRefusal};
pub use kernel::monotonic_ns;
pub use offence::{Offence, OffenceGroup, Scope};
pub use settings::{ApplicationHeartbeat, MESSAGE_LIMIT, MESSAGE_LIMIT_MAX, Settings, TlsSettings, Token};
