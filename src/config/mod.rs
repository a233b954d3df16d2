//! Files and environment into a validated [`Plan`].
mod environment;
mod layers;
mod place;
mod problem;
mod schema;
pub mod settings;
mod tree;
mod words;
