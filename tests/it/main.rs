//! The one integration binary: each file is one subject.

mod agent_log;
mod floors;
mod metrics;
mod prometheus;
mod support;
mod third_party;
