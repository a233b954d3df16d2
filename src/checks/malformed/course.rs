//! The course of a run: one vector after another, and after each a look whether anybody has to suffer.

use std::time::Instant as StdInstant;

use futures_util::FutureExt as _;
use tokio::sync::watch::Receiver;
use tokio::time::sleep_until;

use super::judge::{self, End, Entry, Judgement};
use super::reaction::Reaction;
use super::scene::{self, Beside, Harm, Scene};
use super::session::{self, Fired};
use super::shot::Shot;
use super::unasked::Unasked;
use super::vectors::Vector;
use super::{Assertion, door};
use crate::model::{Cause, Failure, Outcome, Verdict};
use crate::session::Sampled;

impl Scene<'_> {
    /// One vector after another, until all are sent or something forbids to go on.
    pub async fn volleys(&self, samples: &mut Receiver<Option<Sampled>>) -> End {
        if let Some(end) = self.beforehand(samples).await {
            return end;
        }
        let mut last: Option<(&'static Vector, StdInstant)> = None;
        for vector in self.check.chosen() {
            if let Some(why) = self.unasked(vector) {
                self.note(Entry::unasked(vector, why));
                continue;
            }
            let pause = async {
                if let Some((_, since)) = last {
                    sleep_until(scene::after(since, self.check.every())).await;
                }
            };
            let before = last.map(|(vector, _)| vector);
            if self.stop.run_until_cancelled(pause).await.is_none() {
                return self.stopped(before, samples).await;
            }
            let shot_at = StdInstant::now();
            // What is half out when the bystander suffers stays so: the connection is dropped.
            let fired =
                match self.stop.run_until_cancelled(self.patiently(|| self.fire(vector).boxed())).await {
                    None => return self.broken_off(vector, before, samples).await,
                    Some(Err(verdict)) => return self.locked_out(before, verdict),
                    Some(Ok(fired)) => fired,
                };
            let seen = match fired {
                Ok(seen) => seen,
                Err(why) => {
                    self.note(Entry::unasked(vector, why));
                    continue;
                }
            };
            last = Some((vector, shot_at));
            let entry = Entry::judged(vector, seen, self.right(vector));
            if let Some(end) = self.aftermath(entry, samples).await {
                return end;
            }
        }
        End::Done
    }

    fn unasked(&self, vector: &'static Vector) -> Option<Unasked> {
        let target = self.visit.target();
        let why = Unasked::of(vector, self.check, &target.dialect, target.credential.is_some());
        why.or_else(|| (!self.time_for(vector)).then_some(Unasked::Budget))
    }

    /// A second connection beside the bystander must work before anything malformed is sent, or no vector can be
    /// blamed for one that does not.
    async fn beforehand(&self, samples: &mut Receiver<Option<Sampled>>) -> Option<End> {
        let since = StdInstant::now();
        let probe = self.patiently(|| self.probe().boxed()).await;
        let verdict = match (probe, self.beside(samples, since).await) {
            (Err(verdict), _) | (Ok(()), Beside::Harmed(Harm::Dropped(verdict) | Harm::Over(verdict))) => {
                verdict
            }
            (Ok(()), Beside::Harmed(Harm::Slow)) => {
                let detail = "the healthy connection grew slow before anything malformed was sent";
                return Some(End::Stopped(Verdict::new(Outcome::Inconclusive(Cause::Precondition), detail)));
            }
            (Ok(()), Beside::Unknown) => return Some(End::Late),
            (Ok(()), Beside::Well) => return None,
        };
        let detail =
            format!("a second connection beside the first one, before any vector: {}", verdict.detail);
        Some(End::Stopped(Verdict::new(precondition(verdict.outcome), detail)))
    }

    async fn fire(&self, vector: &'static Vector) -> Result<Fired, Verdict> {
        self.visit.evidence.remark(vector.name);
        match vector.shot {
            Shot::Request { changes, slowly } => door::request(self, vector, changes, slowly).await,
            Shot::Origin => door::origin(self, vector).await,
            Shot::Token(forgery) => door::token(self, vector, forgery).await,
            Shot::Session { then, .. } => session::fire(self, vector, then).await,
            Shot::Unread => session::unread(self, vector).await,
        }
    }

    /// What the vector left behind: is the bystander well, and can the gateway be reached?
    async fn aftermath(&self, mut entry: Entry, samples: &mut Receiver<Option<Sampled>>) -> Option<End> {
        let vector = entry.vector;
        let since = StdInstant::now();
        if self.harm().is_some() {
            return Some(self.harmed(entry, samples).await);
        }
        if let Some((seen, outcome)) = entry.seen.ok().and_then(|seen| Some((seen, judge::excuse(&seen)?)))
            && entry.judgement == Judgement::NotJudged
        {
            self.note(entry);
            let detail = format!("after {}: {}", vector.name, seen.reaction);
            return Some(End::Stopped(Verdict::new(outcome, detail)));
        }
        let Some(probe) = self.stop.run_until_cancelled(self.patiently(|| self.probe().boxed())).await else {
            return Some(self.harmed(entry, samples).await);
        };
        if let Err(verdict) = probe {
            if self.harm().is_some() {
                return Some(self.harmed(entry, samples).await);
            }
            if is_crash(&verdict) && self.sees_crashes() {
                let note = format!("afterwards no new connection worked, in three tries: {}", verdict.detail);
                self.note(Entry::crash(vector, note));
                return Some(End::Done);
            }
            if says_unavailable(&entry) {
                entry.judgement = Judgement::NotJudged;
            }
            self.note(entry);
            // Without the assertion a failed probe says nothing.
            return (!is_crash(&verdict)).then(|| End::Stopped(after(vector, verdict)));
        }
        match self.beside(samples, since).await {
            Beside::Well => {
                self.note(entry);
                None
            }
            Beside::Harmed(_) => Some(self.harmed(entry, samples).await),
            Beside::Unknown => {
                self.note(entry);
                Some(End::Late)
            }
        }
    }

    /// The bystander suffered after a vector whose reaction was seen.
    async fn harmed(&self, mut entry: Entry, samples: &mut Receiver<Option<Sampled>>) -> End {
        let vector = entry.vector;
        match self.harm() {
            Some(Harm::Dropped(_)) if self.sees_crashes() => {}
            Some(Harm::Over(_)) => {
                // Who restarts, or has no capacity, treats every connection so.
                if matches!(entry.seen, Ok(seen) if matches!(seen.reaction, Reaction::Unclean | Reaction::Hang))
                    || says_unavailable(&entry)
                {
                    entry.judgement = Judgement::NotJudged;
                }
                self.note(entry);
            }
            _ => self.note(entry),
        }
        self.stopped(Some(vector), samples).await
    }

    /// The bystander suffered in the middle of a vector.
    async fn broken_off(
        &self,
        vector: &'static Vector,
        before: Option<&'static Vector>,
        samples: &mut Receiver<Option<Sampled>>,
    ) -> End {
        if !self.has_shot(vector) {
            return self.stopped(before, samples).await;
        }
        let dropped = matches!(self.harm(), Some(Harm::Dropped(_))) && self.sees_crashes();
        if !dropped {
            self.note(Entry::unasked(vector, Unasked::BrokenOff));
        }
        self.stopped(Some(vector), samples).await
    }

    /// The run ends because of the bystander; `vector` was the last one that was sent.
    async fn stopped(&self, vector: Option<&'static Vector>, samples: &mut Receiver<Option<Sampled>>) -> End {
        let (Some(harm), Some(vector)) = (self.harm(), vector) else { return End::Late };
        match harm {
            Harm::Slow => {
                let recovery = match self.recovery(samples).await {
                    Some(after) => format!("was as before {:.1} s later", after.as_secs_f64()),
                    None => "had not recovered when the run ended".to_owned(),
                };
                let how = format!("the healthy connection beside it grew slow, and {recovery}");
                End::Bystander(vector, format!("{how}{}", self.others(vector)))
            }
            Harm::Dropped(verdict) if self.sees_crashes() => {
                let how = format!("the gateway dropped its other clients: {}", verdict.detail);
                self.note(Entry::crash(vector, format!("{how}{}", self.others(vector))));
                End::Done
            }
            Harm::Dropped(verdict) => {
                let outcome = precondition(verdict.outcome);
                End::Stopped(after(vector, Verdict { outcome, ..verdict }))
            }
            Harm::Over(verdict) => End::Stopped(after(vector, verdict)),
        }
    }

    fn sees_crashes(&self) -> bool {
        self.check.without != Some(Assertion::Survives)
    }

    /// No connection for the next vector came about: the vector before may have had a late effect.
    fn locked_out(&self, last: Option<&'static Vector>, verdict: Verdict) -> End {
        match (self.harm(), last) {
            (Some(Harm::Over(verdict)), Some(vector)) => End::Stopped(after(vector, verdict)),
            (_, Some(vector)) if is_crash(&verdict) && self.sees_crashes() => {
                let note =
                    format!("some time later no connection came about, in three tries: {}", verdict.detail);
                self.note(Entry::crash(vector, note));
                End::Done
            }
            (_, Some(_)) if !is_crash(&verdict) => End::Stopped(verdict),
            _ => End::Stopped(Verdict { outcome: precondition(verdict.outcome), ..verdict }),
        }
    }
}

/// Whether a failure may mean that a vector brought the gateway down: one that answers, and has no capacity, has
/// said what it is.
pub(super) fn is_crash(verdict: &Verdict) -> bool {
    matches!(verdict.outcome, Outcome::Fail(failure) if failure != Failure::Unavailable)
}

/// Whether the reaction says of the gateway what a probe says too.
fn says_unavailable(entry: &Entry) -> bool {
    matches!(entry.seen, Ok(seen) if matches!(seen.reaction, Reaction::Status(502..=504)))
}

fn precondition(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Fail(_) => Outcome::Inconclusive(Cause::Precondition),
        other => other,
    }
}

fn after(vector: &Vector, verdict: Verdict) -> Verdict {
    Verdict { detail: format!("after {}: {}", vector.name, verdict.detail), ..verdict }
}
