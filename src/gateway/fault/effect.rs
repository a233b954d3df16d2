//! Which faults could never show on a gateway, and why.

use super::{Fault, FaultKind};
use crate::gateway::offence::{Offence, OffenceGroup, Scope};
use crate::gateway::settings::{Settings, TlsSettings};

/// What a gateway with these settings lacks for a fault; `None` when the fault can show.
pub fn lacks(fault: &Fault, settings: &Settings) -> Option<&'static str> {
    use FaultKind as K;
    if let Some(scope) = fault.get::<Scope>() {
        // Where a part of what a fault concerns can show, it can.
        let reasons = Offence::ALL.iter().filter(|offence| scope.covers(**offence));
        let reasons: Option<Vec<_>> = reasons.map(|offence| never(*offence, settings)).collect();
        return reasons.and_then(|reasons| reasons.first().copied());
    }
    let kind = fault.kind();
    let own_authority = matches!(settings.tls, Some(TlsSettings::SelfMade { .. }));
    let (pings, application) = (settings.heartbeat_interval, settings.application_heartbeat);
    let any_pings = pings.is_some() || application.is_some();
    let (there, lacks) = match kind {
        K::TlsSilent | K::TlsGarbage | K::TlsClose => (settings.tls.is_some(), "does not speak TLS"),
        K::TlsExpired | K::TlsNotYetValid | K::TlsWrongName | K::TlsSelfSigned | K::TlsExpiresIn => {
            (own_authority, "has no certificate of its own making")
        }
        K::HelloDelay | K::NoHello | K::WrongHello => (settings.hello.is_some(), "has no hello message"),
        K::NoAuth => (settings.token.is_some() || settings.jwt.is_some(), "asks for no token"),
        K::JwtExpiredAccepted
        | K::JwtUnsignedAccepted
        | K::JwtForgedAccepted
        | K::ExpiredSessionsLive
        | K::ExpiryLate => (settings.jwt.is_some(), "asks for no JSON Web Token"),
        K::AnyOrigin => (!settings.origins.is_empty(), "accepts any origin anyway"),
        K::NoSubprotocol => (!settings.subprotocols.is_empty(), "knows no subprotocol"),
        K::PingsMissing | K::PingsDrift | K::PingsEarly => (pings.is_some(), "sends no pings anyway"),
        K::ApplicationPingsMissing | K::ApplicationPingsDrift | K::ApplicationZombiesKept => {
            (application.is_some(), "has no application heartbeat")
        }
        K::RecoveredEvicted | K::SlowBesideZombies => (any_pings, "sends no pings"),
        K::ZombiesKept
        | K::ZombiesLate
        | K::ZombiesEarly
        | K::ZombiesCode
        | K::ZombiesHalfClosed
        | K::ZombiesCut
        | K::ZombiesReset
        | K::StalledFin
        | K::HealthyEvicted => (
            any_pings || settings.idle_timeout.is_some(),
            "cleans no zombies anyway, for want of a heartbeat or an idle timeout",
        ),
        K::MessagesLost
        | K::MessagesDropped
        | K::MessagesDuplicated
        | K::MessagesReordered
        | K::ResumeRefused
        | K::ResumeLies
        | K::ResumeDelay => (settings.json, "has no streams"),
        K::RefreshDelay
        | K::RefreshIgnored
        | K::RefreshRefused
        | K::RefreshRefusedOnce
        | K::RefreshDrops
        | K::RefreshNotApplied
        | K::RefreshTakes
        | K::RefreshStallsStream
        | K::RefreshLosesMessages => (
            settings.json && settings.jwt.is_some(),
            "refreshes no tokens, for want of JSON Web Tokens or the dialect json",
        ),
        K::SessionsLeaked => (settings.control.is_some(), "has no control API whose /metrics could show it"),
        _ => return None,
    };
    (!there).then_some(lacks)
}

/// Why a gateway with these settings takes nothing for this offence.
fn never(offence: Offence, settings: &Settings) -> Option<&'static str> {
    let (there, lacks) = match offence {
        Offence::ForeignOrigin => (!settings.origins.is_empty(), "accepts any origin anyway"),
        Offence::NoToken | Offence::BadToken => {
            (settings.token.is_some() || settings.jwt.is_some(), "asks for no token")
        }
        Offence::BadDeflate => (settings.deflate, "does not speak permessage-deflate"),
        other => match other.group() {
            OffenceGroup::Application | OffenceGroup::Flood => (settings.json, "takes any message"),
            _ => return None,
        },
    };
    (!there).then_some(lacks)
}
