//! Tests over real sockets: what a client sees on the wire, byte by byte.

mod accept_faults;
mod beat_faults;
mod beats;
mod client;
mod control;
mod counters;
mod flapping_faults;
mod healthy;
mod json;
mod jwt;
mod malformed;
mod malformed_faults;
mod malformed_handshake;
mod pong_faults;
mod refresh;
mod refresh_faults;
mod session_faults;
mod stalled;
mod tls;
mod upgrade_faults;
mod zombie_company;
mod zombie_faults;
