//! The `hold` check: a few connections held for days. A run reads how they fared since the last one: who ended them
//! and how, at which age, and how long it took until they were let in again.

mod config;
mod judge;
mod metrics;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, timeout_at};

pub use config::Hold;
pub use judge::Assertion;
pub use metrics::METRICS;

use crate::checks::{Capability, capability};
use crate::dialect::Part;
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Failure, Outcome, Phase, Verdict};
use crate::session::{End, Glance, Hindsight, Standing, Visit};
use judge::{Finding, describe, events, findings, whole};

/// What it may find, beside what any session may end with.
pub(super) const FAILURES: &[Failure] = &[Failure::PongLost, Failure::ReconnectFailed];

/// From when on before an end its cause may be sought in the agent.
const CAUSE: Duration = Duration::from_secs(60);
/// Events that a passed run tells of in its one sentence, at most; the others are in its timeline.
const TOLD: usize = 3;

impl Hold {
    /// Watches for a while, and reads what was written down since the last run.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        capability(visit, Capability::ProtocolPing, true);
        capability(visit, Capability::ApplicationPing, visit.target().dialect.has(Part::Heartbeat));
        let ledger = visit.shelf().keep(visit, self.terms());
        visit.evidence.enter(Phase::Session);
        let (last, watch) = (visit.until(None), visit.until(Some(self.watch.get())));
        loop {
            let now = Instant::now();
            let settled = ledger.standings().iter().filter_map(|s| self.settled_at(s)).max();
            let until = settled.map_or(last, |settled| Instant::from_std(settled).max(watch).min(last));
            let open = ledger.standings().iter().any(|standing| self.settled_at(standing).is_none());
            let until = if open { last } else { until };
            if now >= until {
                break;
            }
            let _ = timeout_at(until, ledger.changed()).await;
        }
        self.verdict(visit, &ledger.read())
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        metrics::expected()
    }

    /// From when on nothing more is to be learnt of a connection by waiting; none while that is not known.
    fn settled_at(&self, standing: &Standing) -> Option<StdInstant> {
        match standing {
            Standing::Up { since, answered, starved } => {
                answered.or(starved.then_some(*since)).map(|_| *since)
            }
            Standing::Down { since, unread: true, .. } => Some(*since + self.back_within.get()),
            Standing::Down { since, refusal, .. } => refusal.as_ref().map(|_| *since),
            Standing::Abandoned => Some(StdInstant::now()),
        }
    }

    fn verdict(&self, visit: &Visit, glance: &Glance) -> Verdict {
        let now = StdInstant::now();
        metrics::keep(visit, glance, now);
        for event in events(&glance.ends) {
            visit.evidence.remark(describe(self, glance, event));
        }
        if glance.dropped > 0 {
            visit.evidence.remark(format!("{} earlier ends were counted, not kept", glance.dropped));
        }
        let mut found = findings(self, glance, now).into_iter();
        let Some(Finding { verdict, end, .. }) = found.next() else {
            return Verdict::new(Outcome::Pass, self.fared(glance, now));
        };
        for further in found {
            visit.evidence.remark(format!("also: {}", further.verdict.detail));
        }
        if let Some(end) = end {
            visit.look_back(hindsight(end));
        }
        verdict
    }

    fn fared(&self, glance: &Glance, now: StdInstant) -> String {
        let since = glance.standings.iter().filter_map(|standing| match standing {
            Standing::Up { since, .. } => Some(*since),
            _ => None,
        });
        let oldest = since.min().map(|since| whole(now.saturating_duration_since(since)));
        let (held, oldest) = (glance.standings.len(), oldest.unwrap_or_default());
        let mut text = format!("{held} held, the oldest for {oldest}");
        let events = events(&glance.ends);
        for event in events.iter().take(TOLD) {
            text.push_str("; ");
            text.push_str(&describe(self, glance, event));
        }
        if events.len() > TOLD {
            text.push_str(&format!("; and {} more", events.len() - TOLD));
        }
        text
    }
}

fn hindsight(end: &End) -> Hindsight {
    let at = Instant::from_std(end.at);
    Hindsight { since: at.checked_sub(CAUSE).unwrap_or(at), late: end.late, control: end.control }
}
