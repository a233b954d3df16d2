//! Credentials: where a token comes from, whether it is still good, and what a bad one looks like. Where it is
//! placed in a request is said here too; `session` does the placing.
//!
//! | what | by |
//! |---|---|
//! | a token from a file, a variable or an issuer | [`Source::fetch`] |
//! | the same, but none that was used before | [`Source::fetch_new`] |
//! | a token that gateprobe signs itself | [`Mint`] |
//! | a token that a gateway must refuse | [`Source::forge`] |

mod algorithm;
mod error;
mod forgery;
mod issuer;
mod jwt;
mod key;
mod mint;
mod place;
mod source;
mod token;

pub use algorithm::Algorithm;
pub use error::{AuthError, KeyFault};
pub use forgery::Forgery;
pub use issuer::Issuer;
pub use key::KeyEncoding;
pub use mint::{Claims, Mint};
pub use place::Place;
pub use source::Source;
pub use token::Token;

/// What a target needs to be let in.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Where the token comes from.
    pub source: Source,
    /// Where it goes.
    pub place: Place,
}
