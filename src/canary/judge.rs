//! The judge: takes runs, gives a decision.

use std::cmp::Reverse;

use super::data::Data;
use super::decision::{Decision, EarlyStop, Row, RowVerdict, RunCounts, VERSION, Verdict};
use super::outcomes::DECIDED;
use super::plan::{Arm, End, Plan, Run};
use super::statistics::multiple::{Tested, level, rejected};
use super::statistics::spending::spent;
use super::{critical, early, measures, outcomes, sentence};

/// Takes the runs of a verification and judges them.
#[derive(Debug, Clone)]
pub struct Judge {
    plan: Plan,
    data: Data,
    /// How much of alpha the looks so far have spent.
    spent: f64,
    /// How many of the policy's looks are over.
    looks: usize,
}

/// A row whose verdict may depend on the others: what is tested against the level that all share.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) row: Row,
    /// The test of "worse", where there is one.
    pub(super) tested: Option<Tested>,
    /// Whether it is worse by as much as matters.
    pub(super) matters: bool,
    /// Whether it looks bad enough that a pass would be a lie, though no test can say so.
    pub(super) suspect: bool,
}

/// How the rows of a moment are to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// More runs may come: what is significant, and no more than is needed to see it.
    Look,
    /// More runs might have come: only what is significant counts.
    Stop,
    /// No more runs come.
    Final,
}

impl Judge {
    /// A judge that has seen nothing yet. By a policy that is out of bounds ([`super::Policy::check`]) everything is
    /// inconclusive.
    pub fn new(mut plan: Plan) -> Self {
        plan.checks.retain(|_, runs| *runs > 0);
        plan.policy.looks.retain(|look| *look > 0.0 && *look < 1.0);
        plan.policy.looks.sort_by(f64::total_cmp);
        let data = Data::of(plan.checks.keys().cloned());
        Self { plan, data, spent: 0.0, looks: 0 }
    }

    /// Takes one run. The order of the runs does not matter, except for when [`Judge::interim`] is asked.
    pub fn add(&mut self, run: Run) {
        self.data.add(run);
    }

    /// The decision, if it can be made before the plan's end: a critical finding, a failure that no missing run can
    /// take back, or a significant difference at one of the policy's looks. A pass is never early.
    pub fn interim(&mut self) -> Option<Decision> {
        self.plan.policy.check().ok()?;
        if critical::decided(&self.plan, &self.data) {
            return Some(self.stop(EarlyStop::Critical, self.plan.policy.alpha));
        }
        if early::certain(&self.plan, &self.data) {
            return Some(self.stop(EarlyStop::Certain, self.plan.policy.alpha));
        }
        let budget = self.next_look()?;
        let fails = self.rows(Moment::Look, budget).iter().any(|row| row.verdict.fails());
        fails.then(|| self.stop(EarlyStop::Significant, budget))
    }

    /// The decision, when no more runs will come.
    pub fn finish(&self, end: End) -> Decision {
        let end = self.plan.policy.check().map_or_else(|error| End::AgentFault(error.to_string()), |()| end);
        let rows = self.rows(Moment::Final, self.plan.policy.alpha - self.spent);
        self.decision(rows, Some(&end), None)
    }

    /// What may be spent on the look that is due now, if one is.
    fn next_look(&mut self) -> Option<f64> {
        if !self.plan.compare {
            return None;
        }
        let seen = early::seen(&self.plan, &self.data);
        let over = self.plan.policy.looks.iter().filter(|look| **look <= seen).count();
        if over <= self.looks || seen >= 1.0 {
            return None;
        }
        self.looks = over;
        // By the look's own time, also where it comes a little later: the rest stays for the end.
        let until_now = spent(self.plan.policy.alpha, self.plan.policy.looks[over - 1]);
        let budget = until_now - self.spent;
        self.spent = until_now;
        Some(budget)
    }

    fn stop(&self, why: EarlyStop, alpha: f64) -> Decision {
        self.decision(self.rows(Moment::Stop, alpha), None, Some(why))
    }

