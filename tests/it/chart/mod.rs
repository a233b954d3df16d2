//! The Helm chart, and what is made of it.

mod contract;
mod helm;
mod pod;
mod templates;
