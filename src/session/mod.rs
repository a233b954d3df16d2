//! A session with a gateway: a credential, a budget and a socket brought together.

pub mod budget;
