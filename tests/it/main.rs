//! The one integration binary: each file is one subject.

mod floors;
mod lifecycle;
mod support;
