//! gateprobe watches production WebSocket gateways from outside, the way their worst clients treat
//! them, and tells ops teams what the gateway did.
//!
//! The modules in the order of their floors; each uses only those above it in this list
//! (`docs/ARCHITECTURE.md`).

pub mod metrics;
pub mod model;

pub mod auth;
pub mod canary;
pub mod dialect;
pub mod rules;
pub mod wire;

pub mod session;

pub mod checks;

pub mod config;
pub mod runner;

pub mod export;
pub mod gate;
pub mod schedule;
pub mod store;

pub mod http;

pub mod agent;

pub mod cli;

// Apart: shares no code with the rest.
pub mod gateway;
