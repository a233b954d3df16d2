//! What a gateway did with something malformed, as a closed vocabulary. Pure.

use std::fmt;
use std::time::Duration;

use crate::dialect::CloseClass;

/// What a gateway did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// Sent a Close with this code, or without one; illegal ones too.
    Close(Option<u16>),
    /// Answered the upgrade request by this status.
    Status(u16),
    /// Answered 426, but did not name version 13 (RFC 6455, section 4.4).
    VersionUnnamed,
    /// Let us in.
    Upgraded,
    /// Sent the dialect's error reply, and kept the connection.
    ErrorReply,
    /// Sent another message, and kept the connection.
    Replied,
    /// Took it as good: echoed it, or answered it by the dialect's success.
    Accepted,
    /// Sent the pong that was due.
    Ponged,
    /// Said nothing, and kept the connection.
    Ignored,
    /// Ended TCP without a Close, or without an answer to the request.
    Unclean,
    /// Sent what is no WebSocket frame, or no HTTP.
    Nonsense,
    /// Neither served the connection nor ended it in time.
    Hang,
    /// Could not be reached any more.
    Crash,
}

/// A reaction with what came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What the gateway did.
    pub reaction: Reaction,
    /// What its dialect takes the close code for.
    pub class: Option<CloseClass>,
    /// The status came with `Retry-After`.
    pub patience: bool,
    /// From right before the write to right after the read; none where there was nothing to read.
    pub took: Option<Duration>,
}

impl Seen {
    /// A reaction with nothing to it.
    pub fn plain(reaction: Reaction) -> Self {
        Self { reaction, class: None, patience: false, took: None }
    }

    /// The same, with the time that it took.
    #[must_use]
    pub fn after(self, took: Duration) -> Self {
        Self { took: Some(took), ..self }
    }
}

impl Reaction {
    /// The value of the label `reaction`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Close(code) => close_label(code),
            Self::Status(status) => status_label(status),
            Self::VersionUnnamed => "http_426_unnamed",
            Self::Upgraded => "upgraded",
            Self::ErrorReply => "error_reply",
            Self::Replied => "replied",
            Self::Accepted => "accepted",
            Self::Ponged => "ponged",
            Self::Ignored => "ignored",
            Self::Unclean => "rejected_unclean",
            Self::Nonsense => "nonsense",
            Self::Hang => "hang",
            Self::Crash => "crash",
        }
    }
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close(Some(code)) => write!(f, "Close {code}"),
            Self::Close(None) => f.write_str("Close without a code"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::VersionUnnamed => f.write_str("status 426 without Sec-WebSocket-Version: 13"),
            other => f.write_str(other.label()),
        }
    }
}

/// Each code of RFC 6455 and its registry by itself; a gateway can't make up labels.
fn close_label(code: Option<u16>) -> &'static str {
    match code {
        None => "close_none",
        Some(1000) => "close_1000",
        Some(1001) => "close_1001",
        Some(1002) => "close_1002",
        Some(1003) => "close_1003",
        Some(1004) => "close_1004",
        Some(1005) => "close_1005",
        Some(1006) => "close_1006",
        Some(1007) => "close_1007",
        Some(1008) => "close_1008",
        Some(1009) => "close_1009",
        Some(1010) => "close_1010",
        Some(1011) => "close_1011",
        Some(1012) => "close_1012",
        Some(1013) => "close_1013",
        Some(1014) => "close_1014",
        Some(1015) => "close_1015",
        Some(3000..=3999) => "close_3xxx",
        Some(4000..=4999) => "close_4xxx",
        Some(_) => "close_other",
    }
}

fn status_label(status: u16) -> &'static str {
    match status {
        200 => "http_200",
        400 => "http_400",
        401 => "http_401",
        403 => "http_403",
        404 => "http_404",
        405 => "http_405",
        408 => "http_408",
        413 => "http_413",
        426 => "http_426",
        429 => "http_429",
        431 => "http_431",
        500 => "http_500",
        501 => "http_501",
        502 => "http_502",
        503 => "http_503",
        504 => "http_504",
        other => match other / 100 {
            2 => "http_2xx",
            3 => "http_3xx",
            4 => "http_4xx",
            5 => "http_5xx",
            _ => "http_other",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn labels_are_a_small_closed_set_whatever_a_gateway_says() {
        let closes = (0..=u16::MAX).map(|code| Reaction::Close(Some(code)).label());
        let statuses = (0..=u16::MAX).map(|status| Reaction::Status(status).label());
        let labels: BTreeSet<&str> = closes.chain(statuses).collect();
        assert!(labels.len() < 48, "{}", labels.len());
        assert!(labels.iter().all(|label| label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')));
    }
}
