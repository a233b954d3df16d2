//! The Helm chart, and what is made of it.

pub mod contract;
pub mod helm;
mod monitoring;
mod pod;
pub mod templates;
