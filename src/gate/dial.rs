//! Where a dial came to its end: what a failed run tells of the phases before, and of whether it got in.

use crate::model::{Failure, Phase};

/// The phase of getting in that did not succeed; none where the failure is about what came after, or about how well it
/// went.
pub(super) fn failed_phase(failure: Failure) -> Option<Phase> {
    use Failure::{
        BeforeMalformed, BeforeTimeout, ConnectRefused, ConnectTimeout, DnsNotFound, DnsTimeout,
        FirstMessageMismatch, FirstMessageTimeout, ProxyTargetFailed, TlsClientCertificateRefused,
        TlsTimeout, UnsolicitedExtension, UpgradeTimeout,
    };
    // In the order of the documentation, which is that of the dial.
    [
        (DnsNotFound..=DnsTimeout, Phase::Dns),
        (ConnectRefused..=ConnectTimeout, Phase::Tcp),
        (ProxyTargetFailed..=ProxyTargetFailed, Phase::Proxy),
        (TlsTimeout..=TlsClientCertificateRefused, Phase::Tls),
        (BeforeTimeout..=BeforeMalformed, Phase::Before),
        (UpgradeTimeout..=UnsolicitedExtension, Phase::Upgrade),
        (FirstMessageTimeout..=FirstMessageMismatch, Phase::FirstMessage),
    ]
    .into_iter()
    .find_map(|(failures, phase)| failures.contains(&failure).then_some(phase))
}

/// Whether it kept us out: there was no WebSocket.
pub(super) fn kept_out(failure: Failure) -> bool {
    failed_phase(failure).is_some_and(|phase| phase != Phase::FirstMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_of_a_dial_has_its_phase() {
        for (failure, phase) in [
            (Failure::DnsNoAddress, Some(Phase::Dns)),
            (Failure::ConnectRefused, Some(Phase::Tcp)),
            (Failure::ConnectReset, Some(Phase::Tcp)),
            (Failure::ProxyTargetFailed, Some(Phase::Proxy)),
            (Failure::TlsUntrusted, Some(Phase::Tls)),
            (Failure::TlsExpiresSoon, None),
            (Failure::BeforeRefused, Some(Phase::Before)),
            (Failure::Unauthorized, Some(Phase::Upgrade)),
            (Failure::Unavailable, Some(Phase::Upgrade)),
            (Failure::FirstMessageTimeout, Some(Phase::FirstMessage)),
            (Failure::ClosedEarly, None),
            (Failure::TooSlow, None),
            (Failure::ReconnectFailed, None),
        ] {
            assert_eq!(failed_phase(failure), phase, "{failure}");
        }
        assert!(kept_out(Failure::NotFound) && !kept_out(Failure::FirstMessageTimeout));
    }
}
