//! Why a dial failed: one variant for each cause that can be told apart, and the outcome that it means.

use std::io;
use std::net::IpAddr;

use thiserror::Error;

use super::path::Family;
use crate::model::{Cause, End, Failure, Outcome, Phase, Why};

/// Why a dial failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DialError {
    /// NXDOMAIN for the name and all that the search list makes of it.
    #[error("the name does not exist (NXDOMAIN)")]
    NameNotFound,
    /// The URL's host can't be a DNS name.
    #[error("the host is not a valid DNS name")]
    InvalidName,
    /// The name exists, without an address of the wanted family.
    #[error("the name has no address ({family})")]
    NoAddress {
        /// The wanted family.
        family: Family,
    },
    /// The resolver answered with an error code, or with nonsense.
    #[error("the resolver answered with an error ({code})")]
    DnsServerFailure {
        /// The response code by name, as `SERVFAIL`.
        code: &'static str,
    },
    /// The resolver answers, but not for this name.
    #[error("the resolver did not answer for the name, but answers for others")]
    DnsTimeout,
    /// The resolver answers nothing at all.
    #[error("the resolver answers for no name at all")]
    ResolverUnreachable,

    /// `EMFILE` or `ENFILE`, or no memory for a socket.
    #[error("no file descriptor left for a socket")]
    NoDescriptors,
    /// Every local port towards the address is in use.
    #[error("no local port left")]
    NoPorts,
    /// The configured interface, source address or port can't be used, or a local rule forbids it.
    #[error("can't use the configured path: {0}")]
    Path(&'static str),
    /// This machine has no route to the address, so that not one packet was sent.
    #[error("this machine has no route to the address")]
    NoRoute,
    /// Every address of the name is refused by the guard.
    #[error("{address} is an address that must not be dialled here")]
    AddressNotAllowed {
        /// The first of them.
        address: IpAddr,
    },

    /// `ECONNREFUSED`.
    #[error("connection refused")]
    Refused,
    /// `EHOSTUNREACH`, `ENETUNREACH` and their kin.
    #[error("host or network unreachable")]
    Unreachable,
    /// `ECONNRESET` while connecting.
    #[error("connection reset while connecting")]
    ConnectReset,
    /// The kernel gave up (`ETIMEDOUT`).
    #[error("the connect timed out in the kernel")]
    ConnectTimedOut,

    /// The proxy can't be reached, or broke off.
    #[error("the proxy failed: {0}")]
    ProxyUnavailable(&'static str),
    /// The proxy refused us.
    #[error("the proxy answered {status} to CONNECT")]
    ProxyRefused {
        /// The status.
        status: u16,
    },
    /// The proxy could not reach the gateway.
    #[error("the proxy could not reach the gateway ({status} to CONNECT)")]
    ProxyTargetFailed {
        /// 502, 503 or 504.
        status: u16,
    },

    /// The connection ended during the TLS handshake.
    #[error("the connection ended during the TLS handshake")]
    TlsClosed {
        /// How.
        how: End,
    },
    /// What came is not TLS, or no TLS that we share.
    #[error("no TLS in common: {0}")]
    TlsProtocol(&'static str),
    /// A fatal alert.
    #[error("TLS alert {0}")]
    TlsAlert(&'static str),
    /// The gateway wants HTTP/2 (ALPN).
    #[error("the gateway does not speak HTTP/1.1 over TLS (alert no_application_protocol)")]
    TlsNoHttp1,
    /// The chain ends in no authority that we trust.
    #[error("the certificate is not issued by a trusted authority")]
    TlsUntrusted,
    /// Past `notAfter`.
    #[error("the certificate has expired")]
    TlsExpired,
    /// Before `notBefore`.
    #[error("the certificate is not valid yet")]
    TlsNotYetValid,
    /// No subject alternative name fits.
    #[error("the certificate is for another name")]
    TlsWrongName,
    /// Anything else that is wrong with the certificate.
    #[error("the certificate is unusable: {0}")]
    TlsBadCertificate(&'static str),
    /// An alert after the gateway had asked for a client certificate.
    #[error("the gateway refused our client certificate (alert {0})")]
    TlsClientCertificateRefused(&'static str),
    /// A credential or another header of our own can't be sent.
    #[error("our own credential is unusable: {0}")]
    Credential(&'static str),

    /// The connection ended before the response was complete.
    #[error("the connection ended before the response to the upgrade request")]
    UpgradeClosed {
        /// How.
        how: End,
    },
    /// The kernel gave up on an established connection.
    #[error("the connection was lost in phase {phase}: {kind}")]
    Lost {
        /// Where.
        phase: Phase,
        /// The operating system's word for it.
        kind: io::ErrorKind,
    },
    /// Not HTTP/1.1.
    #[error("the response is not HTTP/1.1: {0}")]
    UpgradeMalformed(&'static str),
    /// More than 16 KiB or 64 fields of header.
    #[error("the response's header is too large")]
    UpgradeHeaderTooLarge,
    /// A status that refuses the upgrade.
    #[error("status {status} instead of 101{}", without_credential(*status, *credential))]
    Status {
        /// The status.
        status: u16,
        /// Whether the request had shown a credential.
        credential: bool,
    },
    /// 429, or 503 with `Retry-After`.
    #[error("status {status}: come back later")]
    Throttled {
        /// The status.
        status: u16,
    },
    /// The gateway answers by HTTP/2, or asks for it.
    #[error("the gateway wants HTTP/2")]
    Http2Only,
    /// A redirect while the target allows none, or one that can't be followed.
    #[error("redirected (status {status}){}", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
    Redirected {
        /// The status.
        status: u16,
        /// Where to, where that is a URL: without what may be secret, and bounded.
        to: Option<String>,
    },
    /// More redirects than allowed, or back to where we had been.
    #[error("the redirects do not end")]
    RedirectLoop,
    /// Another scheme, or from wss down to ws.
    #[error("redirected to a URL that is not WebSocket, or down to ws")]
    RedirectScheme,
    /// To a host or an address that is not allowed.
    #[error("redirected to a host or an address that is not allowed")]
    RedirectAddress,
    /// The 101 breaks RFC 6455.
    #[error("the 101 breaks RFC 6455: {0}")]
    Upgrade(Offence),
}

/// What is wrong with a 101.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Offence {
    /// `Sec-WebSocket-Accept` is missing.
    #[error("Sec-WebSocket-Accept is missing")]
    NoAccept,
    /// `Sec-WebSocket-Accept` is wrong.
    #[error("Sec-WebSocket-Accept is wrong")]
    WrongAccept,
    /// `Sec-WebSocket-Accept` in more than one line (section 11.3.3).
    #[error("Sec-WebSocket-Accept stands there more than once")]
    AcceptTwice,
    /// No `Upgrade: websocket`.
    #[error("Upgrade: websocket is missing")]
    NoUpgrade,
    /// `Upgrade` in more than one line.
    #[error("Upgrade stands there more than once")]
    UpgradeTwice,
    /// A list that holds `websocket` (section 4.1: the value is that word alone).
    #[error("Upgrade names more than websocket")]
    UpgradeToMore,
    /// No `Connection: Upgrade`.
    #[error("Connection: Upgrade is missing")]
    NoConnection,
    /// A subprotocol that was not offered, or more than one.
    #[error("a subprotocol that was not offered")]
    Subprotocol,
    /// `Sec-WebSocket-Protocol` in more than one line (section 11.3.4).
    #[error("Sec-WebSocket-Protocol stands there more than once")]
    SubprotocolTwice,
    /// `Sec-WebSocket-Protocol` without a value.
    #[error("Sec-WebSocket-Protocol is empty")]
    EmptySubprotocol,
    /// None was selected while the endpoint requires one.
    #[error("no subprotocol was selected, one is required")]
    NoSubprotocol,
    /// An extension that was not offered.
    #[error("an extension that was not offered")]
    Extension,
    /// `Sec-WebSocket-Extensions` without a value: it names one extension at least (section 9.1).
    #[error("Sec-WebSocket-Extensions is empty")]
    NoExtension,
}

impl DialError {
    /// What the error means for the verdict.
    pub fn outcome(&self) -> Outcome {
        use DialError as E;
        match self {
            E::NameNotFound | E::InvalidName => Outcome::Fail(Failure::DnsNotFound),
            E::NoAddress { .. } => Outcome::Fail(Failure::DnsNoAddress),
            E::DnsServerFailure { .. } => Outcome::Fail(Failure::DnsServerFailure),
            E::DnsTimeout => Outcome::Fail(Failure::DnsTimeout),
            E::ResolverUnreachable => Outcome::Inconclusive(Cause::ResolverUnreachable),
            E::NoDescriptors => Outcome::Inconclusive(Cause::AgentDescriptors),
            E::NoPorts => Outcome::Inconclusive(Cause::AgentPorts),
            E::Path(_) => Outcome::Inconclusive(Cause::AgentPath),
            E::NoRoute => Outcome::Inconclusive(Cause::EgressLost),
            E::AddressNotAllowed { .. } => Outcome::Inconclusive(Cause::AddressNotAllowed),
            E::Refused => Outcome::Fail(Failure::ConnectRefused),
            E::Unreachable => Outcome::Fail(Failure::ConnectUnreachable),
            E::ConnectReset => Outcome::Fail(Failure::ConnectReset),
            E::ConnectTimedOut => Outcome::Fail(Failure::ConnectTimeout),
            E::ProxyUnavailable(_) | E::ProxyRefused { .. } => Outcome::Inconclusive(Cause::ProxyUnavailable),
            E::ProxyTargetFailed { .. } => Outcome::Fail(Failure::ProxyTargetFailed),
            E::TlsClosed { .. } => Outcome::Fail(Failure::TlsClosed),
            E::TlsProtocol(_) => Outcome::Fail(Failure::TlsProtocol),
            E::TlsAlert(_) => Outcome::Fail(Failure::TlsAlert),
            E::TlsUntrusted => Outcome::Fail(Failure::TlsUntrusted),
            E::TlsExpired => Outcome::Fail(Failure::TlsExpired),
            E::TlsNotYetValid => Outcome::Fail(Failure::TlsNotYetValid),
            E::TlsWrongName => Outcome::Fail(Failure::TlsWrongName),
            E::TlsBadCertificate(_) => Outcome::Fail(Failure::TlsBadCertificate),
            E::TlsClientCertificateRefused(_) => Outcome::Fail(Failure::TlsClientCertificateRefused),
            E::Credential(_) => Outcome::Inconclusive(Cause::Credential),
            E::UpgradeClosed { how: End::Fin } => Outcome::Fail(Failure::UpgradeClosed),
            E::UpgradeClosed { how: End::Rst } => Outcome::Fail(Failure::UpgradeReset),
            E::Lost { phase, .. } => phase.timed_out(),
            E::UpgradeMalformed(_) => Outcome::Fail(Failure::UpgradeMalformed),
            E::UpgradeHeaderTooLarge => Outcome::Fail(Failure::UpgradeHeaderTooLarge),
            E::Status { status, .. } => Outcome::Fail(refusal(*status)),
            E::Throttled { .. } => Outcome::Inconclusive(Cause::Throttled),
            E::Http2Only | E::TlsNoHttp1 => Outcome::Unsupported(Why::Http2Only),
            E::Redirected { .. } => Outcome::Fail(Failure::Redirected),
            E::RedirectLoop => Outcome::Fail(Failure::RedirectLoop),
            E::RedirectScheme => Outcome::Fail(Failure::RedirectScheme),
            E::RedirectAddress => Outcome::Fail(Failure::RedirectAddress),
            E::Upgrade(offence) => Outcome::Fail(offence.failure()),
        }
    }
}

impl Offence {
    fn failure(self) -> Failure {
        match self {
            Self::NoAccept | Self::WrongAccept | Self::AcceptTwice => Failure::BadAccept,
            Self::NoUpgrade | Self::UpgradeTwice | Self::UpgradeToMore | Self::NoConnection => {
                Failure::BadUpgradeHeaders
            }
            Self::Subprotocol | Self::SubprotocolTwice | Self::EmptySubprotocol | Self::NoSubprotocol => {
                Failure::SubprotocolMismatch
            }
            Self::Extension | Self::NoExtension => Failure::UnsolicitedExtension,
        }
    }
}

/// Who was not let in shall not look for what is wrong with a credential that was never sent.
fn without_credential(status: u16, credential: bool) -> &'static str {
    match refusal(status) {
        Failure::Unauthorized if !credential => ", to a request without a credential",
        _ => "",
    }
}

/// What a status other than 101 means; 429, 505 and the redirects have errors of their own.
fn refusal(status: u16) -> Failure {
    match status {
        401 | 403 => Failure::Unauthorized,
        404 | 410 => Failure::NotFound,
        502..=504 => Failure::Unavailable,
        400..=499 => Failure::Rejected,
        500..=599 => Failure::ServerError,
        300..=399 => Failure::Redirected,
        200..=299 => Failure::NotUpgraded,
        _ => Failure::UpgradeMalformed,
    }
}

/// How a connection ended, if the error says that it did.
pub(super) fn ended(error: &io::Error) -> Option<End> {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            Some(End::Rst)
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::NotConnected => Some(End::Fin),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_counts_as_silence_in_its_phase() {
        let lost = |phase| DialError::Lost { phase, kind: io::ErrorKind::TimedOut }.outcome();
        assert_eq!(lost(Phase::Tls), Outcome::Fail(Failure::TlsTimeout));
        assert_eq!(lost(Phase::Upgrade), Outcome::Fail(Failure::UpgradeTimeout));
    }

    #[test]
    fn who_showed_no_credential_was_not_refused_for_it() {
        let told = |status, credential| DialError::Status { status, credential }.to_string();
        assert_eq!(told(403, false), "status 403 instead of 101, to a request without a credential");
        assert_eq!(told(403, true), "status 403 instead of 101");
        assert_eq!(told(404, false), "status 404 instead of 101");
    }

    #[test]
    fn every_status_has_a_name() {
        for status in 100..=999 {
            assert_ne!(refusal(status), Failure::Unclassified, "{status}");
        }
        assert_eq!(refusal(503), Failure::Unavailable);
        assert_eq!(refusal(418), Failure::Rejected);
        assert_eq!(refusal(500), Failure::ServerError);
        assert_eq!(refusal(204), Failure::NotUpgraded);
    }
}
