//! Checks as a verification runs them: many short runs instead of a few long ones.

use std::time::Duration;

use super::Profile;
use crate::checks::malformed::{Patience, Vector};
use crate::checks::token_refresh::Case;
use crate::checks::{CheckSpec, Flapping, Heartbeat, Malformed, NetworkSwitch, TokenRefresh, Zombie};
use crate::model::Span;

/// What one connection takes on top of what a check waits for, as a rule.
const CONNECT: Duration = Duration::from_millis(150);
/// A check that takes so long runs in both arms at once.
pub(super) const LONG: Duration = Duration::from_secs(4);

/// A check as it is run, and what is looked at less closely than the config asks.
pub(super) struct Fitted {
    /// The check.
    pub(super) spec: CheckSpec,
    /// What of it is left aside, in words.
    pub(super) aside: Option<&'static str>,
}

/// The check with fewer pings, cycles and messages, and all that it is for. Its deadline stays.
pub(super) fn fitted(spec: &CheckSpec, profile: Profile) -> Fitted {
    let timeout = spec.timeout();
    let (spec, aside) = match spec.clone() {
        CheckSpec::Heartbeat(check) => {
            let beats = check.server.pings.or(check.server.beats).is_some();
            (CheckSpec::Heartbeat(heartbeat(check)), beats.then_some("the gateway's own heartbeat"))
        }
        CheckSpec::Flapping(check) => (CheckSpec::Flapping(flapping(check)), None),
        CheckSpec::Zombie(check) => (CheckSpec::Zombie(zombie(check)), None),
        CheckSpec::NetworkSwitch(check) => (CheckSpec::NetworkSwitch(network_switch(check)), None),
        CheckSpec::TokenRefresh(check) => token_refresh(check, profile),
        CheckSpec::Malformed(check) => malformed(check, profile),
        other => (other, None),
    };
    Fitted { spec: spec.with_timeout(timeout), aside }
}

fn heartbeat(mut check: Heartbeat) -> Heartbeat {
    check.pings = check.pings.min(5);
    check.every = check.every.min(Span::millis(200));
    check.pings_only = true;
    check
}

/// Eight cycles: the least that show a trend.
fn flapping(check: Flapping) -> Flapping {
    let (hold, gap) = (check.hold(), check.gap());
    let shortest = Duration::from_millis(50);
    Flapping {
        cycles: Some(check.cycles().min(8)),
        hold: Some(Span::from(hold.min(shortest))),
        gap: Some(Span::from(gap.min(shortest))),
        ..check
    }
}

/// Several connections, where the config does not say how many: a run is long, and there are few of them.
fn zombie(check: Zombie) -> Zombie {
    let zombies = check.zombies.or(Some(check.zombies(crate::checks::zombie::Mode::Mute).max(3)));
    Zombie { zombies, ..check }
}

fn network_switch(check: NetworkSwitch) -> NetworkSwitch {
    NetworkSwitch {
        messages: check.messages.min(10),
        away: check.away.min(Span::millis(200)),
        beyond_retention: Some(check.beyond_retention.unwrap_or(false)),
        ..check
    }
}

/// Bad tokens are looked at in any case. An expiry is waited for only in `full`, and only where the config asks.
fn token_refresh(check: TokenRefresh, profile: Profile) -> (CheckSpec, Option<&'static str>) {
    let waits = |case: &Case| matches!(case, Case::Expiry | Case::NearExpiry);
    let mut cases: Vec<Case> = Case::ALL.into_iter().filter(|case| check.looks_at(*case)).collect();
    let mut aside = None;
    if profile == Profile::Quick && cases.iter().any(waits) {
        cases.retain(|case| !waits(case));
        aside = Some("what becomes of sessions whose token expires");
    }
    if check.cases.is_none() {
        cases.extend([Case::Renew, Case::BadTokens].into_iter().filter(|case| !check.looks_at(*case)));
    } else if cases.is_empty() {
        cases.push(Case::Renew);
    }
    cases.sort_unstable();
    let messages = check.messages.min(10);
    (CheckSpec::TokenRefresh(TokenRefresh { cases: Some(cases), messages, ..check }), aside)
}

