//! A judge and runs for it, in few words.

use std::collections::BTreeMap;

use super::super::{Arm, Decision, End, Judge, Plan, Policy, Row, Run, RunOutcome, Verdict};

pub use Arm::{Baseline, Canary};
pub use RunOutcome::{Fail, Inconclusive, Pass, Unsupported};

pub const RTT: &str = "gateprobe_heartbeat_rtt_seconds{level=\"protocol\"}";

/// Both arms.
pub fn plan(checks: &[(&str, usize)]) -> Plan {
    let checks = checks.iter().map(|(check, runs)| ((*check).to_owned(), *runs)).collect();
    Plan { compare: true, checks, policy: Policy::default() }
}

/// The canary alone.
pub fn alone(checks: &[(&str, usize)]) -> Plan {
    Plan { compare: false, ..plan(checks) }
}

pub fn run(arm: Arm, check: &'static str, outcome: RunOutcome) -> Run {
    let reason = match outcome {
        Pass => None,
        Fail => Some("connect_refused".into()),
        Inconclusive => Some("agent_late".into()),
        Unsupported => Some("not_offered".into()),
    };
    Run {
        arm,
        check: check.into(),
        outcome,
        reason,
        detail: format!("{outcome:?} it was"),
        critical: false,
        seconds_since_start: 1.0,
        measures: BTreeMap::new(),
    }
}

pub fn critical(arm: Arm, check: &'static str, reason: &'static str) -> Run {
    Run { reason: Some(reason.into()), critical: true, ..run(arm, check, Fail) }
}

pub fn measured(arm: Arm, check: &'static str, metric: &str, value: f64) -> Run {
    Run { measures: [(metric.to_owned(), value)].into(), ..run(arm, check, Pass) }
}

pub trait Runs {
    /// So many runs that end alike.
    fn runs(&mut self, count: usize, arm: Arm, check: &'static str, outcome: RunOutcome);
    /// Runs that measure values evenly within 10 % around one.
    fn times(&mut self, count: usize, arm: Arm, check: &'static str, metric: &str, around: f64);
    fn done(&self) -> Decision;
}

impl Runs for Judge {
    fn runs(&mut self, count: usize, arm: Arm, check: &'static str, outcome: RunOutcome) {
        (0..count).for_each(|_| self.add(run(arm, check, outcome)));
    }

    fn times(&mut self, count: usize, arm: Arm, check: &'static str, metric: &str, around: f64) {
        for at in 0..count {
            let value = around * (0.95 + 0.1 * (at as f64 + 0.5) / count as f64);
            self.add(measured(arm, check, metric, value));
        }
    }

    fn done(&self) -> Decision {
        self.finish(End::Completed)
    }
}

pub fn row<'a>(decision: &'a Decision, check: &str, metric: &str) -> &'a Row {
    let found = decision.rows.iter().find(|row| row.check == check && row.metric == metric);
    found.unwrap_or_else(|| panic!("no row {check} {metric}: {:#?}", decision.rows))
}

#[track_caller]
pub fn expect(decision: &Decision, verdict: Verdict, sentence: &str) {
    assert_eq!(decision.verdict, verdict, "{}\n{:#?}", decision.sentence, decision.rows);
    assert!(decision.sentence.contains(sentence), "{}", decision.sentence);
}
