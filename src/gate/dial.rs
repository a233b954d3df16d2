//! Where a dial came to its end: what a failed run tells of the phases before, and of whether it got in.

use crate::model::{EventKind, Failure, Outcome, Phase, Timeline};

/// The phase of getting in that did not succeed; none where the failure is about what came after, or about how well it
/// went.
pub(super) fn failed_phase(outcome: Outcome, timeline: &Timeline) -> Option<Phase> {
    match outcome {
        // A status instead of 101, at the upgrade or before it; or a close code of an open connection.
        Outcome::Fail(Failure::Unavailable) => broken_off(timeline),
        Outcome::Fail(failure) => phase_of(failure),
        _ => None,
    }
}

/// The phase of getting in at which it all ended.
fn broken_off(timeline: &Timeline) -> Option<Phase> {
    let in_phase = timeline.events.iter().fold(None, |phase, event| match event.kind {
        EventKind::Phase { phase } => Some(phase),
        EventKind::Http { status: 101 } => None,
        _ => phase,
    });
    in_phase.filter(|phase| matches!(phase, Phase::Before | Phase::Upgrade))
}

fn phase_of(failure: Failure) -> Option<Phase> {
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

/// Whether a run that failed at this phase was kept out: there was no WebSocket.
pub(super) fn kept_out(failed_phase: Option<Phase>) -> bool {
    failed_phase.is_some_and(|phase| phase != Phase::FirstMessage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Event;

    fn timeline(kinds: &[EventKind]) -> Timeline {
        let event = |kind: &EventKind| Event { at_ns: 0, connection: 0, kind: kind.clone() };
        Timeline { events: kinds.iter().map(event).collect(), dropped: 0 }
    }

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
            (Failure::FirstMessageTimeout, Some(Phase::FirstMessage)),
            (Failure::ClosedEarly, None),
            (Failure::TooSlow, None),
            (Failure::ReconnectFailed, None),
        ] {
            assert_eq!(failed_phase(Outcome::Fail(failure), &timeline(&[])), phase, "{failure}");
        }
        assert!(kept_out(Some(Phase::Upgrade)) && !kept_out(Some(Phase::FirstMessage)) && !kept_out(None));
    }

    #[test]
    fn who_has_no_capacity_says_so_before_the_upgrade_instead_of_it_or_after_it() {
        let began = |phase| EventKind::Phase { phase };
        let (tcp, before, upgrade) = (began(Phase::Tcp), began(Phase::Before), began(Phase::Upgrade));
        let status = |status| EventKind::Http { status };
        let ended_at =
            |kinds: &[EventKind]| failed_phase(Outcome::Fail(Failure::Unavailable), &timeline(kinds));
        let let_in = [tcp.clone(), upgrade.clone(), status(101)];
        assert_eq!(ended_at(&let_in), None);
        assert_eq!(ended_at(&[&let_in[..], &[began(Phase::Session)]].concat()), None);
        assert_eq!(ended_at(&[tcp.clone(), upgrade.clone(), status(503)]), Some(Phase::Upgrade));
        assert_eq!(ended_at(&[tcp.clone(), before, status(503)]), Some(Phase::Before));
        // The second of two connections.
        assert_eq!(ended_at(&[&let_in[..], &[tcp, upgrade, status(503)]].concat()), Some(Phase::Upgrade));
    }
}
