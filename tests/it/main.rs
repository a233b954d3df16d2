//! The one integration binary: each file is one subject.

mod causes;
mod crowd;
mod demo;
mod dependencies;
mod docs;
mod floors;
mod lifecycle;
mod matrix;
mod support;
