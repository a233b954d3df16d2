//! The one integration binary: each file is one subject.

mod causes;
mod demo;
mod floors;
mod lifecycle;
mod secrets;
mod support;
