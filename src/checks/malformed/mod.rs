//! The `malformed` check: sends what is malformed, one thing a connection, and watches how the gateway takes it,
//! whether it is still there afterwards, and whether somebody else has to suffer.

mod acceptable;
mod config;
mod door;
mod ear;
mod judge;
mod metrics;
mod reaction;
mod scene;
mod session;
mod shot;
#[cfg(test)]
mod tests;
mod unasked;
mod vectors;

use std::time::Instant as StdInstant;

use futures_util::future::join;
use tokio::sync::watch::Receiver;
use tokio::time::{sleep_until, timeout_at};

pub use acceptable::{Word, list};
pub use config::Malformed;
pub use judge::Assertion;
pub use metrics::METRICS;
pub use unasked::Unasked;
pub use vectors::{Class, Group, Need, Patience, Vector};

use crate::checks::{Capability, capability};
use crate::metrics::{Descriptor, LabelValue};
use crate::model::{Cause, Outcome, Verdict};
use crate::session::{Ask, Companion, Sampled, Talk, Target, Visit};
use crate::wire::Record;
use judge::{End, Entry, Judgement};
use scene::{Beside, Scene};
use session::Fired;
use shot::Shot;

impl Malformed {
    /// Sends the vectors one after another, and judges how the gateway took them.
    pub async fn run(&self, visit: &Visit) -> Verdict {
        match self.steps(visit).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }

    /// The series that exist at 0 before the first run.
    pub fn series_at_zero(&self, _: &Target) -> Vec<(&'static Descriptor, Vec<LabelValue>)> {
        let chosen = |group: &Group| self.chosen().any(|vector| vector.group == *group);
        metrics::expected(Group::ALL.iter().copied().filter(chosen))
    }

    async fn steps(&self, visit: &Visit) -> Result<Verdict, Verdict> {
        let within = self.connect_timeout.get();
        let ask = Ask { within: Some(within), ..Ask::default() };
        let opened = visit.open(&ask, &Record::new()).await.map_err(|refusal| refusal.precondition())?;
        let peer = visit.peer(&opened);
        let talk = Talk::begin(visit, opened, within).await?;
        let words = Scene::words(visit, talk.variables());
        let mut bystander = Companion::learn(visit, talk, words, self.pong_timeout.get()).await?;
        let mut samples = bystander.listen();
        let scene = Scene::new(self, visit, peer);
        let volleys = async {
            let last = visit.until(None);
            // Cut off by the deadline, a run keeps what it has seen.
            let end = timeout_at(last, scene.volleys(&mut samples)).await.unwrap_or(End::Late);
            scene.over.cancel();
            end
        };
        let (end, ()) = join(volleys, scene.watch(bystander)).await;
        let entries = std::mem::take(&mut *scene.entries());
        self.tell_capabilities(visit, &entries);
        metrics::keep(visit, &entries);
        Ok(judge::verdict(&entries, &end, self.without))
    }

    fn tell_capabilities(&self, visit: &Visit, entries: &[Entry]) {
        let about = |needs: fn(Need) -> bool, what: Capability| {
            let mut asked = entries.iter().filter(|entry| needs(entry.vector.needs)).peekable();
            if asked.peek().is_some() {
                let can = asked.any(|entry| !matches!(entry.seen, Err(why) if !why.is_ours()));
                capability(visit, what, can);
            }
        };
        about(|need| need == Need::Json, Capability::JsonMessages);
        about(|need| need == Need::Token, Capability::BrokenToken);
        about(|need| matches!(need, Need::Deflate | Need::DeflateAndLimitBelow(_)), Capability::Deflate);
    }
}

