//! Weighs a verdict against the agent's own condition: only what remains is held against the gateway. Pure.

use std::time::Duration;

use crate::model::{Cause, Failure, Outcome, Span, Verdict};

/// What is known of our own way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Egress {
    /// Nobody was asked, or nobody could say.
    NotAsked,
    /// The control endpoint answered.
    Works,
    /// The control endpoint failed too.
    ControlFails,
    /// The same, and it has not answered since the agent began, which is not long ago.
    ControlNeverAnswered,
    /// No control endpoint is configured; unrelated hosts failed at the same moment.
    OthersFail,
}

/// The agent's condition during a run.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// The worst lateness of the run's own task.
    pub lag: Duration,
    /// The worst CPU throttling within a quarter of a second.
    pub throttled: Duration,
    /// What is tolerated of both.
    pub bound: Duration,
    /// Our own way out.
    pub egress: Egress,
    /// Whether the resolver answered for another name; only asked where the run died in resolving.
    pub resolver_answers: Option<bool>,
}

impl Condition {
    /// Whether times measured in the run are to be believed.
    pub fn late(&self) -> bool {
        self.lag > self.bound || self.throttled > self.bound
    }
}

/// The verdict that remains. A pass remains a pass: no lateness of ours makes a gateway do the right thing.
pub fn weigh(verdict: Verdict, condition: &Condition) -> Verdict {
    if verdict.outcome == Outcome::Inconclusive(Cause::BystanderSlowed) && condition.late() {
        // Whose slowness it was can't be told.
        let detail = format!("the agent was late itself; {}", verdict.detail);
        return Verdict::new(Outcome::Inconclusive(Cause::AgentLag), detail);
    }
    let Outcome::Fail(failure) = verdict.outcome else { return verdict };
    let Some((cause, evidence)) = excuse(failure, condition) else { return verdict };
    let detail = format!("{evidence}; it looked like {}: {}", failure.reason(), verdict.detail);
    Verdict::new(Outcome::Inconclusive(cause), detail)
}

/// The cause outside the gateway that explains the failure, with its evidence.
fn excuse(failure: Failure, condition: &Condition) -> Option<(Cause, String)> {
    let bound = Span::from(condition.bound);
    if !failure.is_gateways_own_word() {
        if condition.throttled > condition.bound {
            let throttled = whole_millis(condition.throttled);
            return Some((
                Cause::AgentThrottled,
                format!("the agent's CPU was throttled for {throttled} (bound {bound})"),
            ));
        }
        if condition.lag > condition.bound {
            let lag = whole_millis(condition.lag);
            return Some((Cause::AgentLag, format!("the agent was {lag} late (bound {bound})")));
        }
    }
    if failure == Failure::DnsTimeout && condition.resolver_answers == Some(false) {
        return Some((Cause::ResolverUnreachable, "the resolver answers for no name".into()));
    }
    match condition.egress {
        Egress::ControlFails => Some((Cause::EgressLost, "the control endpoint failed too".into())),
        Egress::ControlNeverAnswered => Some((
            Cause::EgressLost,
            "the control endpoint failed too, and has never answered: is it the right one?".into(),
        )),
        Egress::OthersFail => Some((Cause::EgressLost, "unrelated hosts failed at the same moment".into())),
        Egress::NotAsked | Egress::Works => None,
    }
}

fn whole_millis(duration: Duration) -> Span {
    Span::millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Condition = Condition {
        lag: Duration::from_millis(2),
        throttled: Duration::ZERO,
        bound: Duration::from_millis(100),
        egress: Egress::NotAsked,
        resolver_answers: None,
    };

    fn outcome(failure: Failure, condition: Condition) -> Outcome {
        weigh(Verdict::new(Outcome::Fail(failure), "x"), &condition).outcome
    }

    #[test]
    fn a_sound_agent_accuses() {
        for failure in Failure::ALL {
            assert_eq!(outcome(*failure, FINE), Outcome::Fail(*failure));
            assert_eq!(
                outcome(*failure, Condition { egress: Egress::Works, ..FINE }),
                Outcome::Fail(*failure)
            );
        }
    }

    #[test]
    fn a_late_agent_accuses_nobody_of_being_slow_but_believes_what_it_was_told() {
        let late = Condition { lag: Duration::from_millis(120), ..FINE };
        assert_eq!(outcome(Failure::UpgradeTimeout, late), Outcome::Inconclusive(Cause::AgentLag));
        assert_eq!(outcome(Failure::TooSlow, late), Outcome::Inconclusive(Cause::AgentLag));
        assert_eq!(outcome(Failure::NotFound, late), Outcome::Fail(Failure::NotFound));
        let within = Condition { lag: Duration::from_millis(80), ..FINE };
        assert_eq!(outcome(Failure::TooSlow, within), Outcome::Fail(Failure::TooSlow));
    }

    #[test]
    fn each_cause_has_its_own_name() {
        let throttled = Condition { throttled: Duration::from_millis(200), ..FINE };
        assert_eq!(outcome(Failure::TlsTimeout, throttled), Outcome::Inconclusive(Cause::AgentThrottled));
        let dead = Condition { resolver_answers: Some(false), ..FINE };
        assert_eq!(outcome(Failure::DnsTimeout, dead), Outcome::Inconclusive(Cause::ResolverUnreachable));
        let alive = Condition { resolver_answers: Some(true), ..FINE };
        assert_eq!(outcome(Failure::DnsTimeout, alive), Outcome::Fail(Failure::DnsTimeout));
        for egress in [Egress::ControlFails, Egress::ControlNeverAnswered, Egress::OthersFail] {
            let lost = Condition { egress, ..FINE };
            assert_eq!(outcome(Failure::ConnectTimeout, lost), Outcome::Inconclusive(Cause::EgressLost));
        }
    }

    #[test]
    fn a_late_agent_does_not_blame_a_bystander_for_its_own_lateness() {
        let slowed = Verdict::new(Outcome::Inconclusive(Cause::BystanderSlowed), "x");
        assert_eq!(weigh(slowed.clone(), &FINE).outcome, slowed.outcome);
        let late = Condition { lag: Duration::from_millis(120), ..FINE };
        assert_eq!(weigh(slowed, &late).outcome, Outcome::Inconclusive(Cause::AgentLag));
    }

    #[test]
    fn a_pass_stays_a_pass() {
        let awful = Condition { lag: Duration::from_secs(9), egress: Egress::ControlFails, ..FINE };
        assert_eq!(weigh(Verdict::new(Outcome::Pass, ""), &awful).outcome, Outcome::Pass);
    }
}
