//! The judge of a canary: is the new gateway as good as the old one?
//!
//! Pure: it is handed runs and says what they show; it has no clock and makes no connection. How it decides is told in
//! `docs/canary.md`.

mod critical;
mod data;
mod decision;
mod early;
mod judge;
mod measures;
mod outcomes;
mod plan;
mod sentence;
pub mod statistics;
#[cfg(test)]
pub(crate) mod tests;
pub mod words;

pub use decision::{
    ALL_CHECKS, Decision, EarlyStop, Evidence, FAILURES, Row, RowVerdict, RunCounts, VERSION, Verdict,
};
pub use judge::Judge;
pub use plan::{Arm, Direction, End, MetricPolicy, Plan, Policy, PolicyError, Run, RunOutcome};
