//! What an error of TLS means.

use std::io;

use rustls::{AlertDescription, CertificateError};

use super::certificate::CertificateFacts;
use super::error::{DialError, ended};
use super::identity::Identity;
use crate::model::{End, Phase};

/// The error of rustls inside an I/O error.
pub(super) fn inner(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What an error in the handshake means; also for an alert that comes with the first read after it.
pub(super) fn classify(error: &io::Error, identity: &Identity, leaf: Option<&CertificateFacts>) -> DialError {
    use rustls::Error as E;
    let Some(tls) = inner(error) else {
        return match ended(error) {
            Some(how) => DialError::TlsClosed { how },
            None => DialError::Lost { phase: Phase::Tls, kind: error.kind() },
        };
    };
    match tls {
        E::AlertReceived(alert) => classify_alert(*alert, identity),
        E::InvalidCertificate(error) => classify_certificate(error, leaf),
        E::NoCertificatesPresented => DialError::TlsBadCertificate("none was sent"),
        E::UnsupportedNameType => DialError::TlsBadCertificate("an unsupported type of name"),
        E::PeerIncompatible(_) | E::NoApplicationProtocol => {
            DialError::TlsProtocol("no version, cipher suite or key exchange in common")
        }
        E::InvalidMessage(_) => DialError::TlsProtocol("what came is not TLS"),
        E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            DialError::TlsProtocol("a message out of order")
        }
        E::PeerMisbehaved(_) => DialError::TlsProtocol("the gateway broke the protocol"),
        E::DecryptError => DialError::TlsProtocol("a record could not be decrypted"),
        E::PeerSentOversizedRecord => DialError::TlsProtocol("an oversized record"),
        _ => DialError::TlsProtocol("the handshake failed"),
    }
}

fn classify_alert(alert: AlertDescription, identity: &Identity) -> DialError {
    use AlertDescription as A;
    let name = alert.as_str().unwrap_or("unknown");
    let about_certificate = matches!(
        alert,
        A::HandshakeFailure
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError
            | A::CertificateRequired
    );
    match alert {
        A::NoApplicationProtocol => DialError::TlsNoHttp1,
        _ if about_certificate && identity.asked() && identity.expired() => {
            DialError::Credential("our client certificate has expired")
        }
        A::CertificateRequired => DialError::TlsClientCertificateRefused(name),
        _ if about_certificate && identity.asked() => DialError::TlsClientCertificateRefused(name),
        A::CloseNotify => DialError::TlsClosed { how: End::Fin },
        _ => DialError::TlsAlert(name),
    }
}

fn classify_certificate(error: &CertificateError, leaf: Option<&CertificateFacts>) -> DialError {
    use CertificateError as C;
    match error {
        C::Expired | C::ExpiredContext { .. } => DialError::TlsExpired,
        C::NotValidYet | C::NotValidYetContext { .. } => DialError::TlsNotYetValid,
        C::NotValidForName | C::NotValidForNameContext { .. } => DialError::TlsWrongName,
        // A signature that no trusted key made: an authority of the same name with another key.
        C::UnknownIssuer | C::BadSignature => DialError::TlsUntrusted,
        // The same, with a key of another kind.
        C::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: signature,
            public_key_algorithm_id: key,
        } if family(signature) != family(key) => DialError::TlsUntrusted,
        C::Revoked => DialError::TlsBadCertificate("revoked"),
        C::BadEncoding => DialError::TlsBadCertificate("badly encoded"),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            DialError::TlsBadCertificate("not for servers (extended key usage)")
        }
        C::UnhandledCriticalExtension => DialError::TlsBadCertificate("an unknown critical extension"),
        _ if leaf.is_some_and(|leaf| leaf.is_ca) => {
            DialError::TlsBadCertificate("an authority's certificate (CA:TRUE) is used as the server's")
        }
        _ => DialError::TlsBadCertificate("not usable for a server, or of a kind that is not supported"),
    }
}

/// What the algorithms of a key and of the signatures that it makes have in common: the beginning of the object
/// identifier, as that of PKCS #1 for RSA (RFC 3279, section 2.3.1) and of ANSI X9.62 for elliptic curves (2.3.5).
fn family(algorithm: &[u8]) -> Option<&[u8]> {
    /// Tag and length.
    const HEADER: usize = 2;
    /// Both of X9.62's arcs and of RSA's company; shorter ones, as Ed25519's, are as long as this.
    const ARCS: usize = 5;
    let length = usize::from(*algorithm.get(1)?).min(ARCS);
    algorithm.get(HEADER..HEADER + length)
}
