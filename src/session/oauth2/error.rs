//! Why a token endpoint gave no token: never the gateway's fault.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use thiserror::Error;

use crate::model::Span;
use crate::wire::{ContentError, DialError};

/// Why there is no token. Holds nothing that the endpoint said in words of its own.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OAuth2Error {
    /// It can't be reached.
    #[error("{0}")]
    Dial(DialError),
    /// `EMFILE` or `ENFILE`. Nothing is known of the endpoint.
    #[error("no file descriptor is left")]
    NoDescriptors,
    /// The connection ended before the answer.
    #[error("the connection ended before the answer")]
    Closed,
    /// The kernel gave up on the connection.
    #[error("the connection was lost: {0}")]
    Lost(ErrorKind),
    /// Not HTTP/1.1.
    #[error("its answer is not HTTP/1.1: {0}")]
    NotHttp(&'static str),
    /// It did not answer in time.
    #[error("no answer within {0}")]
    Late(Span),
    /// Another status than 200 (RFC 6749, section 5.2).
    #[error("it answered {status}{}", in_brackets(*code))]
    Status {
        /// The status.
        status: u16,
        /// The `error` in its content, where it is one that we know.
        code: Option<ErrorCode>,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Its content can't be read.
    #[error("{0}")]
    Content(ContentError),
    /// A 200 whose content is no JSON object with a token (RFC 6749, section 5.1).
    #[error("its answer is {0}")]
    Malformed(&'static str),
    /// A token that no request can carry, or that has expired by our clock.
    #[error("{0}")]
    Unusable(String),
}

/// The errors of a token endpoint that have names (RFC 6749, section 5.2; `invalid_target` is RFC 8707, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// A parameter is missing, unknown or twice there.
    InvalidRequest,
    /// Unknown client, or the wrong secret.
    InvalidClient,
    /// Not for this grant.
    InvalidGrant,
    /// The client may not use client credentials.
    UnauthorizedClient,
    /// The server does not know client credentials.
    UnsupportedGrantType,
    /// The scope is unknown, malformed or more than the client may have.
    InvalidScope,
    /// The audience is unknown or not for the client.
    InvalidTarget,
}

impl ErrorCode {
    const ALL: [Self; 7] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidTarget,
    ];

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// As it stands in an answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
        }
    }
}

impl OAuth2Error {
    /// How long the endpoint wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<DialError> for OAuth2Error {
    fn from(error: DialError) -> Self {
        match error {
            DialError::NoDescriptors => Self::NoDescriptors,
            DialError::UpgradeClosed { .. } => Self::Closed,
            DialError::Lost { kind, .. } => Self::Lost(kind),
            DialError::UpgradeMalformed(what) => Self::NotHttp(what),
            DialError::UpgradeHeaderTooLarge => Self::NotHttp("the header is too large"),
            other => Self::Dial(other),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn in_brackets(code: Option<ErrorCode>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
