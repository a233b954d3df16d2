//! Tests over real sockets: what a client sees on the wire, byte by byte.

mod accept_faults;
mod client;
mod control;
mod healthy;
mod session_faults;
mod tls;
mod upgrade_faults;
