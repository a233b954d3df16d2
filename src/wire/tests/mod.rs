//! Against real sockets: small servers that do exactly one thing, mostly a wrong one.

#![allow(clippy::disallowed_methods, reason = "a test's channels hold what the test itself sends")]

mod authority;
mod content;
mod dial;
mod dns;
mod frames;
mod proxy;
mod redirect;
mod servers;
mod socket;
mod tls;
