//! A session with a gateway: a target, a credential, a budget and a socket brought together.

mod before;
mod budget;
mod jar;
mod offer;
mod opened;
mod target;
mod visit;

pub use before::BeforeFault;
pub use budget::{Budget, Limits, Permit};
pub use jar::{Cookies, Jar};
pub use offer::Ask;
pub use opened::{Heard, Opened};
pub use target::Target;
pub use visit::{Refusal, Visit};
