//! What a check can find out about a target, and what it can't, because the target promises nothing of the kind.

use crate::metrics::{Descriptor, Kind, Sample, Scope, Unit};
use crate::session::Visit;

/// 1 or 0 for each thing that a check looks at.
pub static CAPABILITY: Descriptor = Descriptor {
    name: "gateprobe_check_capability",
    help: "1 where the check could look at this, 0 where the target's dialect or config has or promises nothing of the kind.",
    scope: Scope::Job,
    kind: Kind::Gauge,
    unit: Unit::None,
    labels: &["capability"],
};

/// What checks look at, where they can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Ping frames.
    ProtocolPing,
    /// The dialect's heartbeat messages.
    ApplicationPing,
    /// The gateway's own heartbeat, at a promised interval.
    ServerBeat,
    /// A promised window for the clean-up of silent connections.
    ZombieWindow,
    /// A silent connection that answers nothing.
    Mute,
    /// A connection whose application is silent.
    HalfDead,
    /// A connection that does not read.
    Stalled,
    /// A connection that answers again in time.
    Recovery,
    /// The gateway's own count of its sessions.
    ObservedSessions,
    /// The gateway's own account of its memory.
    ObservedMemory,
    /// Messages of JSON, which can be broken.
    JsonMessages,
    /// A token that must be refused.
    BrokenToken,
    /// permessage-deflate, whose messages can be broken.
    Deflate,
    /// A session that is taken up again on another connection.
    Resume,
    /// A promised time for which a session outlives its connection.
    Retention,
    /// Another of the addresses that the gateway's name resolves to.
    OtherAddress,
    /// A numbered stream beside what the check does.
    Stream,
    /// A new token for each refresh.
    NewTokens,
    /// The gateway's clock, by the `Date` of its answer.
    GatewayClock,
    /// A refreshed session that was watched until after its old token's expiry.
    RefreshProof,
    /// A session that was watched until after its token's expiry.
    Expiry,
    /// A refresh by a token that has expired.
    RefreshExpired,
    /// A refresh by a token that is not valid yet.
    RefreshNotYetValid,
    /// A refresh by a token with a claim changed.
    RefreshGarbled,
    /// A refresh by a token that is not signed.
    RefreshAlgNone,
    /// A refresh by a token that is signed with a wrong key.
    RefreshWrongKey,
    /// A refresh by another subject's token.
    RefreshOtherSubject,
    /// A refresh by another audience's token.
    RefreshOtherAudience,
    /// A refresh by a token that another session was refreshed by.
    RefreshReplayed,
}

impl Capability {
    /// The value of the label `capability`.
    pub fn label(self) -> &'static str {
        match self {
            Self::ProtocolPing => "protocol_ping",
            Self::ApplicationPing => "application_ping",
            Self::ServerBeat => "server_beat",
            Self::ZombieWindow => "zombie_window",
            Self::Mute => "mute",
            Self::HalfDead => "half_dead",
            Self::Stalled => "stalled",
            Self::Recovery => "recovery",
            Self::ObservedSessions => "observed_sessions",
            Self::ObservedMemory => "observed_memory",
            Self::JsonMessages => "json_messages",
            Self::BrokenToken => "broken_token",
            Self::Deflate => "deflate",
            Self::Resume => "resume",
            Self::Retention => "retention",
            Self::OtherAddress => "other_address",
            Self::Stream => "stream",
            Self::NewTokens => "new_tokens",
            Self::GatewayClock => "gateway_clock",
            Self::RefreshProof => "refresh_proof",
            Self::Expiry => "expiry",
            Self::RefreshExpired => "refresh_expired",
            Self::RefreshNotYetValid => "refresh_not_yet_valid",
            Self::RefreshGarbled => "refresh_garbled",
            Self::RefreshAlgNone => "refresh_alg_none",
            Self::RefreshWrongKey => "refresh_wrong_key",
            Self::RefreshOtherSubject => "refresh_other_subject",
            Self::RefreshOtherAudience => "refresh_other_audience",
            Self::RefreshReplayed => "refresh_replayed",
        }
    }
}

/// Keeps whether a check could look at something.
pub fn capability(visit: &Visit, capability: Capability, can: bool) {
    visit.measure(Sample::labelled(&CAPABILITY, [capability.label()], f64::from(u8::from(can))));
}
