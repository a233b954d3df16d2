//! A session with a gateway: a target, a credential, a budget and a socket brought together.

use std::time::Duration;

mod altered;
mod before;
mod budget;
mod bystander;
mod companion;
mod control;
mod exposition;
mod jar;
mod ledger;
mod manners;
mod oauth2;
mod observe;
mod offer;
mod opened;
mod pings;
mod recall;
mod redact;
mod refusal;
mod shelf;
mod sign_of_life;
mod stream;
mod talk;
mod target;
mod transcript;
mod trial;
mod visit;
mod volley;
mod word;

pub use altered::{Altered, Met, Reception};
pub use before::BeforeFault;
pub use budget::{Budget, Limits, OpenConnections, Permit};
pub use bystander::Bystander;
pub use companion::{Companion, Proof, Sampled};
pub use control::Control;
pub use exposition::{NoValue, Selector, SelectorError};
pub use jar::{Cookies, Jar};
pub use ledger::{Account, Ledger, tell};
pub use manners::{Level, Manners};
pub use oauth2::{ClientAuth, ClientGrant, TokenEndpoint};
pub use observe::{Observe, ObserveError, Observed};
pub use offer::Ask;
pub use opened::{Heard, Opened};
pub use pings::{Pings, Tally};
pub use recall::Recall;
pub use refusal::Refusal;
pub use shelf::{By, Drains, End, EndClass, Glance, Invitation, Shelf, Standing, Terms};
pub use stream::Stream;
pub use talk::Talk;
pub use target::{Propagate, Target};
pub use transcript::Line;
pub use trial::{Told, trial};
pub use visit::{Hindsight, Visit};
pub use volley::Goodbye;
pub use word::Word;

/// How long a Close may take to be written where it is no more than a courtesy.
pub const COURTESY: Duration = Duration::from_millis(100);
