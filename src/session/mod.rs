//! A session with a gateway: a target, a credential, a budget and a socket brought together.

use std::time::Duration;

mod before;
mod budget;
mod bystander;
mod jar;
mod offer;
mod opened;
mod pings;
mod redact;
mod talk;
mod target;
mod trial;
mod visit;

pub use before::BeforeFault;
pub use budget::{Budget, Limits, Permit};
pub use bystander::Bystander;
pub use jar::{Cookies, Jar};
pub use offer::Ask;
pub use opened::{Heard, Opened};
pub use pings::{Pings, Tally};
pub use talk::{Level, Line, Manners, Talk, Word};
pub use target::Target;
pub use trial::{Told, trial};
pub use visit::{Refusal, Visit};

/// How long a Close may take to be written where it is no more than a courtesy.
pub const COURTESY: Duration = Duration::from_millis(100);
