//! Against real sockets: small servers that do exactly one thing, mostly a wrong one.

mod dial;
mod dns;
mod frames;
mod proxy;
mod redirect;
mod servers;
mod socket;
mod tls;
