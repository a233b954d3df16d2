//! gateprobe watches production WebSocket gateways from outside, the way their worst clients treat
//! them, and tells ops teams what the gateway did.

pub mod cli;
pub mod gateway;
