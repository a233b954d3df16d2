//! The one integration binary: each file is one subject.

mod accuracy;
mod agent_log;
mod before;
mod causes;
mod crowd;
mod demo;
mod dependencies;
mod dialect_try;
mod docs;
mod drills;
mod fairness;
mod flood;
mod floors;
mod hold;
mod lifecycle;
mod matrix;
mod metrics;
mod performance;
mod prometheus;
mod relay;
mod scale;
mod secrets;
mod soak;
mod stalled;
mod support;
mod third_party;
