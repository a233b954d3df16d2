//! The one integration binary: each file is one subject.

mod floors;
mod metrics;
mod prometheus;
mod support;
mod third_party;
