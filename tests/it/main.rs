//! The one integration binary: each file is one subject.

mod crowd;
mod dependencies;
mod docs;
mod floors;
mod matrix;
mod support;