impl Scene<'_> {
    /// One vector after another, until all are sent or something forbids to go on.
    async fn volleys(&self, samples: &mut Receiver<Option<Sampled>>) -> End {
        let (dialect, has_credential) = {
            let target = self.visit.target();
            (&target.dialect, target.credential.is_some())
        };
        let mut last: Option<(&'static Vector, StdInstant)> = None;
        for vector in self.check.chosen() {
            if let Some(why) = Unasked::of(vector, self.check, dialect, has_credential) {
                self.note(Entry::unasked(vector, why));
                continue;
            }
            if !self.time_for(vector) {
                self.note(Entry::unasked(vector, Unasked::Budget));
                continue;
            }
            if let Some((_, since)) = last {
                sleep_until(scene::after(since, self.check.every())).await;
            }
            let shot_at = StdInstant::now();
            let fired = match self.fire(vector).await {
                Ok(fired) => fired,
                Err(verdict) => return self.locked_out(last.map(|(vector, _)| vector), verdict),
            };
            let seen = match fired {
                Ok(seen) => seen,
                Err(why) => {
                    self.note(Entry::unasked(vector, why));
                    continue;
                }
            };
            last = Some((vector, shot_at));
            let entry = Entry::judged(vector, seen, self.check.acceptable(vector, Some(dialect)));
            if let Some(end) = self.aftermath(entry, samples).await {
                return end;
            }
        }
        End::Done
    }

    async fn fire(&self, vector: &'static Vector) -> Result<Fired, Verdict> {
        match vector.shot {
            Shot::Request { changes, slowly } => door::request(self, vector, changes, slowly).await,
            Shot::Origin => door::origin(self).await,
            Shot::Token(forgery) => door::token(self, forgery).await,
            Shot::Session { then, .. } => session::fire(self, vector, then).await,
            Shot::Unread => session::unread(self, vector).await,
        }
    }

    /// What the vector left behind: can the gateway be reached, and is the bystander well?
    async fn aftermath(&self, entry: Entry, samples: &mut Receiver<Option<Sampled>>) -> Option<End> {
        let (vector, seen) = (entry.vector, entry.seen.ok());
        let since = StdInstant::now();
        let probe = self.probe().await;
        if let Err(verdict) = &probe
            && Self::accuses(verdict)
            && self.sees_crashes()
        {
            let note = format!("afterwards a new connection came to nothing: {}", verdict.detail);
            self.note(Entry::crash(vector, note));
            return Some(End::Done);
        }
        let judgement = entry.judgement;
        self.note(entry);
        match probe {
            Err(verdict) if !Self::accuses(&verdict) => return Some(End::Stopped(verdict)),
            Err(_) | Ok(()) => {}
        }
        if judgement == Judgement::NotJudged
            && let Some((seen, outcome)) = seen.and_then(|seen| Some((seen, judge::excuse(&seen)?)))
        {
            let detail = format!("after {}: {}", vector.name, seen.reaction);
            return Some(End::Stopped(Verdict::new(outcome, detail)));
        }
        match self.beside(samples, since).await {
            Beside::Well => None,
            Beside::Slow => {
                let recovery = match self.recovery(samples).await {
                    Some(after) => format!("was as before {:.1} s later", after.as_secs_f64()),
                    None => "had not recovered when the run ended".to_owned(),
                };
                let how = format!("the healthy connection beside it grew slow, and {recovery}");
                Some(End::Bystander(vector, how))
            }
            Beside::Gone(verdict) if Self::accuses(&verdict) => {
                let how = format!("the healthy connection beside it was let down: {}", verdict.detail);
                Some(End::Bystander(vector, how))
            }
            Beside::Gone(verdict) => Some(End::Stopped(verdict)),
            Beside::Unknown => Some(End::Late),
        }
    }

    fn sees_crashes(&self) -> bool {
        self.check.without != Some(Assertion::Survives)
    }

    /// No connection for the next vector came about: the vector before may have had a late effect.
    fn locked_out(&self, last: Option<&'static Vector>, verdict: Verdict) -> End {
        match last {
            Some(vector) if Self::accuses(&verdict) && self.sees_crashes() => {
                let note = format!("some time later a new connection came to nothing: {}", verdict.detail);
                self.note(Entry::crash(vector, note));
                End::Done
            }
            _ => {
                let outcome = match verdict.outcome {
                    Outcome::Fail(_) => Outcome::Inconclusive(Cause::Precondition),
                    other => other,
                };
                End::Stopped(Verdict { outcome, ..verdict })
            }
        }
    }
}
