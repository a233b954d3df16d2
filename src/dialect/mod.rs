//! What a gateway's protocol says: its greeting, heartbeat, exchanges, promises and close codes, as data.
//!
//! A dialect is a [`Spec`], as it stands in a file, compiled to a [`Dialect`]; a [`Dialogue`] is one
//! connection's conversation in it. Pure: no I/O and no clock. Messages go in, messages and their meaning
//! come out; the caller keeps the time. The language has no conditionals, loops or arithmetic.

mod before;
mod capture;
mod compile;
mod definition;
mod dialogue;
mod exchanges;
mod heard;
mod meaning;
mod message;
mod names;
mod parts;
mod pattern;
mod presets;
mod promise;
mod spec;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod variables;

pub use before::{Before, BeforeError, BeforeRequest, MAX_ANSWER};
pub use compile::SpecError;
pub use definition::{Dialect, Part, PartLine};
pub use dialogue::Dialogue;
pub use meaning::{Answer, Asked, Await, Meaning};
pub use message::Message;
pub use presets::{DEFAULT_PRESET, preset, presets};
pub use promise::{CloseClass, Origin, ZombiePromise};
pub use spec::{
    CookiePlace, ExpirySpec, FirstMessagePlace, HeaderPlace, IntervalSpec, QueryPlace, ReactionSpec,
    SizeSpec, Spec, SubprotocolPlace, TokenPlace,
};
pub use variables::Variables;
