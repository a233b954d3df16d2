//! What a gateway is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::Fault;
use super::jwt::JwtRules;

/// The largest message that the gateway takes where nothing else is set, in bytes.
pub const MESSAGE_LIMIT: usize = 64 * 1024;

/// The largest limit that can be set, in bytes: a client may fill so much of the gateway's memory.
pub const MESSAGE_LIMIT_MAX: usize = 16 * 1024 * 1024;

/// The settings of a gateway. The default is a healthy one on a free loopback port, without TLS,
/// token, hello or control API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `wss` instead of `ws`.
    pub tls: Option<TlsSettings>,
    /// Where the control API listens.
    pub control: Option<SocketAddr>,
    /// What the control API asks for as a bearer token; required when it is not on loopback.
    pub control_token: Option<Token>,
    /// What clients must present, as a bearer token or as the query parameter `access_token`.
    pub token: Option<Token>,
    /// Which JSON Web Tokens let clients in, shown in the same ways.
    pub jwt: Option<JwtRules>,
    /// How much longer than its JSON Web Token, and the leeway, a session lasts before it is closed with 4401.
    pub expiry_grace: Duration,
    /// The values of `Origin` that are accepted; empty accepts all. A client without an `Origin`
    /// is no browser and is accepted.
    pub origins: Vec<String>,
    /// The subprotocols that the gateway speaks, the preferred one first.
    pub subprotocols: Vec<String>,
    /// A text message that every client gets right after the 101.
    pub hello: Option<String>,
    /// How often the gateway pings each client; `None` for never.
    pub heartbeat_interval: Option<Duration>,
    /// How long a ping may stay unanswered before the client is closed with 1011.
    pub heartbeat_timeout: Duration,
    /// A second heartbeat, of text messages.
    pub application_heartbeat: Option<ApplicationHeartbeat>,
    /// How long a client may send no data message, text or binary, before it is closed with 4001.
    pub idle_timeout: Option<Duration>,
    /// How long a session of the dialect `json` is kept that has lost its connection.
    pub session_retention: Duration,
    /// How long the gateway waits for the answer to its own Close before it ends TCP.
    pub close_timeout: Duration,
    /// How long a client may take for its TLS handshake, and again for its upgrade request.
    pub handshake_timeout: Duration,
    /// The largest message that is taken, in bytes, inflated or not; a larger one is closed with 1009.
    /// At most [`MESSAGE_LIMIT_MAX`].
    pub message_limit: usize,
    /// Speak the dialect `json`: objects with a `type`, errors as messages. Otherwise every message is
    /// echoed as it came.
    pub json: bool,
    /// Accept permessage-deflate (RFC 7692) where it is offered. What the gateway sends stays
    /// uncompressed.
    pub deflate: bool,
    /// The faults that are on from the start.
    pub faults: Vec<Fault>,
    /// How many events the log keeps.
    pub log_capacity: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            control: None,
            control_token: None,
            token: None,
            jwt: None,
            expiry_grace: Duration::ZERO,
            origins: Vec::new(),
            subprotocols: Vec::new(),
            hello: None,
            heartbeat_interval: Some(Duration::from_secs(10)),
            heartbeat_timeout: Duration::from_secs(10),
            application_heartbeat: None,
            idle_timeout: None,
            session_retention: Duration::from_secs(20),
            close_timeout: Duration::from_secs(2),
            handshake_timeout: Duration::from_secs(10),
            message_limit: MESSAGE_LIMIT,
            json: false,
            deflate: false,
            faults: Vec::new(),
            log_capacity: 65_536,
        }
    }
}

/// A heartbeat of text messages: `{"type":"ping","id":N}` asks, with N counting from 1 on each
/// connection, and `{"type":"pong"}` answers, with the same `id` or with none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationHeartbeat {
    /// How often each client is asked.
    pub interval: Duration,
    /// How long a ping may stay unanswered before the client is closed with 4000.
    pub timeout: Duration,
}

/// Where the gateway's certificate comes from.
#[derive(Debug, Clone)]
pub enum TlsSettings {
    /// An authority and a certificate for these DNS names and addresses, made at each start.
    SelfMade {
        /// DNS names and IP addresses.
        names: Vec<String>,
    },
    /// A certificate chain and its key in PEM files. The faults that show other certificates are
    /// not available then.
    Files {
        /// The chain, leaf first.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}

impl TlsSettings {
    /// A self-made certificate for `localhost` and both loopback addresses.
    pub fn loopback() -> Self {
        let names = ["localhost", "127.0.0.1", "::1"];
        Self::SelfMade { names: names.map(str::to_owned).to_vec() }
    }
}

/// A secret that clients present. It has no way out: neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token; white space around it is dropped, since files end in a line break. `None` when
    /// nothing is left, because an empty token would let everybody in.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Whether `presented` is this token; the time it takes does not tell how much of it is right.
    pub fn matches(&self, presented: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), presented.as_bytes());
        let difference = own.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
        own.len() == other.len() && difference == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_only_itself_and_is_never_shown() {
        let token = Token::new("  s3cret\n").unwrap();
        assert!(token.matches("s3cret"));
        for wrong in ["", "s3cre", "s3cret2", "S3cret"] {
            assert!(!token.matches(wrong), "{wrong}");
        }
        assert_eq!(Token::new(" \n"), None);
        let settings = Settings { token: Some(token), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
