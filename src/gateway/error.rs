//! Why a gateway could not be started.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::fault::FaultError;
use super::settings::MESSAGE_LIMIT_MAX;

/// Why a gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The control API would be open to the network.
    #[error("the control address {address} is not on loopback: give it a token")]
    ControlNeedsToken {
        /// The address.
        address: SocketAddr,
    },
    /// A file of the certificate could not be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file holds no certificate or key in PEM form.
    #[error("{} holds no usable PEM", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no key that JSON Web Tokens of this algorithm are verified with.
    #[error("{} holds no key for {algorithm:?}: a secret, or a public key in PEM", path.display())]
    JwtKey {
        /// The file.
        path: PathBuf,
        /// The algorithm.
        algorithm: jsonwebtoken::Algorithm,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A certificate and its key could not be used.
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// A subprotocol that can't stand in a header.
    #[error("subprotocol {name:?} is no token (RFC 9110 section 5.6.2)")]
    Subprotocol {
        /// The name as given.
        name: String,
    },
    /// A time that must not be zero.
    #[error("{name} must be longer than zero")]
    ZeroTime {
        /// The setting.
        name: &'static str,
    },
    /// A message limit that nothing fits in, or that is no bound.
    #[error("the message limit must be from 1 byte to {} bytes", MESSAGE_LIMIT_MAX)]
    MessageLimit,
    /// A fault of the settings can't be switched on.
    #[error(transparent)]
    Fault(#[from] FaultError),
}
