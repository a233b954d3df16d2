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
        }
    }
}

/// Keeps whether a check could look at something.
pub fn capability(visit: &Visit, capability: Capability, can: bool) {
    visit.measure(Sample::labelled(&CAPABILITY, [capability.label()], f64::from(u8::from(can))));
}
