//! Right and wrong told apart against gateways, proxies and name servers that nobody here wrote.

mod dns;
mod flapping;
mod gateways;
mod heartbeat;
mod malformed;
mod proxy;
mod text;
mod zombies;
