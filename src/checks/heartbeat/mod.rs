//! The `heartbeat` check: how long a ping takes, whether each is answered once and rightly, and whether the
//! gateway keeps its own beat.

mod beats;
mod config;
mod judge;
mod metrics;
mod stats;
mod watch;

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;

pub use config::{Heartbeat, LevelSetting, ServerBeat, Thresholds};
pub use judge::Assertion;
pub use metrics::METRICS;

use crate::checks::{Capability, capability};
use crate::dialect::Part;
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Cause, Failure, Outcome, Verdict, Why};
use crate::session::{Ask, Level, Refusal, Talk, Tally, Target, Visit};
use crate::wire::Record;
use judge::{Seen, findings, stats, tally, told};

/// What it may find, beside what any session may end with.
pub(super) const FAILURES: &[Failure] = &[
    Failure::PongLost,
    Failure::PongMismatch,
    Failure::PongDuplicated,
    Failure::BeatMissing,
    Failure::BeatOff,
    Failure::TooSlow,
    Failure::TooJittery,
];

impl Heartbeat {
    /// Holds its connections side by side, and judges what was seen on all of them.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self, target: &Target) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        metrics::expected(&self.levels(target))
    }

    async fn steps(&self, visit: &Visit) -> Result<Verdict, Verdict> {
        let levels = self.levels(visit.target());
        // The first one shows the way: behind one name there may be several gateways.
        let first = self.connect(visit, None).await?;
        let promises = self.promised(visit, &first).iter().any(Option::is_some);
        capability(visit, Capability::ProtocolPing, levels.contains(&Level::Protocol));
        capability(visit, Capability::ApplicationPing, levels.contains(&Level::Application));
        capability(visit, Capability::ServerBeat, promises);
        if levels.is_empty() && !promises {
            let detail = "the dialect has no heartbeat at the wanted level";
            return Err(Verdict::new(Outcome::Unsupported(Why::Promise), detail));
        }
        let peer = visit.peer(&first.opened);
        let levels = levels.as_slice();
        // The first one listens, where there is something to listen to; else it pings as well.
        let pinging = if levels.is_empty() { 0 } else { self.connections() };
        let more = if promises { 0..pinging } else { 1..pinging };
        let others = more.map(async |number| {
            let talk = self.connect(visit, peer).await?;
            Ok(self.watch(visit, talk, levels, number).await)
        });
        let first = async {
            match promises {
                // Boxed, so that the run keeps room for the one that it is, and for no more.
                true => Box::pin(self.listen(visit, first)).await,
                false => Box::pin(self.watch(visit, first, levels, 0)).await,
            }
        };
        let (first, others) = tokio::join!(first, join_all(others));
        let (others, refused): (Vec<_>, Vec<_>) = others.into_iter().partition(Result::is_ok);
        let seen: Vec<Seen> = std::iter::once(first).chain(others.into_iter().flatten()).collect();
        metrics::keep(visit, self, levels, &seen);
        let verdict = self.verdict(visit, levels, &seen);
        // Who was not let in says nothing of those who were; but a pass it is not.
        match refused.into_iter().find_map(Result::err) {
            Some(refusal) if verdict.outcome == Outcome::Pass => Err(refusal),
            _ => Ok(verdict),
        }
    }

    fn verdict(&self, visit: &Visit, levels: &[Level], seen: &[Seen]) -> Verdict {
        let mut findings = findings(self, seen).into_iter().filter(|(what, _)| Some(*what) != self.without);
        let Some((_, verdict)) = findings.next() else {
            if seen.iter().any(|seen| seen.cut) {
                let detail =
                    "the time-out, or the target's budget, came before all pings were answered or lost";
                return Verdict::new(Outcome::Inconclusive(Cause::Budget), detail);
            }
            return Verdict::new(Outcome::Pass, self.describe(levels, seen));
        };
        for (_, further) in findings {
            visit.evidence.remark(format!("also: {}", further.detail));
        }
        verdict
    }

    /// The levels at which it pings a target.
    fn levels(&self, target: &Target) -> Vec<Level> {
        let has = |level: &Level| match level {
            Level::Protocol => true,
            Level::Application => target.dialect.has(Part::Heartbeat),
        };
        let all = [Level::Protocol, Level::Application].into_iter();
        all.filter(|level| self.pings_at(*level)).filter(has).collect()
    }

    async fn connect(&self, visit: &Visit, peer: Option<IpAddr>) -> Result<Talk, Verdict> {
        let ask = Ask { peer, within: Some(self.connect_timeout.get()), ..Ask::default() };
        let opened =
            visit.open(&ask, &Record::new()).await.map_err(|refusal: Refusal| refusal.precondition())?;
        Talk::begin(visit, opened, self.connect_timeout.get()).await
    }

    fn describe(&self, levels: &[Level], seen: &[Seen]) -> String {
        let mut parts = Vec::new();
        for level in levels {
            let stats = stats(seen, *level);
            if let (Some(mean), Some(p95), Some(max)) = (stats.mean(), stats.quantile(0.95), stats.max()) {
                let answered = answered(&tally(self, seen, *level), level.label());
                let figures = format!("mean {}, p95 {}, max {}", told(mean), told(p95), told(max));
                parts.push(format!("{answered}: {figures}"));
            }
        }
        for beats in seen.iter().take(1).flat_map(|seen| &seen.beats) {
            let intervals: Vec<Duration> = beats.intervals().collect();
            if let (Some(least), Some(most)) = (intervals.iter().min(), intervals.iter().max()) {
                let (level, least, most) = (beats.level.label(), told(*least), told(*most));
                let every = if least == most { least } else { format!("{least} to {most}") };
                parts.push(format!("the gateway's {level} heartbeat came every {every}"));
            }
        }
        parts.join("; ")
    }
}

/// How many pings were answered by themselves, and what became of the others.
fn answered(tally: &Tally, level: &str) -> String {
    let Tally { answered, lost, superseded, .. } = *tally;
    let asked = answered + lost + superseded;
    if answered == asked {
        return format!("{answered} {level} pings answered");
    }
    let others = [(superseded, "superseded by the answer to a later one"), (lost, "lost")];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let others: Vec<String> = others.map(|(count, what)| format!("{count} {what}")).collect();
    format!("{answered} of {asked} {level} pings answered, {}", others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_tells_of_pings_that_were_not_answered_by_themselves() {
        let told = |answered, superseded, lost| {
            super::answered(&Tally { answered, superseded, lost, ..Tally::default() }, "protocol")
        };
        assert_eq!(told(10, 0, 0), "10 protocol pings answered");
        assert_eq!(
            told(7, 3, 0),
            "7 of 10 protocol pings answered, 3 superseded by the answer to a later one"
        );
        assert_eq!(told(9, 0, 1), "9 of 10 protocol pings answered, 1 lost");
    }
}
