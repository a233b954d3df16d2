//! The statistics of the judge, each with its source. A test holds them against SciPy.
//!
//! "Worse" is one-sided throughout: a canary that is better is no reason to stop it.

pub mod effect;
pub mod fisher;
pub mod hodges_lehmann;
pub mod mann_whitney;
pub mod multiple;
pub mod normal;
pub mod proportion;
pub mod spending;
