//! Which failures a check may end with, and how far each may be our own doing.

use std::time::Duration;

use super::{CheckSpec, flapping, heartbeat, hold, malformed, network_switch, token_refresh, zombie};
use crate::model::Failure;

/// What any session may end with.
const OF_SESSION: &[Failure] = &[
    Failure::SessionClosed,
    Failure::ConnectionCut,
    Failure::ConnectionReset,
    Failure::ProtocolViolation,
    Failure::MessageTooLarge,
    Failure::FrameStalled,
    Failure::SessionTimeout,
    Failure::Unavailable,
    Failure::DialectMismatch,
    Failure::FirstMessageTimeout,
];

/// What a session may end with while it is opened; whoever only holds it does not count that.
const OF_OPENING: &[Failure] =
    &[Failure::FrameStalled, Failure::FirstMessageTimeout, Failure::DialectMismatch];

/// What checks other than `handshake` look for beside that.
const OF_OTHERS: &[&[Failure]] = &[
    heartbeat::FAILURES,
    zombie::FAILURES,
    flapping::FAILURES,
    malformed::FAILURES,
    network_switch::FAILURES,
    token_refresh::FAILURES,
    hold::FAILURES,
];

/// Who is later than this may have been given up by the gateway, however long he himself would have waited.
const LONGEST_HICCUP: Duration = Duration::from_secs(1);

impl CheckSpec {
    /// How late the agent may be in a run that ends with this failure, where that is more than the config's
    /// `lag_bound`: a window that tolerates seconds is not spoilt by a hiccup. Who did not answer in time himself
    /// is another matter. `in_phase` is how long the run had been in its last phase.
    pub fn lag_tolerance(&self, failure: Failure, in_phase: Duration) -> Option<Duration> {
        use Failure::{EvictedEarly, HalfClosedLeak, MemoryGrew, SessionsLeaked, ZombieLeaked};
        match self {
            Self::Zombie(check) if matches!(failure, ZombieLeaked | HalfClosedLeak | EvictedEarly) => {
                Some(check.tolerance.get() / 2)
            }
            // To look later gives the gateway more time, not less.
            Self::Flapping(check) if matches!(failure, SessionsLeaked | MemoryGrew) => {
                Some(check.settle() / 2)
            }
            // Nobody but the socket says when a reaction came: late is only what comes after half of the time.
            Self::Malformed(check) if failure == Failure::MalformedHang => Some(check.within.get() / 2),
            Self::TokenRefresh(check) => check.lag_tolerance(failure),
            // Nobody ends a connection, or is late to come back, for a hiccup.
            Self::Hold(check) => Some(check.pong_timeout.get() / 2),
            _ => self.silence(failure, in_phase).map(|waited| (waited / 4).min(LONGEST_HICCUP)),
        }
    }

    /// How long was waited in vain where a run ends with this failure. Who had most of that time, and used none of
    /// it, was not made silent by a hiccup of ours.
    fn silence(&self, failure: Failure, in_phase: Duration) -> Option<Duration> {
        use Failure::{
            BeforeTimeout, ConnectTimeout, FirstMessageTimeout, PongLost, ReconnectFailed, TlsTimeout,
            UpgradeTimeout,
        };
        match self {
            Self::Handshake(check)
                if matches!(
                    failure,
                    ConnectTimeout | TlsTimeout | BeforeTimeout | UpgradeTimeout | FirstMessageTimeout
                ) =>
            {
                // Not the time-out: the budget, or the phases before, may have used up most of it.
                Some(in_phase)
            }
            Self::Heartbeat(check) if failure == PongLost => Some(check.pong_timeout.get()),
            Self::Flapping(check) if failure == ReconnectFailed => Some(check.connect_timeout.get()),
            Self::NetworkSwitch(check) if failure == ReconnectFailed => Some(check.connect_timeout.get()),
            _ => None,
        }
    }

    /// Whether a run may end with this failure; its counter exists from the start.
    pub fn can_fail_as(&self, failure: Failure) -> bool {
        let of_session = |own: &[Failure]| own.contains(&failure) || OF_SESSION.contains(&failure);
        match self {
            Self::Handshake(_) => match failure {
                Failure::TooSlow => true,
                Failure::TcpNotEnded | Failure::SessionClosed => false,
                _ => !OF_OTHERS.iter().any(|own| own.contains(&failure)),
            },
            Self::Heartbeat(_) => of_session(heartbeat::FAILURES),
            Self::Zombie(_) => of_session(zombie::FAILURES),
            Self::Flapping(_) => of_session(flapping::FAILURES),
            Self::Malformed(_) => of_session(malformed::FAILURES),
            Self::NetworkSwitch(_) => of_session(network_switch::FAILURES),
            Self::TokenRefresh(_) => of_session(token_refresh::FAILURES),
            Self::Hold(_) => of_session(hold::FAILURES) && !OF_OPENING.contains(&failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{Handshake, Heartbeat};
    use crate::model::Span;

    #[test]
    fn a_silence_of_seconds_is_not_excused_by_a_hiccup_and_a_slow_answer_is() {
        let seconds = Duration::from_secs;
        let handshake = CheckSpec::Handshake(Handshake::default());
        assert_eq!(handshake.lag_tolerance(Failure::UpgradeTimeout, seconds(2)), Some(seconds(2) / 4));
        assert_eq!(handshake.lag_tolerance(Failure::UpgradeTimeout, seconds(60)), Some(LONGEST_HICCUP));
        assert_eq!(handshake.lag_tolerance(Failure::TooSlow, seconds(2)), None);
        let check = Heartbeat { pong_timeout: Span::secs(2), ..Heartbeat::default() };
        let heartbeat = CheckSpec::Heartbeat(check);
        assert_eq!(heartbeat.lag_tolerance(Failure::PongLost, seconds(9)), Some(seconds(2) / 4));
        assert_eq!(heartbeat.lag_tolerance(Failure::TooJittery, seconds(9)), None);
    }
}
