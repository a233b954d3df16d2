//! OTLP: what a real collector gets, and what it costs when there is none.

mod agent;
mod collector;
mod receiver;
pub mod server;