    /// All rows, their verdicts corrected for there being many.
    fn rows(&self, moment: Moment, alpha: f64) -> Vec<Row> {
        let mut candidates = outcomes::rows(&self.plan, &self.data, moment == Moment::Final);
        candidates.extend(measures::rows(&self.plan, &self.data, moment == Moment::Look));
        settle(&mut candidates, moment, alpha);
        let mut rows: Vec<Row> = critical::rows(&self.plan, &self.data);
        rows.extend(candidates.into_iter().map(|candidate| candidate.row));
        rows.sort_by(|a, b| {
            let weight = b.weight.total_cmp(&a.weight);
            a.verdict
                .cmp(&b.verdict)
                .then(weight)
                .then_with(|| (&a.check, &a.metric).cmp(&(&b.check, &b.metric)))
        });
        rows
    }

    fn decision(&self, rows: Vec<Row>, end: Option<&End>, stopped_early: Option<EarlyStop>) -> Decision {
        let judged = rows.iter().any(|row| !matches!(row.verdict, RowVerdict::NotJudged));
        let fails = rows.iter().any(|row| row.verdict.fails());
        let critical = rows.iter().any(|row| row.verdict == RowVerdict::Critical);
        let too_few = outcomes::too_few(&self.plan, &self.data).is_some();
        let blocked = !judged || too_few || rows.iter().any(|row| row.verdict.blocks());
        let verdict = match end {
            Some(End::Cancelled | End::AgentFault(_)) => Verdict::Inconclusive,
            Some(End::BaselineLost | End::BaselineNeverReached(_)) if !critical => Verdict::Inconclusive,
            _ if fails => Verdict::Fail,
            _ if blocked => Verdict::Inconclusive,
            _ => Verdict::Pass,
        };
        let notes = sentence::notes(&self.plan, &self.data, &rows, end);
        Decision {
            canary: VERSION,
            verdict,
            sentence: sentence::sentence(&self.plan, &self.data, verdict, &rows, &notes),
            stopped_early,
            seconds: self.data.seconds,
            alpha: self.plan.policy.alpha,
            runs: self.counts(),
            rows,
            notes,
            evidence: self.data.evidence(),
        }
    }

    fn counts(&self) -> Vec<RunCounts> {
        let arms = Arm::ALL.into_iter().filter(|arm| self.plan.compare || *arm == Arm::Canary);
        let arms: Vec<Arm> = arms.collect();
        let of = |(check, data): (&str, &super::data::CheckData)| {
            let planned = self.plan.checks.get(check).copied().unwrap_or(0);
            let counts = arms.iter().map(|arm| {
                let runs = data.arm(*arm);
                RunCounts {
                    check: check.to_owned(),
                    arm: *arm,
                    planned,
                    pass: runs.pass,
                    fail: runs.fail,
                    inconclusive: runs.inconclusive,
                    unsupported: runs.unsupported,
                }
            });
            counts.collect::<Vec<_>>()
        };
        self.data.checks().flat_map(of).collect()
    }
}

/// Gives those rows their verdicts that are tested.
fn settle(candidates: &mut [Candidate], moment: Moment, alpha: f64) {
    // The heaviest tests come first only in what is told: each has the same share of alpha.
    candidates.sort_by_key(|candidate| Reverse(candidate.tested.is_some()));
    let tests: Vec<Tested> = candidates.iter().map_while(|candidate| candidate.tested).collect();
    let worse = rejected(&tests, alpha);
    let reach = level(|| tests.iter().map(|test| test.least), alpha);
    for (at, candidate) in candidates.iter_mut().enumerate() {
        let row = &mut candidate.row;
        if moment == Moment::Stop && candidate.suspect && row.verdict == RowVerdict::NotEnough {
            row.verdict = RowVerdict::Suspect;
            row.note = Some(format!("looks worse, but {DECIDED}"));
        }
        let Some(test) = candidate.tested else { continue };
        if worse[at] && candidate.matters {
            row.verdict = RowVerdict::Worse;
            // What would have been too little for a pass is no matter now.
            row.note = None;
        } else if moment != Moment::Look && candidate.suspect && row.verdict == RowVerdict::Same {
            row.verdict = RowVerdict::Suspect;
            row.note = Some("looks worse, but too few runs to tell it from chance".to_owned());
        } else if moment == Moment::Final
            && row.verdict == RowVerdict::Same
            && test.least > reach
            && row.metric != super::FAILURES
        {
            row.verdict = RowVerdict::NotJudged;
            row.note = Some("so few runs can't show a difference".to_owned());
        }
    }
}
