//! What issues tokens from afar. Who asks it, and how, is for those who have sockets.

use std::fmt::Debug;
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use super::{AuthError, Token};

/// Issues tokens on request, such as an OAuth2 authorization server.
pub trait Issuer: Debug + Send + Sync {
    /// A token that is good for a while yet: one that was issued before, or a new one where `new` is asked for or
    /// none is left.
    ///
    /// # Errors
    /// When it issues none, or one that is not usable at `now`.
    fn token(&self, now: SystemTime, new: bool) -> BoxFuture<'_, Result<Token, AuthError>>;
}