/// What is slow on purpose is left aside in `quick`, and vectors follow each other faster where the config gives no
/// pace.
fn malformed(check: Malformed, profile: Profile) -> (CheckSpec, Option<&'static str>) {
    let every = check.every.or(Some(Span::from(check.every().min(Duration::from_millis(100)))));
    let slow = |vector: &&Vector| vector.patience != Patience::Within;
    let slow: Vec<String> = check.chosen().filter(slow).map(|vector| vector.name.to_owned()).collect();
    if profile == Profile::Full || slow.is_empty() {
        return (CheckSpec::Malformed(Malformed { every, ..check }), None);
    }
    let skip = [check.skip.clone(), slow].concat();
    (CheckSpec::Malformed(Malformed { every, skip, ..check }), Some("vectors that are slow on purpose"))
}

/// How long a run takes with a gateway that is well, as a rule, its connections apart.
pub(super) fn typical(spec: &CheckSpec) -> Duration {
    let connections = u32::try_from(spec.cost().connections).unwrap_or(u32::MAX);
    let dials = CONNECT * connections.min(20);
    let waits = match spec {
        CheckSpec::Handshake(_) | CheckSpec::Hold(_) => Duration::ZERO,
        CheckSpec::Heartbeat(check) => check.every.get() * check.pings,
        CheckSpec::Flapping(check) => (check.hold() + check.gap()) * check.cycles() + Duration::from_secs(1),
        CheckSpec::NetworkSwitch(check) => check.stream() + check.settle.get() / 4,
        CheckSpec::TokenRefresh(check) => refreshing(check),
        CheckSpec::Zombie(check) => silence(check),
        CheckSpec::Malformed(check) => {
            let each = check.every().max(CONNECT);
            let count = u32::try_from(check.chosen().count()).unwrap_or(u32::MAX);
            let slow = check.chosen().any(|vector| vector.patience == Patience::Slow);
            each * count + if slow { check.slow_within.get() } else { Duration::ZERO }
        }
    };
    dials + waits
}

fn refreshing(check: &TokenRefresh) -> Duration {
    let waits = check.looks_at(Case::Expiry) || check.looks_at(Case::NearExpiry);
    let short = check.lead() + Duration::from_millis(2_000);
    match waits {
        true => short.max(check.worst_case().get().saturating_sub(check.connect_timeout.get() * 2)),
        false => short,
    }
}

/// All that the worst case adds to the silence is what a gateway that is well does not use up.
fn silence(check: &Zombie) -> Duration {
    let beside = check.connect_timeout.get() + check.close_timeout() + check.pong_timeout.get();
    check.worst_case().get().saturating_sub(beside) + Duration::from_secs(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_tokens_are_looked_at_and_expiries_are_not_waited_for_in_a_minute() {
        let light = CheckSpec::TokenRefresh(TokenRefresh::default());
        let CheckSpec::TokenRefresh(check) = fitted(&light, Profile::Quick).spec else { panic!() };
        assert_eq!(check.cases, Some(vec![Case::Renew, Case::Rapid, Case::BadTokens]));
        let all =
            CheckSpec::TokenRefresh(TokenRefresh { cases: Some(Case::ALL.to_vec()), ..Default::default() });
        let quick = fitted(&all, Profile::Quick);
        let CheckSpec::TokenRefresh(check) = quick.spec else { panic!() };
        assert!(!check.looks_at(Case::Expiry) && !check.looks_at(Case::NearExpiry) && quick.aside.is_some());
        let full = fitted(&all, Profile::Full);
        assert!(full.aside.is_none() && typical(&full.spec) > Duration::from_secs(60));
    }

    #[test]
    fn a_fitted_check_is_short_and_keeps_its_deadline() {
        for spec in [
            CheckSpec::Heartbeat(Heartbeat::default()),
            CheckSpec::Flapping(Flapping::default()),
            CheckSpec::NetworkSwitch(NetworkSwitch::default()),
            CheckSpec::TokenRefresh(TokenRefresh::default()),
        ] {
            let fitted = fitted(&spec, Profile::Quick).spec;
            assert_eq!(fitted.timeout(), spec.timeout());
            assert!(typical(&fitted) < Duration::from_secs(5), "{}: {:?}", spec.kind(), typical(&fitted));
            assert!(typical(&fitted) < fitted.timeout().get());
        }
    }
}
