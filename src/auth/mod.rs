//! Credentials: where a token comes from and whether it is still good. Where it is placed in a request is
//! said here too; `session` does the placing.

mod place;
mod source;

pub use place::Place;
pub use source::{AuthError, Source, Token};

/// What a target needs to be let in.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Where the token comes from.
    pub source: Source,
    /// Where it goes.
    pub place: Place,
}
