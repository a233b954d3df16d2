//! Why there is no token.

use std::io::ErrorKind;

use super::Algorithm;

/// Why there is no usable token: never the gateway's fault.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The file can't be read.
    #[error("the token file {path} can't be read: {kind}")]
    Unreadable {
        /// The configured path.
        path: String,
        /// The operating system's error, by kind.
        kind: ErrorKind,
    },
    /// No file can be opened at all: `EMFILE` or `ENFILE`. Nothing is known of the token.
    #[error("no file descriptor is left to get it from {path}")]
    NoDescriptors {
        /// The configured path, or the issuer's URL.
        path: String,
    },
    /// The file or variable holds nothing, or the issuer gave it.
    #[error("the token from {from} is empty")]
    Empty {
        /// File, variable or issuer.
        from: String,
    },
    /// The variable is not set.
    #[error("the environment variable {name} is not set")]
    Unset {
        /// The variable.
        name: String,
    },
    /// The text could not stand in a request.
    #[error("the token from {from} is longer than 16 KiB or has a character that no request can carry")]
    Unusable {
        /// File, variable or issuer.
        from: String,
    },
    /// The token's own `exp` claim has passed.
    #[error("the token from {from} expired {ago} s ago")]
    Expired {
        /// File, variable or issuer.
        from: String,
        /// Whole seconds since its `exp`.
        ago: u64,
    },
    /// No token can be signed with the key.
    #[error("the key file {path} {fault}")]
    Key {
        /// The configured path.
        path: String,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The minted token is longer than any header takes.
    #[error("the minted token is longer than 16 KiB: it has too many claims")]
    TooLong,
    /// The machine's clock shows no time that a token can hold.
    #[error("no token can be minted at the time that this machine's clock shows")]
    Clock,
    /// The issuer gave none.
    #[error("no token from {from}: {why}")]
    NotIssued {
        /// The issuer's URL, without its query.
        from: String,
        /// What it did, or what came in between.
        why: String,
    },
    /// The secret that we show to the issuer is unusable.
    #[error("the client's secret: {0}")]
    ClientSecret(Box<AuthError>),
    /// The agent is going down.
    #[error("the agent ended before the token was made")]
    Interrupted,
}

/// What is wrong with a key file. Completes "the key file PATH ...".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It can't be read.
    #[error("can't be read: {0}")]
    Unreadable(ErrorKind),
    /// It is a pipe, a folder or the like.
    #[error("is not a plain file")]
    NotPlain,
    /// It holds nothing.
    #[error("is empty")]
    Empty,
    /// It is no key.
    #[error("is larger than 64 KiB, which no key is")]
    TooLarge,
    /// It was said to be Base64.
    #[error("is not Base64")]
    NotBase64,
    /// A secret that could be guessed, or at least is shorter than it must be.
    #[error("holds a secret of {bits} bits; {algorithm} needs {least} or more (RFC 7518, section 3.2)")]
    TooShort {
        /// What it signs with.
        algorithm: Algorithm,
        /// The secret's length in bits.
        bits: usize,
        /// The least length in bits.
        least: usize,
    },
    /// Made into a secret, a public key would be one that everybody knows.
    #[error("holds PEM, which is no secret for {algorithm}; RS*, PS*, ES* and EdDSA take PEM")]
    Pem {
        /// What it signs with.
        algorithm: Algorithm,
    },
    /// No private key in it.
    #[error("holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)")]
    NotPem,
    /// A passphrase would be needed.
    #[error("holds an encrypted private key; mount it without a passphrase")]
    Encrypted,
    /// A private key, but not one for the algorithm.
    #[error("holds no {wanted}, which {algorithm} needs")]
    WrongKind {
        /// What it signs with.
        algorithm: Algorithm,
        /// The kind of key.
        wanted: &'static str,
    },
    /// The key was read, but does not sign.
    #[error("holds a key that does not sign by {algorithm}")]
    Signing {
        /// What it was to sign with.
        algorithm: Algorithm,
    },
}
