//! The Helm chart, and what is made of it.

mod contract;
mod helm;
mod monitoring;
mod pod;
mod templates;
