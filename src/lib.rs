//! gateprobe watches production WebSocket gateways from outside, the way their worst clients treat
//! them, and tells ops teams what the gateway did.

pub mod checks;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod metrics;
pub mod model;
pub mod wire;
