//! The one integration binary: each file is one subject.

mod floors;
mod matrix;
mod support;
