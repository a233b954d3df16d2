//! gateprobe watches production WebSocket gateways from outside, the way their worst clients treat
//! them, and tells ops teams what the gateway did.

pub mod gateway;
pub mod http;
pub mod metrics;
pub mod model;
pub mod store;
