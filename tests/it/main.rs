//! The one integration binary: each file is one subject.

mod accuracy;
mod agent_log;
mod before;
mod budget_proof;
mod causes;
mod crowd;
mod demo;
mod dependencies;
mod dialect_try;
mod docs;
mod fairness;
mod flood;
mod floors;
mod lifecycle;
mod malformed;
mod matrix;
mod metrics;
mod performance;
mod prometheus;
mod relay;
mod scale;
mod secrets;
mod stalled;
mod support;
mod third_party;
mod tokens;
